//! The answers' JSON.
//! Source: <https://platform.openai.com/docs/api-reference> and the models of the
//! `openai` package, which this follows field by field.

use crate::call::{Accepted, Summary};
use ambar_compute::Finish;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// Milliseconds of a second.
const SECOND_MS: u64 = 1_000;

/// The JSON of an answer.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of strings, numbers and lists serialise")
}

/// A JSON answer.
pub fn respond(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Which of the two generating routes is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Text,
}

/// What all objects of one answer begin with.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which route is answered.
    pub shape: Shape,
    id: String,
    created: u64,
    model: String,
}

impl Head {
    /// The head of the answer to an accepted call.
    pub fn new(shape: Shape, accepted: &Accepted) -> Self {
        let prefix = match shape {
            Shape::Chat => "chatcmpl",
            Shape::Text => "cmpl",
        };
        Self {
            shape,
            id: format!("{prefix}-{}", accepted.receipt),
            created: accepted.admitted_ms / SECOND_MS,
            model: accepted.capsule.clone(),
        }
    }

    /// A whole answer.
    pub fn whole(&self, text: &str, summary: &Summary) -> String {
        let finish_reason = Some(reason(summary.finish));
        let choice = match self.shape {
            Shape::Chat => Choice {
                message: Some(Message { role: ASSISTANT, content: text, refusal: () }),
                finish_reason,
                ..Choice::default()
            },
            Shape::Text => Choice { text: Some(text), finish_reason, ..Choice::default() },
        };
        let object = match self.shape {
            Shape::Chat => "chat.completion",
            Shape::Text => "text_completion",
        };
        self.object(object, &[choice], Some(Some(Usage::of(summary))))
    }

    /// The first chunk of a conversation's stream: who speaks.
    pub fn opening(&self, usage: bool) -> String {
        self.chunk(usage, Delta { role: Some(ASSISTANT), content: Some("") }, None)
    }

    /// A chunk of text.
    pub fn piece(&self, usage: bool, text: &str) -> String {
        self.chunk(usage, Delta { role: None, content: Some(text) }, None)
    }

    /// The chunk that says why the answer ended.
    pub fn ending(&self, usage: bool, finish: Finish) -> String {
        self.chunk(usage, Delta::default(), Some(reason(finish)))
    }

    /// The chunk without choices that says what was used.
    pub fn used(&self, summary: &Summary) -> String {
        self.object(self.chunk_object(), &[], Some(Some(Usage::of(summary))))
    }

    /// With `usage` asked for, every chunk but the last has it as `null`.
    fn chunk(&self, usage: bool, delta: Delta<'_>, finish_reason: Option<&'static str>) -> String {
        let choice = match self.shape {
            Shape::Chat => Choice { delta: Some(delta), finish_reason, ..Choice::default() },
            Shape::Text => Choice {
                text: Some(delta.content.unwrap_or_default()),
                finish_reason,
                ..Choice::default()
            },
        };
        self.object(self.chunk_object(), &[choice], usage.then_some(None))
    }

    fn chunk_object(&self) -> &'static str {
        match self.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Text => "text_completion",
        }
    }

    fn object(
        &self,
        object: &'static str,
        choices: &[Choice<'_>],
        usage: Option<Option<Usage>>,
    ) -> String {
        let (id, model) = (self.id.as_str(), self.model.as_str());
        json(&Object { id, object, created: self.created, model, choices, usage })
    }
}

const ASSISTANT: &str = "assistant";

/// The dialect has no word for an answer that its caller cut off: `length` is the nearest.
fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length | Finish::Cancelled => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

/// A choice of any kind of answer. There is always one, so its index is 0; the unit is
/// JSON's `null`.
#[derive(Default, Serialize)]
struct Choice<'a> {
    index: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: (),
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

impl Usage {
    fn of(summary: &Summary) -> Self {
        Self {
            prompt_tokens: summary.tokens_in,
            completion_tokens: summary.tokens_out,
            total_tokens: summary.tokens_in.saturating_add(summary.tokens_out),
        }
    }
}
