//! `/v1/completions`: one text to continue.

use super::Generation;
use super::embedding::is_tokens;
use super::fields::{Fields, Neutral};
use super::options::{self, texts};
use crate::call::CallError;
use ambar_compute::Prompt;
use serde_json::Value;

/// Values of fields of this route at which they change nothing.
const NEUTRAL: &[Neutral] = &[("echo", &["false"]), ("suffix", &[r#""""#])];

/// A text to continue.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn parse(mut fields: Fields) -> Result<Generation, CallError> {
    let prompt = prompt(&mut fields)?;
    options::take(fields, Prompt::Text(prompt), NEUTRAL)
}

/// One text, alone or as the only member of a list.
fn prompt(fields: &mut Fields) -> Result<String, CallError> {
    let prompt = fields.take("prompt").ok_or_else(|| fields.refuse("prompt", "is missing"))?;
    let text = match prompt {
        Value::String(text) => text,
        Value::Array(values) if values.first().is_some_and(is_tokens) => {
            return Err(fields.refuse("prompt", "is tokens: this call carries text only"));
        }
        Value::Array(values) => only(texts(values, "prompt")?)
            .ok_or_else(|| fields.refuse("prompt", "is a list of not exactly one text"))?,
        _ => return Err(fields.refuse("prompt", "is neither a string nor a list of one")),
    };
    if text.is_empty() { Err(fields.refuse("prompt", "is empty")) } else { Ok(text) }
}

fn only(mut texts: Vec<String>) -> Option<String> {
    texts.pop().filter(|_| texts.is_empty())
}
