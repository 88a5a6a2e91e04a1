//! What arrived: the output of an answer as its receipt hashes it, and what the answer says of
//! its receipt.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

/// How a stream names its receipt, in a comment line.
const RECEIPT_COMMENT: &str = ": ambar-receipt ";
/// How it names its price.
const PRICE_COMMENT: &str = ": ambar-price ";
/// Longest line of a stream that is looked at, bytes.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest output that is kept to be checked, bytes.
const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The output in a whole answer; nothing if the answer has not the dialect's shape.
pub fn output_of(body: &[u8]) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if let Some(data) = body["data"].as_array() {
        let vectors = data.iter().map(|datum| vector(&datum["embedding"]));
        return Some(vectors.collect::<Option<Vec<_>>>()?.concat());
    }
    piece(&body["choices"][0], "message").map(|text| text.as_bytes().to_vec())
}

/// The text in a choice of either generating route.
fn piece<'a>(choice: &'a Value, whole: &str) -> Option<&'a str> {
    choice[whole]["content"].as_str().or_else(|| choice["text"].as_str())
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
    /// The text.
    pub output: Vec<u8>,
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
        match serde_json::from_str::<Value>(data) {
            Ok(event) if event.get("error").is_some() => self.ended = true,
            Ok(event) if self.output.len() < OUTPUT_BYTES_MAX => {
                let text = piece(&event["choices"][0], "delta").unwrap_or_default();
                self.output.extend_from_slice(text.as_bytes());
            }
            _ => {}
        }
    }

    /// The output, if the stream says that it is over.
    pub fn output(&self) -> Option<&[u8]> {
        self.ended.then_some(&self.output)
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
            assert_eq!(heard.output(), Some("Zoë".as_bytes()), "{cut}");
            assert_eq!(heard.receipt.as_deref(), Some("3-17"));
            assert_eq!(heard.price.as_deref(), Some("0.5"));
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_has_no_output() {
        let mut heard = Heard::default();
        heard.take(&STREAM.as_bytes()[..60]);
        assert_eq!((heard.output(), heard.ended), (None, false));
        let mut failed = Heard::default();
        failed.take(b"data: {\"choices\":[{\"text\":\"a\"}]}\n: ambar-receipt 3-1\n\ndata: {\"error\":{}}\n");
        assert_eq!((failed.output(), failed.receipt.as_deref()), (Some(&b"a"[..]), Some("3-1")));
    }
}
