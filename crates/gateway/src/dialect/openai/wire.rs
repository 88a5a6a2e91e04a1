//! The answers' JSON.
//! Source: <https://platform.openai.com/docs/api-reference> and the models of the
//! `openai` package, which this follows field by field.

use crate::call::{Accepted, Piece, Summary};
use crate::transcript::{Choice as Said, Transcript, without_index};
use ambar_compute::Finish;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

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

/// Which of the generating routes is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/responses`
    Response,
    /// `/v1/completions`
    Text,
}

/// What all objects of one answer begin with.
#[derive(Clone, Debug)]
pub struct Head {
    /// Which route is answered.
    pub shape: Shape,
    /// The answer's id.
    pub id: String,
    /// When the call was admitted, seconds since 1970.
    pub created: u64,
    /// The called version's id.
    pub model: String,
}

impl Head {
    /// The head of the answer to an accepted call.
    pub fn new(shape: Shape, accepted: &Accepted) -> Self {
        let prefix = match shape {
            Shape::Chat => "chatcmpl-",
            Shape::Response => "resp_",
            Shape::Text => "cmpl-",
        };
        Self {
            shape,
            id: format!("{prefix}{}", accepted.receipt),
            created: accepted.admitted_ms / SECOND_MS,
            model: accepted.capsule.clone(),
        }
    }

    /// A whole answer.
    pub fn whole(&self, transcript: &Transcript, summary: &Summary) -> String {
        let nothing = Said::default();
        let mut choices: Vec<_> =
            transcript.choices().map(|(index, said)| self.choice(index, said, summary)).collect();
        if choices.is_empty() {
            choices.push(self.choice(0, &nothing, summary));
        }
        let object = match self.shape {
            Shape::Text => "text_completion",
            _ => "chat.completion",
        };
        self.object(object, &choices, Some(Some(Usage::of(summary))))
    }

    /// A choice of a whole answer. Where there is no text because something else is said, the
    /// dialect has `null`.
    fn choice<'a>(&self, index: u32, said: &'a Said, summary: &Summary) -> Choice<'a> {
        let finish_reason = said.finish_reason.as_deref();
        let finish_reason = Some(finish_reason.unwrap_or_else(|| reason(summary.finish)));
        let choice =
            Choice { index, logprobs: said.logprobs.as_ref(), finish_reason, ..Choice::default() };
        let content = Some(said.text.as_str());
        if self.shape == Shape::Text {
            return Choice { text: content, rest: Some(&said.rest), ..choice };
        }
        let content = content.filter(|text| !text.is_empty() || said.rest.is_empty());
        let refusal = said.rest.get(REFUSAL);
        let rest = Rest(&said.rest);
        Choice { message: Some(Message { role: ASSISTANT, content, refusal, rest }), ..choice }
    }

    /// The first chunk of a choice of a conversation's stream: who speaks.
    pub fn opening(&self, usage: bool, choice: u32) -> String {
        let delta = Delta { role: Some(ASSISTANT), content: Some(""), rest: None };
        let choice = Choice { index: choice, delta: Some(delta), ..Choice::default() };
        self.chunk(usage, choice)
    }

    /// A chunk of text of the first choice.
    pub fn text(&self, usage: bool, text: &str) -> String {
        let choice = match self.shape {
            Shape::Text => Choice { text: Some(text), ..Choice::default() },
            _ => {
                let delta = Delta { content: Some(text), ..Delta::default() };
                Choice { delta: Some(delta), ..Choice::default() }
            }
        };
        self.chunk(usage, choice)
    }

    /// What stands before and after the text in [`Self::text`]: most chunks of an answer differ
    /// in nothing else.
    pub fn around_text(&self, usage: bool) -> (String, String) {
        let name = match self.shape {
            Shape::Text => "\"text\":",
            _ => "\"content\":",
        };
        let mut before = self.text(usage, "");
        // Inside of strings quotation marks are escaped: this is the member, and no other text.
        let at = before.find(&format!("{name}\"\"")).map_or(before.len(), |at| at + name.len());
        let mut after = before.split_off(at);
        after.drain(..after.len().min(2));
        (before, after)
    }

    /// A chunk of any choice.
    pub fn piece(&self, usage: bool, piece: &Piece) -> String {
        let choice = Choice {
            index: piece.choice,
            logprobs: piece.logprobs.as_ref(),
            finish_reason: piece.finish_reason.as_deref(),
            ..Choice::default()
        };
        let text = piece.text.as_str();
        let rest = (!piece.rest.is_empty()).then_some(&piece.rest);
        let choice = match self.shape {
            Shape::Text => Choice { text: Some(text), rest, ..choice },
            _ => {
                let content = Some(text).filter(|text| !text.is_empty());
                Choice { delta: Some(Delta { role: None, content, rest }), ..choice }
            }
        };
        self.chunk(usage, choice)
    }

    /// The chunk that says why a choice ended.
    pub fn ending(&self, usage: bool, index: u32, finish: Finish) -> String {
        let choice = Choice { index, finish_reason: Some(reason(finish)), ..Choice::default() };
        let choice = match self.shape {
            Shape::Text => Choice { text: Some(""), ..choice },
            _ => Choice { delta: Some(Delta::default()), ..choice },
        };
        self.chunk(usage, choice)
    }

    /// The chunk without choices that says what was used.
    pub fn used(&self, summary: &Summary) -> String {
        self.object(self.chunk_object(), &[], Some(Some(Usage::of(summary))))
    }

    /// With `usage` asked for, every chunk but the last has it as `null`.
    fn chunk(&self, usage: bool, choice: Choice<'_>) -> String {
        self.object(self.chunk_object(), &[choice], usage.then_some(None))
    }

    fn chunk_object(&self) -> &'static str {
        match self.shape {
            Shape::Text => "text_completion",
            _ => "chat.completion.chunk",
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

const REFUSAL: &str = "refusal";

/// The dialect has no word for an answer that its caller cut off: `length` is the nearest.
pub fn reason(finish: Finish) -> &'static str {
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

/// A choice of any kind of answer.
#[derive(Default, Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    logprobs: Option<&'a Value>,
    finish_reason: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    rest: Option<&'a Map<String, Value>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a Value>,
    #[serde(flatten)]
    rest: Rest<'a>,
}

/// What a message says besides. A refusal has a place of its own, because clients expect it;
/// only pieces say where they belong.
struct Rest<'a>(&'a Map<String, Value>);

impl Serialize for Rest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.0.iter().filter(|(name, _)| *name != REFUSAL);
        serializer.collect_map(members.map(|(name, value)| (name, without_index(value))))
    }
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    rest: Option<&'a Map<String, Value>>,
}

/// What an answer used, as two of the routes write it.
#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
}

/// What is said of prompt tokens besides, where an engine knows.
#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
}

impl Usage {
    fn of(summary: &Summary) -> Self {
        Self {
            prompt_tokens: summary.tokens_in,
            completion_tokens: summary.tokens_out,
            total_tokens: summary.tokens_in.saturating_add(summary.tokens_out),
            prompt_tokens_details: summary
                .tokens_cached
                .map(|cached_tokens| PromptDetails { cached_tokens }),
        }
    }
}
