//! The `OpenAI` dialect as a client speaks it: request bodies out, chunks of an
//! answer in. Pure; unknown fields are ignored, missing ones stay missing.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::{Embeddings, Finish, GenerateJob, Prompt};
use crate::error::Failure;
use crate::limits::UPSTREAM_ERROR_CHARS_MAX;

/// The data of the event that ends a stream.
pub const DONE: &str = "[DONE]";

/// Path of the request below the base URL, and its body.
pub fn generate_request(job: &GenerateJob, model: &str) -> (&'static str, Value) {
    let mut body = json!({
        "model": model,
        "max_tokens": job.max_tokens,
        "temperature": job.temperature,
        "top_p": job.top_p,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if let Some(seed) = job.seed {
        body["seed"] = json!(seed);
    }
    if !job.stop.is_empty() {
        body["stop"] = json!(job.stop);
    }
    match &job.prompt {
        Prompt::Text(text) => {
            body["prompt"] = json!(text);
            ("completions", body)
        }
        Prompt::Chat(messages) => {
            let turn = |m: &crate::Message| json!({"role": m.role.as_str(), "content": m.content});
            body["messages"] = messages.iter().map(turn).collect();
            ("chat/completions", body)
        }
    }
}

/// One event of an answer's stream, taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Delta {
    /// The next text of the answer; may be empty.
    pub text: String,
    /// Why the answer ended, once it has.
    pub finish: Option<Finish>,
    /// Prompt tokens, where the upstream says so.
    pub tokens_in: Option<u64>,
    /// Answer tokens, where the upstream says so.
    pub tokens_out: Option<u64>,
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<ChoiceDelta>,
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct ChoiceDelta {
    content: Option<String>,
}

#[derive(Deserialize, Default)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

/// Takes the data of one event apart.
///
/// # Errors
/// [`Failure::UpstreamReported`] for an error inside the stream,
/// [`Failure::UpstreamForm`] for anything that is not a chunk.
pub fn read_chunk(data: &str) -> Result<Delta, Failure> {
    let chunk: Chunk = parse(data.as_bytes(), "an event")?;
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        return Err(Failure::UpstreamReported { message: error_message(&error) });
    }
    let usage = chunk.usage.unwrap_or_default();
    let mut delta = Delta {
        tokens_in: usage.prompt_tokens,
        tokens_out: usage.completion_tokens,
        ..Delta::default()
    };
    // There is one choice: no more were asked for.
    if let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() {
        delta.text = choice.delta.and_then(|d| d.content).or(choice.text).unwrap_or_default();
        delta.finish = choice.finish_reason.map(|reason| match reason.as_str() {
            "length" => Finish::Length,
            _ => Finish::Stop,
        });
    }
    Ok(delta)
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

/// What an error answer says, shortened to one line that can be shown.
pub fn read_error(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => error_message(value.get("error").unwrap_or(&value)),
        Err(_) => shorten(&String::from_utf8_lossy(body)),
    }
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
