//! The `OpenAI` dialect as a client speaks it: request bodies out, whole answers and chunks of
//! answers in. Pure; what a job or an answer says beyond text goes on as it was written,
//! missing numbers stay missing.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::{Finish, GenerateJob, Prompt};
use crate::error::Failure;
use crate::extras::Piece;
use crate::limits::UPSTREAM_ERROR_CHARS_MAX;
use crate::vectors::{EmbedJob, Embeddings};

/// The data of the event that ends a stream.
pub const DONE: &str = "[DONE]";

/// Under which name a service is told how long an answer may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The name that every server knows.
    Older,
    /// The name that took its place for conversations; some services refuse the older one.
    Newer,
}

impl Limit {
    const ALL: [Self; 2] = [Self::Older, Self::Newer];

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

/// Path of the request below the base URL, and its body. What is ours (model, limits, stream)
/// stands last, so that nothing a caller wrote replaces it. Usage is always asked for. The limit has
/// one name in it, of texts to continue the older one.
pub fn generate_request(
    job: &GenerateJob,
    model: &str,
    limit: Limit,
) -> (&'static str, Map<String, Value>) {
    let mut body = job.extras.hints.clone();
    body.extend(job.extras.fields.clone());
    for limit in Limit::ALL {
        body.remove(limit.name());
    }
    let (path, limit) = match &job.prompt {
        Prompt::Text(text) => {
            body.insert("prompt".into(), text.as_str().into());
            ("completions", Limit::Older)
        }
        Prompt::Chat(messages) => {
            let turn = |m: &crate::Message| json!({"role": m.role.as_str(), "content": m.content});
            let written = job.extras.messages.clone();
            let messages = written.unwrap_or_else(|| messages.iter().map(turn).collect());
            body.insert("messages".into(), messages.into());
            ("chat/completions", limit)
        }
    };
    let optional = [
        ("seed", job.seed.map(Value::from)),
        ("stop", (!job.stop.is_empty()).then(|| json!(job.stop))),
        ("n", (job.choices != 1).then(|| json!(job.choices))),
        ("stream_options", job.stream.then(|| json!({"include_usage": true}))),
    ];
    for (name, value) in optional {
        body.remove(name);
        value.into_iter().for_each(|value| drop(body.insert(name.to_owned(), value)));
    }
    let ours = [
        ("model", json!(model)),
        (limit.name(), json!(job.max_tokens)),
        ("temperature", json!(job.temperature)),
        ("top_p", json!(job.top_p)),
        ("stream", json!(job.stream)),
    ];
    body.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    (path, body)
}

/// The body of a request for vectors. They are asked for as numbers, which is what a server writes
/// unless it is told otherwise, and at once.
pub fn embed_request(job: &EmbedJob, model: &str) -> Map<String, Value> {
    let mut body = job.extras.hints.clone();
    body.extend(job.extras.fields.clone());
    for name in ["encoding_format", "stream"] {
        body.remove(name);
    }
    let ours = [("model", json!(model)), ("input", json!(job.inputs))];
    body.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    body
}

/// What one event of a stream, or a whole answer, says.
#[derive(Debug, Default, PartialEq)]
pub struct Delta {
    /// What its choices say.
    pub pieces: Vec<Piece>,
    /// Prompt tokens, where the upstream says so.
    pub tokens_in: Option<u64>,
    /// Of these, the tokens that it had read for an earlier request, where it says so.
    pub tokens_cached: Option<u64>,
    /// Answer tokens, where the upstream says so.
    pub tokens_out: Option<u64>,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    timings: Option<Timings>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u32>,
    delta: Option<Map<String, Value>>,
    message: Option<Map<String, Value>>,
    text: Option<String>,
    logprobs: Option<Value>,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Value>,
}

impl WireUsage {
    /// Of the prompt's tokens those that were not read again. Nobody is paid by it, so that what
    /// makes no sense ends no answer: it is as if nothing were said.
    fn cached(&self) -> Option<u64> {
        self.prompt_tokens_details.as_ref()?.get("cached_tokens")?.as_u64()
    }
}

/// What llama.cpp's server says of every answer, also where usage is missing: prompt tokens that
/// it read, those that it had read before, and answer tokens.
#[derive(Deserialize, Default)]
struct Timings {
    prompt_n: Option<u64>,
    cache_n: Option<u64>,
    predicted_n: Option<u64>,
}

/// Takes the data of one event, or a whole answer, apart.
///
/// # Errors
/// [`Failure::UpstreamReported`] for an error inside it, [`Failure::UpstreamForm`] for anything
/// that is not an answer to this job: another shape, choices that were not asked for.
pub fn read_chunk(data: &[u8], choices_max: u32) -> Result<Delta, Failure> {
    let chunk: Chunk = parse(data, "the answer")?;
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return Err(Failure::UpstreamReported { message: error_message(&error) });
    }
    let (usage, timings) = (chunk.usage.unwrap_or_default(), chunk.timings.unwrap_or_default());
    let read = timings.prompt_n.map(|read| read.saturating_add(timings.cache_n.unwrap_or(0)));
    let pieces = chunk.choices.unwrap_or_default().into_iter();
    let tokens_in = usage.prompt_tokens.or(read);
    let cached = usage.cached().or(timings.cache_n);
    Ok(Delta {
        tokens_in,
        tokens_cached: cached.filter(|cached| tokens_in.is_some_and(|all| *cached <= all)),
        tokens_out: usage.completion_tokens.or(timings.predicted_n),
        pieces: pieces.map(|choice| piece(choice, choices_max)).collect::<Result<_, _>>()?,
    })
}

fn piece(choice: Choice, choices_max: u32) -> Result<Piece, Failure> {
    let number = choice.index.unwrap_or_default();
    if number >= choices_max {
        return Err(form(format!("choice {number}, of {choices_max} that were asked for")));
    }
    let whole = choice.delta.is_none();
    let mut rest = choice.delta.or(choice.message).unwrap_or_default();
    if whole {
        number_calls(&mut rest);
    }
    rest.remove("role");
    let text = match rest.remove("content") {
        Some(content) => text_of(content)?,
        None => choice.text.unwrap_or_default(),
    };
    rest.retain(|_, value| !value.is_null());
    let logprobs = choice.logprobs.filter(|logprobs| !logprobs.is_null());
    Ok(Piece { choice: number, text, rest, logprobs, finish_reason: choice.finish_reason })
}

/// Gives the calls of a whole answer the numbers that they have in a stream, so that whoever
/// streams them on has them.
fn number_calls(rest: &mut Map<String, Value>) {
    let calls = rest.get_mut("tool_calls").and_then(Value::as_array_mut);
    for (index, call) in calls.into_iter().flatten().enumerate() {
        if let Some(call) = call.as_object_mut() {
            call.entry("index").or_insert_with(|| index.into());
        }
    }
}

/// The text of a content: a string, or parts of text.
fn text_of(content: Value) -> Result<String, Failure> {
    let part = |part: &Value| match (part["type"].as_str(), part["text"].as_str()) {
        (Some("text"), Some(text)) => Ok(text.to_owned()),
        _ => Err(form("a part of the answer is no text")),
    };
    match content {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        Value::Array(parts) => parts.iter().map(part).collect(),
        _ => Err(form("an answer's content is no text")),
    }
}

/// What a reason of the dialect is here; nothing if it has no word for it.
pub fn finish_of(reason: &str) -> Option<Finish> {
    match reason {
        "stop" => Some(Finish::Stop),
        "length" => Some(Finish::Length),
        "tool_calls" => Some(Finish::ToolCalls),
        "content_filter" => Some(Finish::Filtered),
        _ => None,
    }
}

#[derive(Deserialize)]
struct EmbeddingList {
    data: Vec<Embedding>,
    usage: Option<WireUsage>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// Reads an embeddings answer for `inputs` texts, and puts it into their order.
///
/// # Errors
/// [`Failure::UpstreamForm`] unless there is one finite vector of one width for
/// each text.
pub fn read_embeddings(body: &[u8], inputs: usize) -> Result<Embeddings, Failure> {
    let list: EmbeddingList = parse(body, "the answer")?;
    let width = list.data.first().map_or(0, |first| first.embedding.len());
    let mut vectors = vec![Vec::new(); inputs];
    let mut filled = 0;
    for (position, item) in list.data.into_iter().enumerate() {
        let finite = item.embedding.iter().all(|x| x.is_finite());
        let place = vectors.get_mut(item.index.unwrap_or(position));
        match place {
            Some(place) if place.is_empty() && finite && item.embedding.len() == width => {
                *place = item.embedding;
                filled += 1;
            }
            _ => return Err(form("a vector is out of place, of another width or not finite")),
        }
    }
    if filled != inputs || width == 0 {
        return Err(form(format!("{filled} vectors of width {width} for {inputs} inputs")));
    }
    Ok(Embeddings { vectors, tokens: list.usage.and_then(|usage| usage.prompt_tokens) })
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<ModelName>,
}

#[derive(Deserialize)]
struct ModelName {
    id: String,
}

/// The first model of a `GET models` answer.
///
/// # Errors
/// [`Failure::UpstreamForm`] if there is none.
pub fn read_first_model(body: &[u8]) -> Result<String, Failure> {
    let list: ModelList = parse(body, "the list of models")?;
    let first = list.data.into_iter().next();
    first.map(|model| model.id).ok_or_else(|| form("the list of models is empty"))
}

/// What an error answer says, shortened to one line that can be shown, and the field that it
/// says is wrong.
pub fn read_error(body: &[u8]) -> (String, Option<String>) {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return (shorten(&String::from_utf8_lossy(body)), None);
    };
    let error = value.get("error").unwrap_or(&value);
    (error_message(error), error["param"].as_str().map(shorten))
}

fn error_message(error: &Value) -> String {
    let message = error.get("message").unwrap_or(error);
    match message {
        Value::String(text) => shorten(text),
        other => shorten(&other.to_string()),
    }
}

fn shorten(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    line.join(" ").chars().take(UPSTREAM_ERROR_CHARS_MAX).collect()
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| form(format!("{what} is not what was asked for: {error}")))
}

/// An [`Failure::UpstreamForm`] for `reason`.
pub fn form(reason: impl Into<String>) -> Failure {
    Failure::UpstreamForm { reason: reason.into() }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
