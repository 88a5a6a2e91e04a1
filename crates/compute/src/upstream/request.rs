//! Request bodies of the `OpenAI` dialect, written as they are sent: a job is not made into
//! JSON values first.
//!
//! **Invariant**: each name stands once in a body, and what is ours (model, limits, stream) is not
//! replaced by anything that a caller wrote.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::client::Place;
use super::dialect::form;
use crate::engine::{GenerateJob, Prompt};
use crate::error::Failure;
use crate::extras::Extras;
use crate::vectors::EmbedJob;

/// Under which name a service is told how long an answer may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The name that every server knows.
    Older,
    /// The name that took its place for conversations; some services refuse the older one.
    Newer,
}

impl Limit {
    const fn name(self) -> &'static str {
        match self {
            Self::Older => "max_tokens",
            Self::Newer => "max_completion_tokens",
        }
    }
}

/// Whether a service refuses a request because it wants the limit under its newer name.
pub fn wants_newer(failure: &Failure) -> bool {
    let name = Limit::Newer.name();
    match failure {
        Failure::UpstreamRefused { message, param } => {
            message.contains(name) || param.as_deref() == Some(name)
        }
        _ => false,
    }
}

/// A body as it is sent.
///
/// # Errors
/// [`Failure::UpstreamForm`] for what JSON has no form for.
pub fn body(request: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(request).map_err(|error| form(error.to_string()))
}

/// The names that an answer's request says itself, besides that of its prompt.
const OURS: [&str; 10] = [
    "max_completion_tokens",
    "max_tokens",
    "model",
    "n",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
];

/// The body of a request for an answer. Usage is always asked for. The limit has one name in it,
/// of texts to continue the older one.
pub struct Generate<'a> {
    job: &'a GenerateJob,
    model: &'a str,
    limit: Limit,
}

impl<'a> Generate<'a> {
    pub fn new(job: &'a GenerateJob, model: &'a str, limit: Limit) -> Self {
        let limit = match job.prompt {
            Prompt::Text(_) => Limit::Older,
            Prompt::Chat(_) => limit,
        };
        Self { job, model, limit }
    }

    /// Where it is sent.
    pub const fn place(&self) -> Place {
        match self.job.prompt {
            Prompt::Text(_) => Place::Completions,
            Prompt::Chat(_) => Place::Chat,
        }
    }

    const fn prompt_name(&self) -> &'static str {
        match self.job.prompt {
            Prompt::Text(_) => "prompt",
            Prompt::Chat(_) => "messages",
        }
    }
}

impl Serialize for Generate<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { job, model, limit } = self;
        let mut body = serializer.serialize_map(None)?;
        let prompt = self.prompt_name();
        written(&mut body, &job.extras, |name| OURS.contains(&name) || name == prompt)?;
        match (&job.prompt, &job.extras.messages) {
            (Prompt::Text(text), _) => body.serialize_entry(prompt, text)?,
            (Prompt::Chat(_), Some(messages)) => body.serialize_entry(prompt, messages)?,
            (Prompt::Chat(messages), None) => body.serialize_entry(prompt, &Turns(messages))?,
        }
        if let Some(seed) = job.seed {
            body.serialize_entry("seed", &seed)?;
        }
        if !job.stop.is_empty() {
            body.serialize_entry("stop", &job.stop)?;
        }
        if job.choices != 1 {
            body.serialize_entry("n", &job.choices)?;
        }
        if job.stream {
            body.serialize_entry("stream_options", &StreamOptions { include_usage: true })?;
        }
        body.serialize_entry("model", model)?;
        body.serialize_entry(limit.name(), &job.max_tokens)?;
        body.serialize_entry("temperature", &job.temperature)?;
        body.serialize_entry("top_p", &job.top_p)?;
        body.serialize_entry("stream", &job.stream)?;
        body.end()
    }
}

#[derive(serde::Serialize)]
struct StreamOptions {
    include_usage: bool,
}

struct Turns<'a>(&'a [crate::Message]);

impl<'a> Serialize for Turns<'a> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Turn<'a> {
            role: &'static str,
            content: &'a str,
        }
        let turn =
            |said: &'a crate::Message| Turn { role: said.role.as_str(), content: &said.content };
        serializer.collect_seq(self.0.iter().map(turn))
    }
}

/// The body of a request for vectors. They are asked for as numbers, which is what a server writes
/// unless it is told otherwise, and at once.
pub struct Embed<'a> {
    pub job: &'a EmbedJob,
    pub model: &'a str,
}

impl Serialize for Embed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { job, model } = self;
        let mut body = serializer.serialize_map(None)?;
        let ours = |name: &str| matches!(name, "encoding_format" | "stream" | "model" | "input");
        written(&mut body, &job.extras, ours)?;
        body.serialize_entry("model", model)?;
        body.serialize_entry("input", &job.inputs)?;
        body.end()
    }
}

/// What a caller wrote, each name once: what changes the answer before what does not.
fn written<M: SerializeMap>(
    body: &mut M,
    extras: &Extras,
    ours: impl Fn(&str) -> bool,
) -> Result<(), M::Error> {
    let Extras { fields, hints, .. } = extras;
    let hints = hints.iter().filter(|(name, _)| !fields.contains_key(*name));
    for (name, value) in fields.iter().chain(hints).filter(|(name, _)| !ours(name)) {
        body.serialize_entry(name, value)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
