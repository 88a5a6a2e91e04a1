//! What a job and its answer say beyond plain text: messages with images or tool calls, fields
//! that only some engines know, and the pieces of an answer that are no text of one choice.
//!
//! All of it is JSON as the caller or the engine wrote it. It deliberately does not know what
//! the fields mean: a dialect puts them in, an engine carries them or refuses them by name.
//!
//! **Invariant**: [`Extras::fields`] change the answer and are never dropped silently;
//! [`Extras::hints`] do not change it and may be.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Failure;
use crate::limits::{
    EXTRAS_BYTES_MAX, PART_TOKENS_MAX, PROMPT_MESSAGES_MAX, UPSTREAM_TEMPLATE_TOKENS_MAX,
    UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX,
};

/// What a job says beyond text and sampling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extras {
    /// The conversation as it was written, if its messages hold more than text. It then stands
    /// for the job's prompt, which has the texts only.
    pub messages: Option<Vec<Value>>,
    /// Fields that change the answer, under their names in the `OpenAI` dialect.
    pub fields: Map<String, Value>,
    /// Fields that do not change the answer: who asks, what to file it under.
    pub hints: Map<String, Value>,
}

impl Extras {
    /// Whether there is nothing that changes the answer.
    pub fn is_empty(&self) -> bool {
        self.messages.is_none() && self.fields.is_empty()
    }

    /// The first thing here that changes the answer, by its path in the dialect.
    pub fn first(&self) -> Option<String> {
        let field = self.fields.keys().next().cloned();
        field.or_else(|| self.messages.as_deref().map(beyond_text))
    }

    /// Length of the messages and of all that changes the answer, in bytes of JSON.
    pub fn bytes(&self) -> usize {
        self.messages.as_ref().map_or(0, json_bytes)
            + if self.fields.is_empty() { 0 } else { json_bytes(&self.fields) }
    }

    /// Most prompt tokens that all of it can become. A token is at least one byte of what is
    /// written; what is behind a URL, or packed, may become more than its bytes: each part of a
    /// message that is no text counts [`PART_TOKENS_MAX`] besides.
    pub fn tokens_max(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let messages = self.messages.iter().flatten();
        let parts =
            messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
        let parts = parts.filter(|part| part["type"] != "text").count() as u64;
        let messages = self.messages.as_ref().map_or(0, Vec::len) as u64;
        (self.bytes() as u64)
            .saturating_add(parts * PART_TOKENS_MAX)
            .saturating_add(messages * UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX)
            .saturating_add(UPSTREAM_TEMPLATE_TOKENS_MAX)
    }

    /// Checks the limits that hold for every engine.
    ///
    /// # Errors
    /// [`Failure::InvalidJob`].
    pub fn validate(&self) -> Result<(), Failure> {
        let messages = self.messages.as_ref().map_or(0, Vec::len);
        if self.messages.is_some() && messages == 0 {
            return Err(Failure::invalid("the prompt is empty"));
        }
        if messages > PROMPT_MESSAGES_MAX {
            return Err(Failure::invalid(format!(
                "{messages} messages, at most {PROMPT_MESSAGES_MAX}"
            )));
        }
        let bytes = self.bytes();
        if bytes > EXTRAS_BYTES_MAX {
            return Err(Failure::invalid(format!(
                "messages and fields have {bytes} bytes, at most {EXTRAS_BYTES_MAX}"
            )));
        }
        Ok(())
    }
}

/// Where messages first hold more than text.
fn beyond_text(messages: &[Value]) -> String {
    let places = messages.iter().enumerate();
    let mut found = places.filter_map(|(index, message)| {
        let members = message.as_object()?;
        let content = members.get("content").and_then(Value::as_array);
        let part = content.and_then(|parts| parts.iter().position(|part| part["type"] != "text"));
        if let Some(part) = part {
            return Some(format!("messages[{index}].content[{part}]"));
        }
        let plain = |name: &str| matches!(name, "content" | "role" | "tool_call_id");
        let other = members.iter().find(|(name, value)| !plain(name) && !value.is_null());
        other.map(|(name, _)| format!("messages[{index}].{name}"))
    });
    found.next().unwrap_or_else(|| "messages".to_owned())
}

/// Length of a value as compact JSON.
pub(crate) fn json_bytes(value: &impl Serialize) -> usize {
    struct Counter(usize);
    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        // Nothing that is JSON fails here; what fails is over every limit.
        Err(_) => usize::MAX / 4,
    }
}

/// A piece of an answer that is more than text of the first choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Which choice it belongs to, from 0.
    pub choice: u32,
    /// Its text; may be empty.
    pub text: String,
    /// What else its delta says: `tool_calls`, `refusal`, `reasoning_content`…
    pub rest: Map<String, Value>,
    /// Log probabilities of its tokens, in the dialect's form.
    pub logprobs: Option<Value>,
    /// Why the choice ended, in the dialect's words, once it has.
    pub finish_reason: Option<String>,
}

impl Piece {
    /// Text of a choice.
    pub fn text(choice: u32, text: impl Into<String>) -> Self {
        Self { choice, text: text.into(), ..Self::default() }
    }

    /// Whether nothing is delivered by it.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.rest.is_empty() && self.logprobs.is_none()
    }

    /// What it delivers, in bytes: text, and the rest as JSON.
    pub fn bytes(&self) -> u64 {
        let rest = if self.rest.is_empty() { 0 } else { json_bytes(&self.rest) };
        (self.text.len() + rest) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn extras(messages: &Value, fields: &Value) -> Extras {
        let messages = messages.as_array().cloned();
        let fields = fields.as_object().cloned().unwrap_or_default();
        Extras { messages, fields, hints: Map::new() }
    }

    #[test]
    fn what_is_beyond_text_is_named() {
        let check = |messages: Value, fields: Value, expect: Option<&str>| {
            let first = extras(&messages, &fields).first();
            assert_eq!(first.as_deref(), expect, "{messages}");
        };
        let text = json!({"type": "text", "text": "see"});
        let image = json!({"type": "image_url", "image_url": {"url": "https://a/b.png"}});
        check(Value::Null, Value::Null, None);
        check(Value::Null, json!({"tools": [], "logit_bias": {}}), Some("logit_bias"));
        let message = json!([{"role": "user", "content": [text, image]}]);
        check(message, Value::Null, Some("messages[0].content[1]"));
        let called = json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]},
        ]);
        check(called, Value::Null, Some("messages[1].tool_calls"));
    }

    #[test]
    fn bytes_are_those_of_the_json() {
        assert_eq!(Extras::default().bytes(), 0);
        let written = extras(&json!([{"a": "é\n"}]), &json!({"b": 1}));
        assert_eq!(written.bytes(), r#"[{"a":"é\n"}]{"b":1}"#.len());
    }

    #[test]
    fn everything_that_may_become_prompt_is_bounded() {
        assert_eq!(Extras::default().tokens_max(), 0);
        let tools = extras(&Value::Null, &json!({"tools": [{"type": "function"}]}));
        let template = UPSTREAM_TEMPLATE_TOKENS_MAX;
        assert_eq!(tools.tokens_max(), tools.bytes() as u64 + template);
        let image = json!({"type": "image_url", "image_url": {"url": "https://a/b.png"}});
        let seen = extras(&json!([{"role": "user", "content": [image]}]), &Value::Null);
        let more = template + UPSTREAM_TEMPLATE_TOKENS_PER_MESSAGE_MAX + PART_TOKENS_MAX;
        assert_eq!(seen.tokens_max(), seen.bytes() as u64 + more);
    }

    #[test]
    fn extras_are_checked() {
        let valid = |messages: &Value| extras(messages, &Value::Null).validate().is_ok();
        assert!(!valid(&json!([])));
        assert!(valid(&json!([{}])));
        assert!(!valid(&json!(vec![json!({}); PROMPT_MESSAGES_MAX + 1])));
        assert!(!valid(&json!([{"content": "x".repeat(EXTRAS_BYTES_MAX)}])));
    }
}
