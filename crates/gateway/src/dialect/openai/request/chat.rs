//! `/v1/chat/completions`: conversations of text.
//!
//! The parts of a message are joined as they stand: no byte is added that the client did
//! not send. `developer` is another word for `system`.

use super::fields::{Fields, HARMLESS, Neutral, refuse};
use super::{Generation, options};
use crate::call::CallError;
use ambar_compute::limits::PROMPT_MESSAGES_MAX;
use ambar_compute::{Message, Prompt, Role};
use serde_json::Value;

/// `parallel_tool_calls` says how tools are called, and there are none.
const HARMLESS_HERE: &[&str] = &["parallel_tool_calls"];

/// Fields of this route that a call has no room for.
const NEUTRAL: &[Neutral] = &[
    ("audio", &[]),
    ("function_call", &[r#""none""#, r#""auto""#]),
    ("functions", &["[]"]),
    ("logprobs", &["false"]),
    ("modalities", &[r#"["text"]"#]),
    ("moderation", &[]),
    ("prediction", &[]),
    ("reasoning_effort", &[r#""none""#]),
    ("response_format", &[r#"{"type":"text"}"#]),
    ("tool_choice", &[r#""none""#, r#""auto""#]),
    ("tools", &["[]"]),
    ("top_logprobs", &["0"]),
    ("verbosity", &[r#""medium""#]),
    ("web_search_options", &[]),
];

/// The id of a tool's call only says which call a result belongs to; the order of the
/// messages says that too.
const MESSAGE_HARMLESS: &[&str] = &["tool_call_id"];

/// What the clients' own message objects carry empty when an answer is sent back.
const MESSAGE_NEUTRAL: &[Neutral] = &[
    ("annotations", &["[]"]),
    ("audio", &[]),
    ("function_call", &[]),
    ("name", &[]),
    ("refusal", &[]),
    ("tool_calls", &["[]"]),
];

/// Hints to a cache.
const PART_HARMLESS: &[&str] = &["cache_control", "prompt_cache_breakpoint"];

/// A conversation to continue.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn parse(mut fields: Fields) -> Result<Generation, CallError> {
    let prompt = Prompt::Chat(messages(&mut fields)?);
    if prompt.bytes() == 0 {
        return Err(fields.refuse("messages", "has no text"));
    }
    let generation = options::take(&mut fields, prompt)?;
    fields.finish(&[HARMLESS, HARMLESS_HERE].concat(), &[NEUTRAL, options::NEUTRAL].concat())?;
    Ok(generation)
}

fn messages(fields: &mut Fields) -> Result<Vec<Message>, CallError> {
    let messages = match fields.take("messages") {
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(fields.refuse("messages", "is not a list")),
        None => return Err(fields.refuse("messages", "is missing")),
    };
    if messages.len() > PROMPT_MESSAGES_MAX {
        let what = format!("has more than {PROMPT_MESSAGES_MAX} messages");
        return Err(fields.refuse("messages", &what));
    }
    messages.into_iter().enumerate().map(|(index, value)| message(index, value)).collect()
}

fn message(index: usize, value: Value) -> Result<Message, CallError> {
    let mut fields = Fields::of(value, &format!("messages[{index}]"))?;
    let role = role(&mut fields)?;
    let (path, content) = (fields.path("content"), fields.take("content"));
    fields.finish(MESSAGE_HARMLESS, MESSAGE_NEUTRAL)?;
    let content = match content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => join(parts, &path)?,
        Some(_) => return Err(refuse(&path, "is neither a string nor a list of parts")),
        None => return Err(refuse(&path, "is missing")),
    };
    Ok(Message::new(role, content))
}

fn role(fields: &mut Fields) -> Result<Role, CallError> {
    match fields.required_text("role")?.as_str() {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        _ => Err(fields.refuse("role", "is not system, developer, user, assistant or tool")),
    }
}

fn join(parts: Vec<Value>, path: &str) -> Result<String, CallError> {
    let part = |(index, value)| part(value, &format!("{path}[{index}]"));
    parts.into_iter().enumerate().map(part).collect()
}

fn part(value: Value, path: &str) -> Result<String, CallError> {
    let mut fields = Fields::of(value, path)?;
    if fields.required_text("type")? != "text" {
        return Err(refuse(path, "is not text: this call carries text only"));
    }
    let text = fields.text("text")?.ok_or_else(|| fields.refuse("text", "is missing"))?;
    fields.finish(PART_HARMLESS, &[])?;
    Ok(text)
}
