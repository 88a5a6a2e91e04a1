//! What arrived: the output of an answer as its receipt hashes it, and what the answer says of
//! its receipt.

use ambar_gateway::dialect::openai::{piece_of, transcript_of};
use ambar_gateway::transcript::Transcript;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

/// How a stream names its receipt, in a comment line.
const RECEIPT_COMMENT: &str = ": ambar-receipt ";
/// How it names its price.
const PRICE_COMMENT: &str = ": ambar-price ";
/// Longest line of a stream that is looked at, bytes.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest stream whose output is kept to be checked, bytes.
const OUTPUT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The events that end an answer of typed events.
const ENDS: [&str; 2] = ["response.completed", "response.incomplete"];

/// The output in a whole answer; nothing if the answer has not the dialect's shape.
pub fn output_of(body: &[u8]) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if let Some(data) = body["data"].as_array() {
        let vectors = data.iter().map(|datum| vector(&datum["embedding"]));
        return Some(vectors.collect::<Option<Vec<_>>>()?.concat());
    }
    transcript_of(&body).map(|transcript| transcript.output())
}

/// A vector as little-endian 32-bit floats.
fn vector(embedding: &Value) -> Option<Vec<u8>> {
    if let Some(text) = embedding.as_str() {
        return BASE64_STANDARD.decode(text).ok();
    }
    let number = |value: &Value| value.to_string().parse::<f32>().ok().map(f32::to_le_bytes);
    let numbers = embedding.as_array()?.iter().map(number).collect::<Option<Vec<_>>>()?;
    Some(numbers.concat())
}

/// What a stream has said so far.
#[derive(Debug, Default)]
pub struct Heard {
    line: Vec<u8>,
    /// What the answer says, and how many bytes of events that took.
    transcript: Transcript,
    bytes: usize,
    /// Whether it comes as typed events, of which the last one has all of it.
    typed: bool,
    whole: bool,
    /// The receipt's id.
    pub receipt: Option<String>,
    /// Whether the stream says that it is over.
    pub ended: bool,
    /// What the call cost, as the stream says.
    pub price: Option<String>,
}

impl Heard {
    /// Takes bytes as they come.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.hear(&String::from_utf8_lossy(&line));
        }
        // What is not heard is missing in the output, which then opens no receipt.
        self.line.truncate(LINE_BYTES_MAX);
    }

    fn hear(&mut self, line: &str) {
        let line = line.trim_end();
        if let Some(receipt) = line.strip_prefix(RECEIPT_COMMENT) {
            self.receipt = Some(receipt.trim().to_owned());
        }
        if let Some(price) = line.strip_prefix(PRICE_COMMENT) {
            self.price = Some(price.trim().to_owned());
        }
        let Some(data) = line.strip_prefix("data:").map(str::trim_start) else { return };
        if data == "[DONE]" {
            self.ended = true;
            return;
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else { return };
        self.bytes += data.len();
        if event.get("error").is_some_and(|error| !error.is_null()) {
            self.ended = true;
        } else if event.get("sequence_number").is_some() {
            self.typed = true;
            if let Some(transcript) = ENDS
                .contains(&event["type"].as_str().unwrap_or_default())
                .then(|| transcript_of(&event["response"]))
                .flatten()
            {
                (self.transcript, self.whole) = (transcript, true);
            }
        } else if self.bytes < OUTPUT_BYTES_MAX {
            let choices = event["choices"].as_array().into_iter().flatten();
            choices.filter_map(piece_of).for_each(|piece| self.transcript.add(&piece));
        }
    }

    /// The output, if the stream says that it is over. Of typed events only the last tells it:
    /// of an answer that broke off there is none to check.
    pub fn output(&self) -> Option<Vec<u8>> {
        let known = self.ended && (self.whole || !self.typed);
        known.then(|| self.transcript.output())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_answers() {
        let check = |body: Value, expect: Option<&[u8]>| {
            assert_eq!(output_of(body.to_string().as_bytes()).as_deref(), expect, "{body}");
        };
        check(json!({"choices": [{"message": {"content": "Zoë"}}]}), Some("Zoë".as_bytes()));
        check(json!({"choices": [{"text": "on"}]}), Some(b"on"));
        let bytes = [0.1_f32.to_le_bytes(), (-3.5_f32).to_le_bytes()].concat();
        check(json!({"data": [{"embedding": [0.1_f32, -3.5_f32]}]}), Some(&bytes));
        let packed = BASE64_STANDARD.encode(&bytes);
        check(json!({"data": [{"embedding": packed}]}), Some(&bytes));
        check(json!({"choices": []}), None);
        assert_eq!(output_of(b"<html>"), None);
    }

    #[test]
    fn every_32_bit_float_survives_json() {
        for bits in (0..u32::MAX).step_by(9_973_001) {
            let number = f32::from_bits(bits);
            if number.is_finite() {
                let body = json!({"data": [{"embedding": [number]}]}).to_string();
                assert_eq!(output_of(body.as_bytes()).unwrap(), number.to_le_bytes());
            }
        }
    }

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Zo\"}}]}\n\n\
        data: {\"choices\":[{\"text\":\"ë\"}]}\r\n\n: keep-alive\n\n\
        data: {\"choices\":[],\"usage\":{}}\n\n: ambar-price 0.5\n: ambar-receipt 3-17\n\ndata: [DONE]\n\n";

    #[test]
    fn streams_may_break_anywhere() {
        for cut in 0..STREAM.len() {
            let (one, two) = STREAM.as_bytes().split_at(cut);
            let mut heard = Heard::default();
            heard.take(one);
            heard.take(two);
            assert_eq!(heard.output().as_deref(), Some("Zoë".as_bytes()), "{cut}");
            assert_eq!(heard.receipt.as_deref(), Some("3-17"));
            assert_eq!(heard.price.as_deref(), Some("0.5"));
        }
    }

    #[test]
    fn tool_calls_are_read_alike_whole_and_in_pieces() {
        let call = |index: Option<u64>, arguments: &str| {
            let mut call = json!({"id": "1", "type": "function",
                "function": {"name": "f", "arguments": arguments}});
            index.into_iter().for_each(|index| call["index"] = index.into());
            json!([call])
        };
        let message = json!({"role": "assistant", "content": null, "refusal": null,
            "tool_calls": call(None, "{\"a\":1}")});
        let whole = json!({"choices": [{"index": 0, "message": message}]}).to_string();
        let output = output_of(whole.as_bytes()).unwrap();
        let mut heard = Heard::default();
        for arguments in ["{\"a\"", ":1}"] {
            let delta = json!({"tool_calls": call(Some(0), arguments)});
            let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
            heard.take(format!("data: {chunk}\n\n").as_bytes());
        }
        heard.take(b"data: [DONE]\n\n");
        assert_eq!(heard.output(), Some(output.clone()));
        let item = json!({"type": "function_call", "call_id": "1", "name": "f",
            "arguments": "{\"a\":1}", "id": "fc_1", "status": "completed"});
        let response = json!({"object": "response", "output": [item]});
        assert_eq!(output_of(response.to_string().as_bytes()), Some(output.clone()));
        let last = json!({"type": "response.completed", "sequence_number": 9,
            "response": response});
        let mut typed = Heard::default();
        typed.take(format!("event: response.completed\ndata: {last}\n\ndata: [DONE]\n").as_bytes());
        assert_eq!(typed.output(), Some(output));
    }

    #[test]
    fn a_stream_that_is_cut_off_has_no_output() {
        let mut heard = Heard::default();
        heard.take(&STREAM.as_bytes()[..60]);
        assert_eq!((heard.output(), heard.ended), (None, false));
        let mut failed = Heard::default();
        failed.take(b"data: {\"choices\":[{\"text\":\"a\"}]}\n: ambar-receipt 3-1\n\ndata: {\"error\":{}}\n");
        assert_eq!(failed.output().as_deref(), Some(&b"a"[..]));
        assert_eq!(failed.receipt.as_deref(), Some("3-1"));
    }
}
