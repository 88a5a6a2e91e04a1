//! The items of an answer: what the model thought, what it said, and the tools that it calls.

use serde_json::{Map, Value, json};

/// Under this name servers say what a model thought.
pub const REASONING: &str = "reasoning_content";

/// Which item, in the order in which they began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What the model thought.
    Reasoning,
    /// What it said.
    Message,
    /// A tool that it calls: its place among the answer's calls, as the engine counts them.
    Call(u64),
}

/// An item that grows.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Thoughts, text or arguments.
    pub text: String,
    /// Whether the message has a part of text.
    pub has_text: bool,
    /// Why the model does not answer.
    pub refusal: Option<String>,
    /// Log probabilities of the text's tokens.
    pub logprobs: Vec<Value>,
    /// The call's id.
    pub call_id: String,
    /// The tool's name.
    pub name: String,
    /// What else the message says.
    pub rest: Map<String, Value>,
}

impl Item {
    /// An item that begins, of the answer with this receipt.
    pub fn new(kind: Kind, receipt: &str) -> Self {
        let id = match &kind {
            Kind::Reasoning => format!("rs_{receipt}"),
            Kind::Message => format!("msg_{receipt}"),
            Kind::Call(place) => format!("fc_{receipt}_{place}"),
        };
        Self {
            kind,
            id,
            text: String::new(),
            has_text: false,
            refusal: None,
            logprobs: Vec::new(),
            call_id: String::new(),
            name: String::new(),
            rest: Map::new(),
        }
    }

    /// The part of text of a message.
    pub fn text_part(&self) -> Value {
        json!({"type": "output_text", "text": self.text, "annotations": [],
            "logprobs": self.logprobs})
    }

    /// The item as it is, `in_progress` or `completed`.
    pub fn json(&self, status: &str) -> Value {
        match self.kind {
            Kind::Reasoning => json!({
                "id": self.id, "type": "reasoning", "status": status, "summary": [],
                "content": [{"type": "reasoning_text", "text": self.text}],
            }),
            Kind::Call(_) => json!({
                "id": self.id, "type": "function_call", "status": status,
                "call_id": self.call_id, "name": self.name, "arguments": self.text,
            }),
            Kind::Message => {
                let mut content = Vec::new();
                content.extend(self.has_text.then(|| self.text_part()));
                let refusal = self.refusal.as_ref();
                content.extend(refusal.map(|text| json!({"type": "refusal", "refusal": text})));
                let mut item = self.rest.clone();
                for (name, value) in [
                    ("id", Value::from(self.id.as_str())),
                    ("type", "message".into()),
                    ("status", status.into()),
                    ("role", "assistant".into()),
                    ("content", content.into()),
                ] {
                    item.insert(name.to_owned(), value);
                }
                item.into()
            }
        }
    }
}
