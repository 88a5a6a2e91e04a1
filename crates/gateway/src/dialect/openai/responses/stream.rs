//! The streams of `/v1/responses`: typed events, numbered.
//!
//! Items end together at the end: engines may go on with one after another has begun.
//!
//! **Invariant**: the events put together are the object in the last one.

use super::super::refusal;
use super::super::stream::Form;
use super::super::wire::{self, Head};
use super::item::{Item, Kind, REASONING};
use super::object::{begun, ended, place, reason_of};
use super::request::Echo;
use crate::call::{CallError, Piece, Summary};
use crate::transcript::Transcript;
use serde_json::{Map, Value, json};

/// An answer that comes as events, and that puts its object together meanwhile.
pub struct Events {
    head: Head,
    echo: Echo,
    receipt: String,
    items: Vec<Item>,
    next: u64,
    reason: Option<String>,
}

impl Events {
    /// An answer that begins.
    pub fn new(head: Head, echo: Echo, receipt: String) -> Self {
        Self { head, echo, receipt, items: Vec::new(), next: 0, reason: None }
    }

    /// The object of a whole answer.
    pub fn whole(mut self, transcript: Transcript, summary: &Summary) -> String {
        let mut unread = String::new();
        transcript.into_pieces().iter().for_each(|piece| self.piece(&mut unread, piece));
        self.end(&mut unread, summary);
        wire::json(&self.object(summary))
    }

    fn object(&self, summary: &Summary) -> Value {
        let output = self.items.iter().map(|item| item.json("completed")).collect();
        let reason = reason_of(self.reason.as_deref(), summary.finish);
        ended(&self.head, &self.echo, output, (summary, &reason))
    }

    fn event(&mut self, out: &mut String, kind: &str, members: Value) {
        let mut event = Map::new();
        event.insert("type".into(), kind.into());
        event.insert("sequence_number".into(), self.next.into());
        self.next += 1;
        if let Value::Object(members) = members {
            event.extend(members);
        }
        for part in ["event: ", kind, "\ndata: ", &wire::json(&event), "\n\n"] {
            out.push_str(part);
        }
    }

    /// The place of an item, which begins if it has not.
    fn at(&mut self, out: &mut String, kind: &Kind) -> usize {
        if let Some(place) = place(&self.items, kind) {
            return place;
        }
        let item = Item::new(kind.clone(), &self.receipt);
        self.add(out, item)
    }

    fn add(&mut self, out: &mut String, item: Item) -> usize {
        let place = self.items.len();
        let mut begun = item.json("in_progress");
        if item.kind == Kind::Reasoning {
            begun["content"] = json!([]);
        }
        let reasons = item.kind == Kind::Reasoning;
        let id = item.id.clone();
        self.items.push(item);
        let members = json!({"output_index": place, "item": begun});
        self.event(out, "response.output_item.added", members);
        if reasons {
            let part = json!({"type": "reasoning_text", "text": ""});
            let members =
                json!({"item_id": id, "output_index": place, "content_index": 0, "part": part});
            self.event(out, "response.content_part.added", members);
        }
        place
    }

    fn say(&mut self, out: &mut String, text: &str, logprobs: &[Value]) {
        let at = self.at(out, &Kind::Message);
        let id = self.items[at].id.clone();
        let place = json!({"item_id": id, "output_index": at, "content_index": 0});
        if !std::mem::replace(&mut self.items[at].has_text, true) {
            let part = self.items[at].text_part();
            self.event(out, "response.content_part.added", with(&place, &json!({ "part": part })));
        }
        self.items[at].text.push_str(text);
        self.items[at].logprobs.extend_from_slice(logprobs);
        let members = with(&place, &json!({"delta": text, "logprobs": logprobs}));
        self.event(out, "response.output_text.delta", members);
    }

    fn think(&mut self, out: &mut String, text: &str) {
        let at = self.at(out, &Kind::Reasoning);
        self.items[at].text.push_str(text);
        let id = self.items[at].id.clone();
        let members = json!({"item_id": id, "output_index": at, "content_index": 0, "delta": text});
        self.event(out, "response.reasoning_text.delta", members);
    }

    fn refuse(&mut self, out: &mut String, text: &str) {
        let at = self.at(out, &Kind::Message);
        let place = self.refusal_place(at);
        if self.items[at].refusal.is_none() {
            let part = json!({"type": "refusal", "refusal": ""});
            self.event(out, "response.content_part.added", with(&place, &json!({ "part": part })));
        }
        self.items[at].refusal.get_or_insert_default().push_str(text);
        self.event(out, "response.refusal.delta", with(&place, &json!({ "delta": text })));
    }

    fn refusal_place(&self, at: usize) -> Value {
        let item = &self.items[at];
        let content = u8::from(item.has_text);
        json!({"item_id": item.id, "output_index": at, "content_index": content})
    }

    /// A piece of a call: the first one names the tool, all have arguments.
    fn call(&mut self, out: &mut String, piece: &Value) {
        let calls = self.items.iter().filter(|item| matches!(item.kind, Kind::Call(_))).count();
        let kind = Kind::Call(piece["index"].as_u64().unwrap_or(calls as u64));
        let function = &piece["function"];
        let at = place(&self.items, &kind).unwrap_or_else(|| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (call_id, name) = (text(&piece["id"]), text(&function["name"]));
            let item = Item { call_id, name, ..Item::new(kind, &self.receipt) };
            self.add(out, item)
        });
        let Some(arguments) = function["arguments"].as_str().filter(|text| !text.is_empty()) else {
            return;
        };
        self.items[at].text.push_str(arguments);
        let id = self.items[at].id.clone();
        let members = json!({"item_id": id, "output_index": at, "delta": arguments});
        self.event(out, "response.function_call_arguments.delta", members);
    }

    fn finish_item(&mut self, out: &mut String, at: usize) {
        let item = self.items[at].clone();
        let place = json!({"item_id": item.id, "output_index": at, "content_index": 0});
        match item.kind {
            Kind::Reasoning => {
                let text = json!({ "text": item.text });
                self.event(out, "response.reasoning_text.done", with(&place, &text));
                let part = json!({"part": {"type": "reasoning_text", "text": item.text}});
                self.event(out, "response.content_part.done", with(&place, &part));
            }
            Kind::Message => self.finish_message(out, at, &item),
            Kind::Call(_) => {
                let members = json!({"item_id": item.id, "output_index": at, "name": item.name,
                    "arguments": item.text});
                self.event(out, "response.function_call_arguments.done", members);
            }
        }
        let members = json!({"output_index": at, "item": item.json("completed")});
        self.event(out, "response.output_item.done", members);
    }

    fn finish_message(&mut self, out: &mut String, at: usize, item: &Item) {
        if item.has_text {
            let place = json!({"item_id": item.id, "output_index": at, "content_index": 0});
            let text = json!({"text": item.text, "logprobs": item.logprobs});
            self.event(out, "response.output_text.done", with(&place, &text));
            let part = json!({ "part": item.text_part() });
            self.event(out, "response.content_part.done", with(&place, &part));
        }
        if let Some(refusal) = &item.refusal {
            let place = self.refusal_place(at);
            let text = json!({ "refusal": refusal });
            self.event(out, "response.refusal.done", with(&place, &text));
            let part = json!({"part": {"type": "refusal", "refusal": refusal}});
            self.event(out, "response.content_part.done", with(&place, &part));
        }
    }
}

fn with(place: &Value, more: &Value) -> Value {
    let mut members = place.as_object().cloned().unwrap_or_default();
    members.extend(more.as_object().cloned().unwrap_or_default());
    members.into()
}

impl Form for Events {
    fn begin(&mut self, out: &mut String) {
        for kind in ["response.created", "response.in_progress"] {
            let response = begun(&self.head, &self.echo);
            self.event(out, kind, json!({ "response": response }));
        }
    }

    fn text(&mut self, out: &mut String, text: &str) {
        self.say(out, text, &[]);
    }

    fn piece(&mut self, out: &mut String, piece: &Piece) {
        // In the order in which a model comes to them: a whole answer is one piece.
        if let Some(thought) = piece.rest.get(REASONING).and_then(Value::as_str)
            && !thought.is_empty()
        {
            self.think(out, thought);
        }
        if !piece.text.is_empty() {
            let logprobs = piece.logprobs.as_ref().and_then(|all| all["content"].as_array());
            self.say(out, &piece.text, logprobs.map_or(&[], Vec::as_slice));
        }
        for (name, value) in &piece.rest {
            match (name.as_str(), value) {
                (REASONING, Value::String(_)) => {}
                ("refusal", Value::String(text)) if !text.is_empty() => self.refuse(out, text),
                ("tool_calls", Value::Array(calls)) => {
                    calls.iter().for_each(|call| self.call(out, call));
                }
                (_, Value::Null) => {}
                (_, Value::String(text)) if text.is_empty() => {}
                _ => {
                    let at = self.at(out, &Kind::Message);
                    let more = Map::from_iter([(name.clone(), value.clone())]);
                    crate::transcript::merge(&mut self.items[at].rest, &more);
                }
            }
        }
        if piece.finish_reason.is_some() {
            self.reason.clone_from(&piece.finish_reason);
        }
    }

    fn end(&mut self, out: &mut String, summary: &Summary) {
        if self.items.is_empty() {
            self.say(out, "", &[]);
        }
        for at in 0..self.items.len() {
            self.finish_item(out, at);
        }
        let object = self.object(summary);
        let kind = if object["status"] == "completed" {
            "response.completed"
        } else {
            "response.incomplete"
        };
        self.event(out, kind, json!({ "response": object }));
    }

    fn fail(&mut self, out: &mut String, error: &CallError) {
        let mut members: Value = serde_json::from_str(&refusal::body(error)).unwrap_or_default();
        for name in ["code", "message", "param"] {
            members[name] = members["error"][name].clone();
        }
        self.event(out, "error", members);
    }
}
