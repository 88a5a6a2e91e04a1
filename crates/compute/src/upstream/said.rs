//! What one choice of an answer says: its text, and all else as it was written.

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// A message, or a piece of one.
#[derive(Debug, Default)]
pub struct Said {
    /// Its text, if it has a content.
    pub content: Option<String>,
    /// Its other members but for who speaks; none is `null`.
    pub rest: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Said, A::Error> {
        let mut said = Said::default();
        while let Some(name) = members.next_key::<Name>()? {
            match name {
                Name::Role => drop(members.next_value::<IgnoredAny>()?),
                Name::Content => said.content = Some(members.next_value::<Content>()?.0),
                Name::Other(name) => match members.next_value()? {
                    Value::Null => drop(said.rest.remove(&name)),
                    value => drop(said.rest.insert(name, value)),
                },
            }
        }
        Ok(said)
    }
}

/// A member's name; those that every message has are not copied.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    Role,
    Content,
    Other(String),
}

/// A content: a string, parts of text, or nothing.
struct Content(String);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a content that is text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
        Ok(Content(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content, A::Error> {
        let mut text = String::new();
        while let Some(part) = parts.next_element::<Value>()? {
            match (part["type"].as_str(), part["text"].as_str()) {
                (Some("text"), Some(more)) => text.push_str(more),
                _ => return Err(A::Error::custom("a part of the answer is no text")),
            }
        }
        Ok(Content(text))
    }
}
