//! `/v1/embeddings`: texts to turn into vectors.
//!
//! Texts, and how numbers are written, are ours; all else that changes the vectors goes on to the
//! engine, which carries it or refuses it by name.

use super::fields::{Fields, HARMLESS, Rest};
use super::options::texts;
use crate::call::CallError;
use ambar_compute::limits::EMBED_INPUTS_MAX;
use ambar_compute::vectors::DIMENSIONS;
use ambar_compute::{EmbedJob, Extras};
use serde_json::Value;

/// What is asked for.
#[derive(Debug)]
pub struct Embedding {
    /// The capsule.
    pub model: String,
    /// The texts, and what is asked of their vectors.
    pub job: EmbedJob,
    /// What the answer has to be like.
    pub wanted: Wanted,
}

/// What the answer has to be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Vectors.
    pub inputs: usize,
    /// Numbers in each vector, if the client insists.
    pub dimensions: Option<usize>,
    /// How the numbers are written.
    pub encoding: Encoding,
}

/// How the numbers of a vector are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A list of JSON numbers.
    Float,
    /// Base64 of 32-bit floats, little-endian.
    Base64,
}

/// Texts to turn into vectors.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn parse(mut fields: Fields) -> Result<Embedding, CallError> {
    let inputs = inputs(&mut fields)?;
    let dimensions = dimensions(&fields)?;
    let encoding = encoding(&mut fields)?;
    let wanted = Wanted { inputs: inputs.len(), dimensions, encoding };
    let model = fields.required_text("model")?;
    if fields.flag("stream")? {
        return Err(fields.refuse("stream", "has no meaning for vectors"));
    }
    let Rest { fields, hints } = fields.rest(HARMLESS, &[]);
    let job = EmbedJob { inputs, extras: Extras { messages: None, fields, hints } };
    Ok(Embedding { model, job, wanted })
}

fn inputs(fields: &mut Fields) -> Result<Vec<String>, CallError> {
    let inputs = match fields.take("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(values)) if values.first().is_some_and(is_tokens) => {
            return Err(fields.refuse("input", "is tokens: this call carries text only"));
        }
        Some(Value::Array(values)) => texts(values, "input")?,
        Some(_) => return Err(fields.refuse("input", "is neither a string nor a list of them")),
        None => return Err(fields.refuse("input", "is missing")),
    };
    if inputs.is_empty() || inputs.len() > EMBED_INPUTS_MAX {
        return Err(fields.refuse("input", &format!("has not 1 to {EMBED_INPUTS_MAX} texts")));
    }
    Ok(inputs)
}

/// Whether a member of a list is a token or a list of them.
pub fn is_tokens(value: &Value) -> bool {
    value.is_number() || value.is_array()
}

/// The width that vectors must have. It stays among the fields: the engine is told, too.
fn dimensions(fields: &Fields) -> Result<Option<usize>, CallError> {
    let Some(value) = fields.get(DIMENSIONS) else { return Ok(None) };
    match value.as_u64().map(usize::try_from) {
        Some(Ok(dimensions @ 1..)) => Ok(Some(dimensions)),
        _ => Err(fields.refuse(DIMENSIONS, "is not a positive number")),
    }
}

fn encoding(fields: &mut Fields) -> Result<Encoding, CallError> {
    match fields.text("encoding_format")?.as_deref() {
        None | Some("float") => Ok(Encoding::Float),
        Some("base64") => Ok(Encoding::Base64),
        Some(_) => Err(fields.refuse("encoding_format", "is neither float nor base64")),
    }
}
