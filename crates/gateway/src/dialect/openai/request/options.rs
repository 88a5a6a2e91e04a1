//! What the two generating routes have in common: sampling, stops and streaming.

use super::fields::{Fields, Neutral, refuse};
use super::{Generation, StreamOptions};
use crate::call::{CallError, GenerateOptions};
use ambar_compute::Prompt;
use ambar_compute::limits::{STOP_STRING_BYTES_MAX, STOP_STRINGS_MAX, TEMPERATURE_MAX};
use serde_json::Value;

/// Fields of both routes that a call has no room for.
pub const NEUTRAL: &[Neutral] = &[
    ("frequency_penalty", &["0", "0.0"]),
    ("logit_bias", &["{}"]),
    ("n", &["1"]),
    ("presence_penalty", &["0", "0.0"]),
];

/// Temperature and nucleus when a request does not say, as in the dialect.
const SAMPLING_DEFAULT: f32 = 1.0;

/// Takes what both routes share. What is left in `fields` is the route's own.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn take(fields: &mut Fields, prompt: Prompt) -> Result<Generation, CallError> {
    let stream = stream(fields)?;
    let options = GenerateOptions {
        max_tokens: max_tokens(fields)?,
        temperature: temperature(fields)?,
        top_p: top_p(fields)?,
        seed: fields.natural("seed")?,
        stop: stop(fields)?,
        stream: stream.is_some(),
        ..GenerateOptions::new(prompt)
    };
    Ok(Generation { model: fields.required_text("model")?, options, stream })
}

/// Two names for one limit: the older one and the one that replaced it.
fn max_tokens(fields: &mut Fields) -> Result<Option<u32>, CallError> {
    let (older, newer) = ("max_tokens", "max_completion_tokens");
    match (limit(fields, older)?, limit(fields, newer)?) {
        (Some(a), Some(b)) if a != b => {
            Err(fields.refuse(newer, "differs from `max_tokens`, which means the same"))
        }
        (a, b) => Ok(b.or(a)),
    }
}

fn limit(fields: &mut Fields, name: &str) -> Result<Option<u32>, CallError> {
    let Some(tokens) = fields.natural(name)? else { return Ok(None) };
    match u32::try_from(tokens) {
        Ok(tokens @ 1..) => Ok(Some(tokens)),
        _ => Err(fields.refuse(name, "is not within 1 and 2^32 - 1")),
    }
}

fn temperature(fields: &mut Fields) -> Result<f32, CallError> {
    let temperature = fields.number("temperature")?.unwrap_or(SAMPLING_DEFAULT);
    if (0.0..=TEMPERATURE_MAX).contains(&temperature) {
        return Ok(temperature);
    }
    Err(fields.refuse("temperature", &format!("is not within 0 and {TEMPERATURE_MAX}")))
}

fn top_p(fields: &mut Fields) -> Result<f32, CallError> {
    let top_p = fields.number("top_p")?.unwrap_or(SAMPLING_DEFAULT);
    if top_p > 0.0 && top_p <= 1.0 {
        return Ok(top_p);
    }
    Err(fields.refuse("top_p", "is not above 0 and at most 1"))
}

fn stop(fields: &mut Fields) -> Result<Vec<String>, CallError> {
    let texts = match fields.take("stop") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(values)) => texts(values, "stop")?,
        Some(_) => return Err(fields.refuse("stop", "is neither a string nor a list of them")),
    };
    if texts.len() > STOP_STRINGS_MAX {
        return Err(fields.refuse("stop", &format!("has more than {STOP_STRINGS_MAX} texts")));
    }
    if texts.iter().any(|text| text.is_empty() || text.len() > STOP_STRING_BYTES_MAX) {
        let what = format!("has a text that is empty or longer than {STOP_STRING_BYTES_MAX} bytes");
        return Err(fields.refuse("stop", &what));
    }
    Ok(texts)
}

/// A list of texts that stands at `path`.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), naming the first
/// member that is not a text.
pub fn texts(values: Vec<Value>, path: &str) -> Result<Vec<String>, CallError> {
    let text = |(index, value)| match value {
        Value::String(text) => Ok(text),
        _ => Err(refuse(&format!("{path}[{index}]"), "is not a string")),
    };
    values.into_iter().enumerate().map(text).collect()
}

fn stream(fields: &mut Fields) -> Result<Option<StreamOptions>, CallError> {
    let streaming = fields.flag("stream")?;
    let options = fields.take("stream_options");
    if !streaming && options.is_some() {
        return Err(fields.refuse("stream_options", "has no meaning unless `stream` is true"));
    }
    let include_usage = options.map_or(Ok(false), include_usage)?;
    Ok(streaming.then_some(StreamOptions { include_usage }))
}

fn include_usage(options: Value) -> Result<bool, CallError> {
    let mut options = Fields::of(options, "stream_options")?;
    let include_usage = options.flag("include_usage")?;
    options.finish(&[], &[("include_obfuscation", &["false"])])?;
    Ok(include_usage)
}
