//! What the generating routes have in common: sampling, stops, streaming, and what goes on to
//! the engine as it is.

use super::super::{SCHEMA_BYTES_MAX, TOOLS_MAX};
use super::fields::{Fields, HARMLESS, Neutral, Rest, refuse};
use super::{Generation, StreamOptions};
use crate::call::{CallError, GenerateOptions};
use ambar_compute::limits::{
    CHOICES_MAX, STOP_STRING_BYTES_MAX, STOP_STRINGS_MAX, TEMPERATURE_MAX,
};
use ambar_compute::{Extras, Prompt};
use serde_json::Value;

/// Values of fields of these routes at which they change nothing.
pub const NEUTRAL: &[Neutral] = &[
    ("frequency_penalty", &["0", "0.0"]),
    ("logit_bias", &["{}"]),
    ("presence_penalty", &["0", "0.0"]),
];

/// Other servers' names for what the gateway sets itself, because the price is held for it: how
/// long answers may become, and how many there are.
const OWNED: &[&str] = &[
    "best_of",
    "ignore_eos",
    "max_length",
    "max_new_tokens",
    "min_tokens",
    "n_cmpl",
    "n_predict",
    "num_predict",
    "use_beam_search",
];
/// Their values that change nothing.
const OWNED_NEUTRAL: &[&str] = &["1", "false"];

/// Temperature and nucleus when a request does not say, as in the dialect.
const SAMPLING_DEFAULT: f32 = 1.0;

/// Takes what these routes share, and then all that is left: what changes the answer goes on to
/// the engine, which carries it or refuses it by name.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn take(
    mut fields: Fields,
    prompt: Prompt,
    neutral: &[Neutral],
) -> Result<Generation, CallError> {
    let stream = stream(&mut fields)?;
    let model = fields.required_text("model")?;
    let options = GenerateOptions {
        max_tokens: max_tokens(&mut fields)?,
        temperature: temperature(&mut fields)?,
        top_p: top_p(&mut fields)?,
        seed: fields.natural("seed")?,
        stop: stop(&mut fields)?,
        stream: stream.is_some(),
        choices: choices(&mut fields)?,
        ..GenerateOptions::new(prompt)
    };
    owned(&mut fields)?;
    check_tools(&fields)?;
    let Rest { fields, hints } = fields.rest(HARMLESS, &[NEUTRAL, neutral].concat());
    let extras = Extras { messages: None, fields, hints };
    Ok(Generation { model, options: GenerateOptions { extras, ..options }, stream })
}

fn choices(fields: &mut Fields) -> Result<u32, CallError> {
    let choices = fields.natural("n")?.unwrap_or(1);
    let choices = u32::try_from(choices).ok().filter(|n| (1..=CHOICES_MAX).contains(n));
    choices.ok_or_else(|| fields.refuse("n", &format!("is not within 1 and {CHOICES_MAX}")))
}

fn owned(fields: &mut Fields) -> Result<(), CallError> {
    for name in OWNED {
        let Some(value) = fields.take(name) else { continue };
        if !OWNED_NEUTRAL.contains(&value.to_string().as_str()) {
            let what = "is set by the gateway: say `max_tokens` and `n`";
            return Err(fields.refuse(name, what));
        }
    }
    Ok(())
}

/// Tools have a form of their own in every engine; here it counts how many and how long.
fn check_tools(fields: &Fields) -> Result<(), CallError> {
    for name in ["tools", "functions"] {
        let Some(value) = fields.get(name) else { continue };
        let tools = value.as_array().ok_or_else(|| fields.refuse(name, "is not a list"))?;
        if tools.len() > TOOLS_MAX {
            return Err(fields.refuse(name, &format!("has more than {TOOLS_MAX} members")));
        }
        if let Some(index) = tools.iter().position(|tool| !tool.is_object()) {
            return Err(fields.refuse(&format!("{name}[{index}]"), "is not an object"));
        }
    }
    for name in ["tools", "functions", "response_format"] {
        let bytes = fields.get(name).map_or(0, |value| value.to_string().len());
        if bytes > SCHEMA_BYTES_MAX {
            let what = format!("has {bytes} bytes of JSON, at most {SCHEMA_BYTES_MAX}");
            return Err(fields.refuse(name, &what));
        }
    }
    Ok(())
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
