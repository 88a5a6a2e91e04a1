//! Answers in the `OpenAI` dialect as a client reads them, whole or in chunks. Pure; what an
//! answer says beyond text goes on as it was written, missing numbers stay missing.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::said::Said;
use crate::engine::Finish;
use crate::error::Failure;
use crate::extras::Piece;
use crate::limits::UPSTREAM_ERROR_CHARS_MAX;
use crate::vectors::Embeddings;

/// The data of the event that ends a stream.
pub const DONE: &str = "[DONE]";

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
    delta: Option<Said>,
    message: Option<Said>,
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
pub fn read_chunk(data: &str, choices_max: u32) -> Result<Delta, Failure> {
    let chunk: Chunk = read(serde_json::from_str(data), "the answer")?;
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
    let Said { content, mut rest } = choice.delta.or(choice.message).unwrap_or_default();
    if whole {
        number_calls(&mut rest);
    }
    let text = content.or(choice.text).unwrap_or_default();
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

fn read<T>(read: serde_json::Result<T>, what: &str) -> Result<T, Failure> {
    read.map_err(|error| form(format!("{what} is not what was asked for: {error}")))
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, Failure> {
    read(serde_json::from_slice(bytes), what)
}

/// An [`Failure::UpstreamForm`] for `reason`.
pub fn form(reason: impl Into<String>) -> Failure {
    Failure::UpstreamForm { reason: reason.into() }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
