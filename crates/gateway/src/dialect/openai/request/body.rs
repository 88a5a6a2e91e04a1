//! From bytes to the fields of one JSON object.
//!
//! A body says one thing: a member that stands twice in it is refused, because two readers
//! could take two different ones for the truth.

use super::super::BODY_DEPTH_MAX;
use super::fields::Fields;
use crate::call::CallError;
use ambar_base::ErrorCode;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The fields of a body.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`], with the position, unless it is one JSON object in UTF-8,
/// at most [`BODY_DEPTH_MAX`] levels deep, without repeated members at its top.
pub fn parse(bytes: &[u8]) -> Result<Fields, CallError> {
    let refuse = |message| CallError::new(ErrorCode::RequestInvalid, message);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| refuse(format!("the body is not UTF-8: {error}")))?;
    if let Some(offset) = too_deep(bytes) {
        let message = format!("the body nests deeper than {BODY_DEPTH_MAX} levels at {offset}");
        return Err(refuse(message));
    }
    let members: Members = serde_json::from_str(text)
        .map_err(|error| refuse(format!("the body is not the JSON expected: {error}")))?;
    Ok(Fields::top(members.0))
}

/// The offset of the first bracket that opens one level too many, found before any value
/// is built. It need not understand the JSON: whatever is wrong besides is found later.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    bytes.iter().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => (),
        }
        depth > BODY_DEPTH_MAX
    })
}

struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("`{name}` is there twice")));
            }
            members.insert(name, value);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expect: Option<&str>) {
        let error = parse(body).err();
        let message = error.as_ref().map(|error| error.message.as_str());
        assert_eq!(message, expect, "{}", String::from_utf8_lossy(body));
        assert!(error.is_none_or(|error| error.code == ErrorCode::RequestInvalid));
    }

    #[test]
    fn bodies() {
        let bad = |body: &str, why: &str| {
            check(body.as_bytes(), Some(&format!("the body is not the JSON expected: {why}")));
        };
        check(br#"{"a":{"b":[1]}}"#, None);
        bad("", "EOF while parsing a value at line 1 column 0");
        bad("[]", "invalid type: sequence, expected an object at line 1 column 0");
        bad("{\"a\":1,\n}", "trailing comma at line 2 column 1");
        bad(r#"{"a":1,"a":2}"#, "`a` is there twice at line 1 column 13");
        bad("{} {}", "trailing characters at line 1 column 4");
        let why = "the body is not UTF-8: invalid utf-8 sequence of 1 bytes from index 2";
        check(b"{\"\xff\":1}", Some(why));
    }

    #[test]
    fn depth() {
        let nested = |depth: usize| {
            format!("{}1{}", r#"{"a":"#.to_owned() + &"[".repeat(depth - 1), "]".repeat(depth - 1))
                + "}"
        };
        check(nested(BODY_DEPTH_MAX).as_bytes(), None);
        let why = "the body nests deeper than 64 levels at 68";
        check(nested(BODY_DEPTH_MAX + 1).as_bytes(), Some(why));
        let quoted = format!(r#"{{"a":"\"{}"}}"#, "[".repeat(1_000));
        check(quoted.as_bytes(), None);
    }
}
