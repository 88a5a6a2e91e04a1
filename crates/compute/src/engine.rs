//! The one trait that every engine implements, and the words it speaks.
//!
//! It knows prompts, tokens and vectors. It does not know who asks, what a
//! token costs, or where an engine gets its weights from.
//!
//! **Invariant**: [`Usage`] never counts what did not happen. A number that an
//! engine does not know is `None`, not zero.

use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::error::{EngineError, Failure};
use crate::extras::{Extras, Piece};
use crate::limits::{
    CHOICES_MAX, PROMPT_BYTES_MAX, PROMPT_MESSAGES_MAX, STOP_STRING_BYTES_MAX, STOP_STRINGS_MAX,
    TEMPERATURE_MAX,
};
use crate::vectors::{EmbedJob, Embeddings};

/// Who speaks in a chat turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions that stand above the conversation.
    System,
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// The result of a tool that the model called.
    Tool,
}

impl Role {
    /// The name that chat templates and the `OpenAI` dialect use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// Chat turn as the model's template sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A turn of `role` saying `content`.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into() }
    }
}

/// What an engine continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, laid out by the model's own chat template.
    Chat(Vec<Message>),
    /// Plain text, continued as it stands.
    Text(String),
}

impl Prompt {
    /// A chat of one user turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self::Chat(vec![Message::new(Role::User, content)])
    }

    /// Length of all texts together, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Chat(messages) => messages.iter().map(|m| m.content.len()).sum(),
            Self::Text(text) => text.len(),
        }
    }

    /// Checks the prompt against the limits that hold for every engine.
    pub fn validate(&self) -> Result<(), Failure> {
        let messages = match self {
            Self::Chat(messages) => messages.len(),
            Self::Text(_) => 1,
        };
        let bytes = self.bytes();
        if messages == 0 || bytes == 0 {
            return Err(Failure::invalid("the prompt is empty"));
        }
        if messages > PROMPT_MESSAGES_MAX {
            return Err(Failure::invalid(format!(
                "{messages} messages, at most {PROMPT_MESSAGES_MAX}"
            )));
        }
        if bytes > PROMPT_BYTES_MAX {
            return Err(Failure::invalid(format!(
                "the prompt has {bytes} bytes, at most {PROMPT_BYTES_MAX}"
            )));
        }
        Ok(())
    }
}

/// One generation to run.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateJob {
    /// What to continue.
    pub prompt: Prompt,
    /// Most tokens to produce, at least 1. The room left in the context may
    /// end a generation earlier, with [`Finish::Length`].
    pub max_tokens: u32,
    /// Sampling temperature, 0 (greedy, deterministic) to [`TEMPERATURE_MAX`].
    pub temperature: f32,
    /// Nucleus sampling: probability mass to keep, above 0 up to 1.
    pub top_p: f32,
    /// Same seed, same engine, same machine: same text. Without one, and with
    /// a temperature above 0, every run differs.
    pub seed: Option<u64>,
    /// Texts that end the generation; none of them is part of the answer.
    pub stop: Vec<String>,
    /// Answers to the one prompt, 1 to [`CHOICES_MAX`], each of at most `max_tokens`.
    pub choices: u32,
    /// Whether the answer is wanted piece by piece. Where it is not, an engine may work it out
    /// whole and send it at once.
    pub stream: bool,
    /// What the job says beyond text and sampling.
    pub extras: Extras,
    /// Whose job it is: parties take turns, and share no cached prompt. 0 is
    /// nobody: such jobs take turns as one party and share nothing.
    pub party: u64,
}

impl GenerateJob {
    /// A greedy job of at most `max_tokens` tokens without stop strings.
    pub fn greedy(prompt: Prompt, max_tokens: u32) -> Self {
        Self {
            prompt,
            max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            seed: None,
            stop: Vec::new(),
            choices: 1,
            stream: true,
            extras: Extras::default(),
            party: 0,
        }
    }

    /// What an engine that knows text only cannot carry: a field, by its path in the dialect.
    pub fn beyond_text(&self) -> Option<String> {
        if self.choices != 1 { Some("n".to_owned()) } else { self.extras.first() }
    }

    /// Answer tokens of all choices at most.
    pub fn tokens_out_max(&self) -> u64 {
        u64::from(self.max_tokens) * u64::from(self.choices)
    }

    /// Checks the job against the limits that hold for every engine.
    pub fn validate(&self) -> Result<(), Failure> {
        match &self.extras.messages {
            Some(_) => self.extras.validate()?,
            None => self.prompt.validate()?,
        }
        if !(1..=CHOICES_MAX).contains(&self.choices) {
            return Err(Failure::invalid(format!("{} choices, 1 to {CHOICES_MAX}", self.choices)));
        }
        if self.max_tokens == 0 {
            return Err(Failure::invalid("max_tokens is 0"));
        }
        if !(0.0..=TEMPERATURE_MAX).contains(&self.temperature) {
            return Err(Failure::invalid(format!(
                "temperature is not within 0..{TEMPERATURE_MAX}"
            )));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(Failure::invalid("top_p is not above 0 and at most 1"));
        }
        validate_stop(&self.stop)
    }
}

fn validate_stop(stop: &[String]) -> Result<(), Failure> {
    if stop.len() > STOP_STRINGS_MAX {
        return Err(Failure::invalid(format!("more than {STOP_STRINGS_MAX} stop strings")));
    }
    if stop.iter().any(|s| s.is_empty() || s.len() > STOP_STRING_BYTES_MAX) {
        return Err(Failure::invalid(format!(
            "a stop string is empty or longer than {STOP_STRING_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}

/// What an engine reports while it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The next piece of the only or first choice, plain text: not empty, whole characters only.
    Text(String),
    /// Anything else that an answer consists of.
    Piece(Box<Piece>),
}

/// What a job has used and produced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens that the model read, those included that it held from an
    /// earlier job; `None` if nobody counted them.
    pub tokens_in: Option<u64>,
    /// Of these, the tokens that it held from an earlier job of the same party and
    /// did not read again; `None` if the engine does not know.
    pub tokens_cached: Option<u64>,
    /// Tokens that the model produced, those of a stop string included, an
    /// end-of-generation token excluded; `None` if nobody counted them.
    pub tokens_out: Option<u64>,
    /// Bytes of UTF-8 handed to the events channel.
    pub bytes_out: u64,
    /// Prompt tokens as a tokenizer of this machine's counts them, where the other number is
    /// somebody else's claim and such a tokenizer is at hand.
    pub counted_in: Option<u64>,
    /// Answer tokens, counted likewise.
    pub counted_out: Option<u64>,
    /// Prompt tokens at most that a chat template adds, which `counted_in` does not have.
    pub template_in: u64,
    /// Pieces of answer handed on; each is at least a token.
    pub pieces_out: u64,
}

impl Usage {
    /// What an engine says, nothing of it counted by anybody else.
    #[must_use]
    pub const fn told(tokens_in: Option<u64>, tokens_out: Option<u64>, bytes_out: u64) -> Self {
        Self {
            tokens_in,
            tokens_cached: None,
            tokens_out,
            bytes_out,
            counted_in: None,
            counted_out: None,
            template_in: 0,
            pieces_out: 0,
        }
    }
}

/// Why a generation ended without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model was done, or a stop string appeared.
    Stop,
    /// `max_tokens` or the end of the context was reached.
    Length,
    /// The caller cancelled, or nobody listened any more.
    Cancelled,
    /// The model calls tools, and waits for what they say.
    ToolCalls,
    /// A filter of the engine took the rest of the answer.
    Filtered,
}

impl Finish {
    /// Its name in logs and figures.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Cancelled => "cancelled",
            Self::ToolCalls => "tool_calls",
            Self::Filtered => "content_filter",
        }
    }

    /// Whether the answer is as long as it was to become: nobody cut it off.
    pub fn is_whole(self) -> bool {
        self != Self::Cancelled
    }
}

/// How a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// What was used and produced, all choices together.
    pub usage: Usage,
    /// Why it ended: the first choice, where there are several. The others' reasons are in
    /// their pieces.
    pub finish: Finish,
}

/// Length of a prompt in tokens, before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// What the engine will count itself.
    Exact(u64),
    /// The engine cannot count; it will not be more than this.
    UpperBound(u64),
}

impl Count {
    /// The number to reserve for.
    pub fn at_most(self) -> u64 {
        match self {
            Self::Exact(tokens) | Self::UpperBound(tokens) => tokens,
        }
    }
}

/// What an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `gguf`, `embed`, `upstream`, `corpus` or `null`.
    pub kind: &'static str,
    /// The model's own name, as its file or its server gives it.
    pub model: String,
    /// The model's architecture (`llama`, `bert`), where it is known.
    pub architecture: Option<String>,
    /// Room for prompt and answer together, in tokens, where it is known.
    pub context_tokens: Option<u32>,
    /// Numbers in one embedding, where it is known.
    pub embedding_width: Option<u32>,
    /// Whether [`Engine::generate`] can work.
    pub can_generate: bool,
    /// Whether [`Engine::embed`] can work.
    pub can_embed: bool,
}

/// Something that generates text or embeds it.
///
/// Futures of an engine need a tokio runtime. Dropping one cancels its job.
pub trait Engine: Send + Sync + 'static {
    /// What this engine is; cheap, never blocks.
    fn describe(&self) -> EngineInfo;

    /// Loads the model now rather than at the first job. Harmless when repeated.
    fn load(&self) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Counts the prompt's tokens, the chat template's own included.
    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>>;

    /// Whether this engine can carry all that a job says. Asked before anything is held for
    /// it; cheap, never blocks.
    ///
    /// # Errors
    /// [`Failure::UnsupportedField`], by name, and what else [`Engine::generate`] would refuse
    /// for good. Unless an engine says otherwise, it carries text only.
    fn check(&self, job: &GenerateJob) -> Result<(), Failure> {
        match job.beyond_text() {
            None => Ok(()),
            Some(field) => Err(Failure::UnsupportedField { kind: self.describe().kind, field }),
        }
    }

    /// Runs one job and sends its answer to `events`.
    ///
    /// `cancel` and a closed `events` channel both stop the engine within one
    /// token (while a prompt is being read: within one batch of it) and end the
    /// job with [`Finish::Cancelled`]. A channel that nobody empties only stops
    /// its own job.
    fn generate(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Generation, EngineError>>;

    /// Whether this engine can carry all that a job to embed says; as [`Engine::check`].
    ///
    /// # Errors
    /// [`Failure::UnsupportedField`], by name. Unless an engine says otherwise, it carries texts
    /// and the width that its vectors have anyway.
    fn check_embed(&self, job: &EmbedJob) -> Result<(), Failure> {
        let EngineInfo { kind, embedding_width, .. } = self.describe();
        let beyond = job.beyond_text(embedding_width);
        beyond.map_or(Ok(()), |field| Err(Failure::UnsupportedField { kind, field }))
    }

    /// Embeds each input. Cancelling is a failure, [`Failure::Cancelled`]:
    /// there is no half of a vector. Unless an engine says otherwise, it only writes.
    fn embed(
        &self,
        _job: EmbedJob,
        _cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        let failure = Failure::Unsupported { kind: self.describe().kind, operation: "embed" };
        Box::pin(async { Err(failure.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_checked() {
        let ok = GenerateJob::greedy(Prompt::user("hi"), 4);
        let check = |change: fn(&mut GenerateJob), valid: bool| {
            let mut job = ok.clone();
            change(&mut job);
            assert_eq!(job.validate().is_ok(), valid, "{job:?}");
        };
        check(|_| (), true);
        check(|j| j.max_tokens = 0, false);
        check(|j| j.temperature = f32::NAN, false);
        check(|j| j.temperature = -0.1, false);
        check(|j| j.temperature = TEMPERATURE_MAX, true);
        check(|j| j.top_p = 0.0, false);
        check(|j| j.top_p = f32::NAN, false);
        check(|j| j.stop = vec![String::new()], false);
        check(|j| j.stop = vec!["x".repeat(STOP_STRING_BYTES_MAX)], true);
        check(|j| j.stop = vec!["x".repeat(STOP_STRING_BYTES_MAX + 1)], false);
        check(|j| j.stop = vec!["x".into(); STOP_STRINGS_MAX + 1], false);
        check(|j| j.prompt = Prompt::Chat(vec![]), false);
        check(|j| j.prompt = Prompt::Text(String::new()), false);
        check(|j| j.prompt = Prompt::Text("x".repeat(PROMPT_BYTES_MAX)), true);
        check(|j| j.prompt = Prompt::Text("x".repeat(PROMPT_BYTES_MAX + 1)), false);
    }
}
