//! What the mock upstream answers, as bytes that are ready, and how it reads what is asked.
//!
//! The answer is the same whole and streamed: twenty words, their usage, and why it ended.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The one model.
pub const MODEL: &str = "mock";
/// Words of the answer, one in each event.
pub const WORDS: usize = 20;
/// Events of a stream before its last, `[DONE]`: the words, the reason to end, the usage.
pub const CHUNKS: usize = WORDS + 2;
/// A prompt with this is answered slowly: one event each 100 ms.
pub const SLOW: &str = "[slow]";
/// A prompt with this gets one event and then silence.
pub const SILENT: &str = "[silent]";
/// What the usage says; the words are counted as one token each.
const PROMPT_TOKENS: usize = 12;

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tempo {
    /// As fast as it goes, each event in a write of its own.
    Fast,
    /// With pauses.
    Slow,
    /// One event, then nothing more.
    Silent,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The whole answer at once.
    Whole,
    /// A stream.
    Stream(Tempo),
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    stream: Option<bool>,
}

impl Asked {
    /// Reads a request's body; nothing if it is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        let fields: Fields = serde_json::from_slice(body).ok()?;
        if fields.stream != Some(true) {
            return Some(Self::Whole);
        }
        let has = |mark: &str| body.windows(mark.len()).any(|bytes| bytes == mark.as_bytes());
        Some(Self::Stream(match () {
            () if has(SLOW) => Tempo::Slow,
            () if has(SILENT) => Tempo::Silent,
            () => Tempo::Fast,
        }))
    }
}

/// The whole answer.
pub static WHOLE: LazyLock<Bytes> = LazyLock::new(|| {
    let words: Vec<String> = (0..WORDS).map(word).collect();
    let answer = json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": 1_700_000_000,
        "model": MODEL, "usage": usage(),
        "choices": [{
            "index": 0, "finish_reason": "stop", "logprobs": null,
            "message": { "role": "assistant", "content": words.concat(), "refusal": null },
        }],
    });
    answer.to_string().into()
});

/// The events of a stream, `[DONE]` last.
pub static EVENTS: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let choice = |delta: Value, finish: Value| {
        event(&json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), &Value::Null)
    };
    let mut events: Vec<Bytes> = (0..WORDS)
        .map(|n| choice(json!({ "role": "assistant", "content": word(n) }), Value::Null))
        .collect();
    events.push(choice(json!({}), json!("stop")));
    events.push(event(&json!([]), &usage()));
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
});

/// The list of models.
pub static MODELS: LazyLock<Bytes> = LazyLock::new(|| {
    let model = json!({ "id": MODEL, "object": "model", "created": 0, "owned_by": "bench" });
    json!({ "object": "list", "data": [model] }).to_string().into()
});

/// A word of the answer.
pub fn word(number: usize) -> String {
    format!("word{number} ")
}

fn usage() -> Value {
    json!({
        "prompt_tokens": PROMPT_TOKENS, "completion_tokens": WORDS,
        "total_tokens": PROMPT_TOKENS + WORDS,
    })
}

fn event(choices: &Value, usage: &Value) -> Bytes {
    let chunk = json!({
        "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": MODEL, "choices": choices, "usage": usage,
    });
    format!("data: {chunk}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read() {
        let check = |body: &str, expect: Option<Asked>| {
            assert_eq!(Asked::read(body.as_bytes()), expect, "{body}");
        };
        check(r#"{"model":"m","messages":[]}"#, Some(Asked::Whole));
        check(r#"{"stream":null}"#, Some(Asked::Whole));
        check(r#"{"stream":false,"messages":[{"content":"[slow]"}]}"#, Some(Asked::Whole));
        check(r#"{"messages":[], "stream": true}"#, Some(Asked::Stream(Tempo::Fast)));
        check(r#"{"stream":true,"x":"[slow] please"}"#, Some(Asked::Stream(Tempo::Slow)));
        let parts = r#"{"stream":true,"messages":[{"content":[{"text":"[silent]"}]}]}"#;
        check(parts, Some(Asked::Stream(Tempo::Silent)));
        check(r#"{"stream":1}"#, None);
        check("[1", None);
        check("", None);
    }

    #[test]
    fn the_stream_says_what_the_whole_answer_says() {
        let whole: Value = serde_json::from_slice(&WHOLE).unwrap();
        let (mut text, mut used, mut finish) = (String::new(), Value::Null, Value::Null);
        for event in &EVENTS[..CHUNKS] {
            let event = std::str::from_utf8(event).unwrap();
            let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
            let chunk: Value = serde_json::from_str(data).unwrap();
            text += chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
            if !chunk["usage"].is_null() {
                used = chunk["usage"].clone();
            }
            if !chunk["choices"][0]["finish_reason"].is_null() {
                finish = chunk["choices"][0]["finish_reason"].clone();
            }
        }
        assert_eq!(EVENTS.len(), CHUNKS + 1);
        assert_eq!(whole["choices"][0]["message"]["content"], text.as_str());
        assert_eq!((&whole["usage"], &whole["choices"][0]["finish_reason"]), (&used, &finish));
    }
}
