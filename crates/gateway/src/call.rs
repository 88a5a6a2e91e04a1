//! A call as the gateway sees it, whatever dialect it came in: what is asked, what comes
//! back, and why it may fail. Dialects translate to and from these types and know nothing
//! else of the gateway.

use crate::authorisation::AgentWord;
use crate::compose::question;
use crate::flow::Priority;
use crate::telemetry::Operation;
use crate::vouchers::VoucherWord;
use ambar_base::{Coded, Digest, ErrorCode, Mu, Price};
use ambar_compute::{EmbedJob, Finish, GenerateJob, Message, Prompt};
pub use ambar_compute::{Extras, Piece};
pub use ambar_receipt::ReceiptId;
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::mpsc;

/// Events that wait for a slow client at most.
pub const CALL_EVENTS_MAX: usize = 256;

/// One call to make.
#[derive(Clone, Debug)]
pub struct CallRequest {
    /// The bearer token: a certificate.
    pub certificate: String,
    /// The capsule, by id or registered name.
    pub capsule: String,
    /// The declared purpose.
    pub purpose: Option<String>,
    /// Most that the call may cost.
    pub price_max: Option<Price>,
    /// The signature of an agent, or of the channel's session key, over the call.
    pub agent: Option<AgentWord>,
    /// The salt of input and output that the calling side has drawn.
    pub salt: Option<Digest>,
    /// What the payer's side has signed may be spent on the channel.
    pub voucher: Option<VoucherWord>,
    /// The client's own key for this call: the same key never pays twice.
    pub idempotency_key: Option<String>,
    /// How urgent the call is among those of its payer.
    pub urgency: Priority,
    /// How long the client waits for the answer, if it says so.
    pub patience: Option<Duration>,
    /// How many times a client that sends requests again says that it has sent this one before;
    /// nothing if it is no such client.
    pub retries: Option<u32>,
    /// The digest of everything that makes the request what it is: path and body.
    pub fingerprint: Digest,
    /// What to do.
    pub job: Job,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Job {
    /// Answer a prompt.
    Generate(GenerateOptions),
    /// Turn texts into vectors.
    Embed(EmbedJob),
}

impl Job {
    /// What the job does, as it is told, and whether its answer streams.
    #[must_use]
    pub fn told(&self) -> (Operation, bool) {
        match self {
            Self::Generate(options) => match options.prompt {
                Prompt::Chat(_) => (Operation::Chat, options.stream),
                Prompt::Text(_) => (Operation::TextCompletion, options.stream),
            },
            Self::Embed(_) => (Operation::Embeddings, false),
        }
    }

    /// The input as the receipt hashes it: the question, or the texts with a line end between
    /// each two. What is asked beyond text: JSON without spaces, members in the order of their
    /// names' bytes, `{"fields", "messages"}`, `{"fields", "prompt"}` or, of texts that become
    /// vectors, `{"fields", "input"}`; messages as they were written.
    #[must_use]
    pub fn input(&self) -> String {
        match self {
            Self::Generate(options) if options.extras.is_empty() => self.question().into_owned(),
            Self::Generate(options) => options.input(),
            Self::Embed(job) if job.extras.is_empty() => self.question().into_owned(),
            Self::Embed(EmbedJob { inputs, extras }) => {
                json!({"fields": extras.fields, "input": inputs}).to_string()
            }
        }
    }

    /// What is looked for in records: the last thing that a user says, or the texts.
    #[must_use]
    pub fn question(&self) -> Cow<'_, str> {
        match self {
            Self::Generate(options) => question(&options.prompt).into(),
            Self::Embed(job) => job.inputs.join("\n").into(),
        }
    }
}

/// How to answer a prompt. No dialect's words are in it but those of [`Extras`], which every
/// dialect translates to.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// What is asked: the texts only, where `extras` holds the messages as they were written.
    pub prompt: Prompt,
    /// Most tokens of answer; nothing: the gateway's own limit.
    pub max_tokens: Option<u32>,
    /// Sampling temperature.
    pub temperature: f32,
    /// Nucleus sampling.
    pub top_p: f32,
    /// Repeatability.
    pub seed: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Answers to the one prompt.
    pub choices: u32,
    /// Whether pieces are wanted as they come.
    pub stream: bool,
    /// What is asked beyond text and sampling.
    pub extras: Extras,
}

impl GenerateOptions {
    /// One whole answer to a prompt, with the sampling that the dialects have by default.
    #[must_use]
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            max_tokens: None,
            temperature: 1.0,
            top_p: 1.0,
            seed: None,
            stop: Vec::new(),
            choices: 1,
            stream: false,
            extras: Extras::default(),
        }
    }

    /// The input in the form for what is more than text.
    fn input(&self) -> String {
        let Extras { messages, fields, .. } = &self.extras;
        let message = |said: &Message| json!({"role": said.role.as_str(), "content": said.content});
        let asked = match (messages, &self.prompt) {
            (Some(messages), _) => json!({"fields": fields, "messages": messages}),
            (None, Prompt::Chat(chat)) => {
                let messages: Vec<_> = chat.iter().map(message).collect();
                json!({"fields": fields, "messages": messages})
            }
            (None, Prompt::Text(text)) => json!({"fields": fields, "prompt": text}),
        };
        asked.to_string()
    }

    /// The job of an engine: to answer `prompt`, each choice within `max_tokens`.
    #[must_use]
    pub fn job(&self, prompt: Prompt, max_tokens: u32) -> GenerateJob {
        GenerateJob {
            prompt,
            max_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            seed: self.seed,
            stop: self.stop.clone(),
            choices: self.choices,
            stream: self.stream,
            extras: self.extras.clone(),
            party: 0,
        }
    }
}

/// An accepted call. Dropping `events` leaves the call: its engine is cancelled and what
/// was delivered is charged.
#[derive(Debug)]
pub struct Accepted {
    /// The receipt's id.
    pub receipt: ReceiptId,
    /// The called version's id.
    pub capsule: String,
    /// When the call was admitted, milliseconds since 1970.
    pub admitted_ms: u64,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub replayed: bool,
    /// What comes back: any number of pieces, then one [`CallEvent::Done`] or
    /// [`CallEvent::Failed`].
    pub events: mpsc::Receiver<CallEvent>,
}

/// A piece of what comes back. What is large is boxed: a channel sets aside room for many.
#[derive(Clone, Debug)]
pub enum CallEvent {
    /// Text of the only or first choice.
    Text(String),
    /// Anything else that an answer consists of.
    Piece(Box<Piece>),
    /// Vectors, in the order of the inputs.
    Vectors(Vec<Vec<f32>>),
    /// The call is over, metered and its receipt durable.
    Done(Box<Summary>),
    /// The call failed; what was delivered before is charged.
    Failed(Box<CallError>),
}

/// What a finished call used and cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Why the answer ended.
    pub finish: Finish,
    /// Prompt tokens.
    pub tokens_in: u64,
    /// Of these, those that the engine had read for an earlier call and did not read again, never
    /// more than all; nothing if it does not say. They cost the same.
    pub tokens_cached: Option<u64>,
    /// Answer tokens.
    pub tokens_out: u64,
    /// The work of all lines.
    pub mu: Mu,
    /// The price of the call.
    pub price: Price,
    /// The receipt.
    pub receipt: ReceiptId,
}

/// Something that a certificate can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callable {
    /// The version's id.
    pub id: String,
    /// Its registered name, or its name in the manifest.
    pub name: String,
    /// The owner's account id.
    pub owner: String,
    /// The height at which it was published.
    pub height: u64,
}

/// Why a call is refused or fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// The public code.
    pub code: ErrorCode,
    /// What happened, for people.
    pub message: String,
    /// The request's parameter that is wrong, if one is.
    pub param: Option<String>,
    /// Whether the same request may be sent again.
    pub retry: bool,
    /// When it is worth sending again, milliseconds from now, if that is known.
    pub retry_after_ms: Option<u64>,
    /// The receipt, if the call was charged.
    pub receipt: Option<ReceiptId>,
}

impl CallError {
    /// An error with this code.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        let retry = matches!(
            code,
            ErrorCode::EngineBusy
                | ErrorCode::Overloaded
                | ErrorCode::LedgerStale
                | ErrorCode::DiskFull
                | ErrorCode::ShuttingDown
        );
        let message = message.into();
        Self { code, message, param: None, retry, retry_after_ms: None, receipt: None }
    }

    /// The error that a room's own becomes.
    #[must_use]
    pub fn of(error: &dyn Coded) -> Self {
        Self::new(error.code(), error.to_string())
    }

    /// Names the parameter that is wrong.
    #[must_use]
    pub fn at(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }
}

impl Coded for CallError {
    fn code(&self) -> ErrorCode {
        self.code
    }
}
