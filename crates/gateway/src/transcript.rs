//! What a call brought forth: the choices of its answer, put together from pieces, and the one
//! form in which all of it is hashed.
//!
//! It deliberately does not know dialects: gateway, kept answers, replays and whoever verifies
//! an answer against its receipt put the pieces that they see into a [`Transcript`].
//!
//! **Invariant**: a transcript, and so its [`output`](Transcript::output), does not depend on
//! how the answer was cut into pieces.

use ambar_compute::{Finish, Piece, Usage};
use ambar_receipt::CallOutcome;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Instant;

use crate::answers::AnswerBody;
use crate::call::CallError;

/// Members of which the first value counts: some servers say them with every piece.
const SAID_ONCE: [&str; 4] = ["id", "name", "role", "type"];
/// What says where a piece of a list belongs, and is no part of the answer.
const INDEX: &str = "index";

/// One choice of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its text.
    pub text: String,
    /// What else it says: `tool_calls`, `refusal`, `reasoning_content`…
    pub rest: Map<String, Value>,
    /// Log probabilities of its tokens, in the dialect's form.
    pub logprobs: Option<Value>,
    /// Why it ended, in the dialect's words.
    pub finish_reason: Option<String>,
}

/// The choices of an answer, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    choices: BTreeMap<u32, Choice>,
}

impl Transcript {
    /// An answer of one text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut transcript = Self::default();
        transcript.say(text);
        transcript
    }

    /// The first choice says more.
    pub fn say(&mut self, text: &str) {
        if !text.is_empty() {
            self.choices.entry(0).or_default().text.push_str(text);
        }
    }

    /// A piece of any choice.
    pub fn add(&mut self, piece: &Piece) {
        let choice = self.choices.entry(piece.choice).or_default();
        choice.text.push_str(&piece.text);
        merge(&mut choice.rest, &piece.rest);
        if let Some(logprobs) = &piece.logprobs {
            let mut known = choice.logprobs.take().unwrap_or_default();
            join(&mut known, logprobs, false);
            choice.logprobs = Some(known);
        }
        if piece.finish_reason.is_some() {
            choice.finish_reason.clone_from(&piece.finish_reason);
        }
    }

    /// Whether it delivers nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.choices.values().all(|choice| choice.text.is_empty() && choice.said().is_empty())
    }

    /// The choices with their numbers, in order.
    pub fn choices(&self) -> impl Iterator<Item = (u32, &Choice)> {
        self.choices.iter().map(|(index, choice)| (*index, choice))
    }

    /// The first choice; an empty one if nothing was said.
    #[must_use]
    pub fn first(&self) -> Choice {
        self.choices.get(&0).cloned().unwrap_or_default()
    }

    /// The texts of all choices, with a line end between each two.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.choices.values().map(|choice| choice.text.as_str()).collect();
        texts.join("\n")
    }

    /// Whether it is the text of the first choice and nothing else.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.choices.iter().all(|(index, choice)| *index == 0 && choice.said().is_empty())
    }

    /// The text, if there is nothing else: neither a choice, a reason nor a probability.
    #[must_use]
    pub fn only_text(&self) -> Option<&str> {
        let only = |choice: &Choice| {
            choice.rest.is_empty() && choice.logprobs.is_none() && choice.finish_reason.is_none()
        };
        match self.choices.first_key_value() {
            None => Some(""),
            Some((0, choice)) if self.choices.len() == 1 && only(choice) => Some(&choice.text),
            Some(_) => None,
        }
    }

    /// The output as a receipt hashes it. One text: its bytes. Anything else: a JSON list of the
    /// choices in order, `{"index", "rest", "text"}`, without spaces, members in the order of
    /// their names' bytes; `rest` has what is neither null nor empty, tool calls merged and
    /// without `index`. Log probabilities and reasons to end are no output.
    #[must_use]
    pub fn output(&self) -> Vec<u8> {
        if self.is_text() {
            return self.text().into_bytes();
        }
        let choice = |(index, choice): (&u32, &Choice)| {
            let mut members = BTreeMap::new();
            members.insert(INDEX, Value::from(*index));
            members.insert("rest", Value::Object(choice.said()));
            members.insert("text", Value::from(choice.text.as_str()));
            members
        };
        let choices: Vec<_> = self.choices.iter().map(choice).collect();
        serde_json::to_vec(&choices).expect("names and JSON values serialise")
    }

    /// The answer again: one piece for each choice.
    #[must_use]
    pub fn into_pieces(self) -> Vec<Piece> {
        let piece = |(choice, said): (u32, Choice)| Piece {
            choice,
            text: said.text,
            rest: said.rest,
            logprobs: said.logprobs,
            finish_reason: said.finish_reason,
        };
        self.choices.into_iter().map(piece).collect()
    }
}

impl Choice {
    /// The rest as it is hashed.
    fn said(&self) -> Map<String, Value> {
        let said = self.rest.iter().filter(|(_, value)| !is_void(value));
        said.map(|(name, value)| (name.clone(), without_index(value))).collect()
    }
}

/// Whether a value says nothing.
fn is_void(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A list in the order of its `index`, and without it.
pub(crate) fn without_index(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let mut items = items.clone();
    items.sort_by_key(|item| item.get(INDEX).and_then(Value::as_u64));
    for item in items.iter_mut().filter_map(Value::as_object_mut) {
        item.remove(INDEX);
    }
    Value::Array(items)
}

/// What an object says after more of it has come.
pub(crate) fn merge(into: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more {
        let known = into.entry(name.as_str()).or_insert(Value::Null);
        join(known, value, SAID_ONCE.contains(&name.as_str()));
    }
}

/// What a member says after more of it has come: texts grow, lists grow by place, objects
/// member by member.
fn join(known: &mut Value, more: &Value, once: bool) {
    match (&mut *known, more) {
        (_, Value::Null) => {}
        (Value::String(known), Value::String(more)) => {
            if !once {
                known.push_str(more);
            } else if known.is_empty() {
                known.clone_from(more);
            }
        }
        (Value::Object(known), Value::Object(more)) => merge(known, more),
        (Value::Array(known), Value::Array(more)) => more.iter().for_each(|item| put(known, item)),
        (_, Value::Array(more)) => {
            let mut list = Vec::new();
            more.iter().for_each(|item| put(&mut list, item));
            *known = Value::Array(list);
        }
        (_, Value::Object(more)) => {
            let mut members = Map::new();
            merge(&mut members, more);
            *known = Value::Object(members);
        }
        _ => known.clone_from(more),
    }
}

/// Puts an item into a list: to the one with its index, or at the end.
fn put(list: &mut Vec<Value>, item: &Value) {
    let index = item.get(INDEX).and_then(Value::as_u64);
    let same =
        |known: &&mut Value| index.is_some() && known.get(INDEX).and_then(Value::as_u64) == index;
    match list.iter_mut().find(same) {
        Some(known) => join(known, item, false),
        None => {
            let mut new = Value::Null;
            join(&mut new, item, false);
            list.push(new);
        }
    }
}

/// What an engine brought forth for a call, and how it ended.
#[derive(Default)]
pub(crate) struct Product {
    pub transcript: Transcript,
    pub vectors: Vec<Vec<f32>>,
    pub usage: Usage,
    pub finish: Option<Finish>,
    pub failure: Option<CallError>,
    /// When the first piece came.
    pub first: Option<Instant>,
}

impl Product {
    /// Nothing, because nobody wanted it any more.
    pub(crate) fn cancelled() -> Self {
        Self { finish: Some(Finish::Cancelled), ..Self::default() }
    }

    /// Nothing, because of this.
    pub(crate) fn failed(error: CallError) -> Self {
        Self { failure: Some(error), ..Self::default() }
    }

    pub(crate) fn delivered(&self) -> bool {
        !self.transcript.is_empty() || !self.vectors.is_empty()
    }

    pub(crate) fn output(&self) -> Vec<u8> {
        if self.vectors.is_empty() {
            return self.transcript.output();
        }
        AnswerBody::float_bytes(&self.vectors).concat()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.finish.is_some_and(Finish::is_whole)
    }

    pub(crate) fn outcome(&self) -> CallOutcome {
        if self.is_whole() { CallOutcome::Full } else { CallOutcome::Partial }
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
