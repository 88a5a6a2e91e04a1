//! The answer as one object, and the transcript that it was made of.

use super::super::wire::{Head, reason};
use super::item::{Item, Kind, REASONING};
use super::request::Echo;
use crate::call::{Piece, Summary};
use crate::transcript::Transcript;
use ambar_compute::Finish;
use serde_json::{Map, Value, json};

/// Members of a message's item that are its own.
const ITEM_MEMBERS: [&str; 6] = ["content", "id", "phase", "role", "status", "type"];

/// An answer that is under way.
pub fn begun(head: &Head, echo: &Echo) -> Map<String, Value> {
    let mut object = echo.clone();
    for (name, value) in [
        ("id", Value::from(head.id.as_str())),
        ("object", "response".into()),
        ("created_at", head.created.into()),
        ("model", head.model.as_str().into()),
        ("status", "in_progress".into()),
        ("output", json!([])),
        ("error", Value::Null),
        ("incomplete_details", Value::Null),
        ("usage", Value::Null),
    ] {
        object.insert(name.to_owned(), value);
    }
    object
}

/// An answer that is over.
pub fn ended(head: &Head, echo: &Echo, output: Vec<Value>, end: (&Summary, &str)) -> Value {
    let mut object = begun(head, echo);
    let (summary, reason) = end;
    let incomplete = match reason {
        "length" => Some("max_output_tokens"),
        "content_filter" => Some("content_filter"),
        _ => None,
    };
    let status = if incomplete.is_some() { "incomplete" } else { "completed" };
    let incomplete = incomplete.map(|reason| json!({ "reason": reason }));
    for (name, value) in [
        ("status", Value::from(status)),
        ("incomplete_details", incomplete.into()),
        ("output", output.into()),
        ("usage", used(summary)),
    ] {
        object.insert(name.to_owned(), value);
    }
    object.into()
}

/// Why the first choice ended.
pub fn reason_of(said: Option<&str>, finish: Finish) -> String {
    said.unwrap_or_else(|| reason(finish)).to_owned()
}

fn used(summary: &Summary) -> Value {
    let Summary { tokens_in, tokens_cached, tokens_out, .. } = summary;
    // This route's clients want a number.
    let cached = tokens_cached.unwrap_or_default();
    json!({
        "input_tokens": tokens_in, "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": tokens_out, "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens_in.saturating_add(*tokens_out),
    })
}

/// The transcript that an answer's object was made of; nothing if it is none.
#[must_use]
pub fn transcript_of(object: &Value) -> Option<Transcript> {
    let (mut text, mut rest, mut calls) = (String::new(), Map::new(), Vec::new());
    for item in object["output"].as_array()? {
        match item["type"].as_str()? {
            "reasoning" => {
                let thought = item["content"][0]["text"].as_str()?;
                rest.insert(REASONING.to_owned(), thought.into());
            }
            "message" => {
                for part in item["content"].as_array()? {
                    match part["type"].as_str()? {
                        "output_text" => text.push_str(part["text"].as_str()?),
                        "refusal" => drop(rest.insert("refusal".into(), part["refusal"].clone())),
                        _ => return None,
                    }
                }
                let members = item.as_object()?.iter();
                let others = members.filter(|(name, _)| !ITEM_MEMBERS.contains(&name.as_str()));
                rest.extend(others.map(|(name, value)| (name.clone(), value.clone())));
            }
            "function_call" => {
                let function = json!({"name": item["name"], "arguments": item["arguments"]});
                calls
                    .push(json!({"id": item["call_id"], "type": "function", "function": function}));
            }
            _ => return None,
        }
    }
    if !calls.is_empty() {
        rest.insert("tool_calls".into(), calls.into());
    }
    let mut transcript = Transcript::default();
    transcript.add(&Piece { rest, ..Piece::text(0, text) });
    Some(transcript)
}

/// Which item an item is by where it stands: nothing else tells two messages apart.
pub fn place(items: &[Item], kind: &Kind) -> Option<usize> {
    items.iter().position(|item| item.kind == *kind)
}
