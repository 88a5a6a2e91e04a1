//! An answer of this dialect, read back into the transcript that it was written from: for who
//! stands between a client and a gateway and opens receipts.
//!
//! **Invariant**: what the gateway hashed is what is read here, whole or in chunks.

use super::responses;
use crate::call::Piece;
use crate::transcript::Transcript;
use serde_json::{Map, Value};

/// Members of a choice of `/v1/completions` that are no part of what it says.
const CHOICE_MEMBERS: [&str; 4] = ["finish_reason", "index", "logprobs", "text"];
/// Members of a message that have a place of their own.
const MESSAGE_MEMBERS: [&str; 2] = ["content", "role"];

/// The transcript of a whole answer of any generating route; nothing if it is none.
#[must_use]
pub fn transcript_of(object: &Value) -> Option<Transcript> {
    if object["object"] == "response" {
        return responses::object::transcript_of(object);
    }
    let choices = object["choices"].as_array().filter(|choices| !choices.is_empty())?;
    let mut transcript = Transcript::default();
    choices.iter().map(piece_of).try_for_each(|piece| piece.map(|piece| transcript.add(&piece)))?;
    Some(transcript)
}

/// What a choice says, of a whole answer or of a chunk; nothing if it is none.
#[must_use]
pub fn piece_of(choice: &Value) -> Option<Piece> {
    let members = choice.as_object()?;
    let number = members.get("index").and_then(Value::as_u64).unwrap_or_default();
    let said = members.get("message").or_else(|| members.get("delta")).and_then(Value::as_object);
    let (text, rest) = match said {
        Some(said) => (said.get("content"), others(said, &MESSAGE_MEMBERS)),
        None => (Some(members.get("text")?), others(members, &CHOICE_MEMBERS)),
    };
    let text = text.and_then(Value::as_str).unwrap_or_default();
    let reason = members.get("finish_reason").and_then(Value::as_str);
    Some(Piece {
        rest,
        finish_reason: reason.map(str::to_owned),
        ..Piece::text(u32::try_from(number).ok()?, text)
    })
}

fn others(members: &Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let others =
        members.iter().filter(|(name, value)| !known.contains(&name.as_str()) && !value.is_null());
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}
