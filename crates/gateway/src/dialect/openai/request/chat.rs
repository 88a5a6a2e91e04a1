//! `/v1/chat/completions`: conversations.
//!
//! The text parts of a message are joined as they stand: no byte is added that the client did
//! not send. `developer` is another word for `system`. Messages that hold more than text go on
//! to the engine as they were written.

use super::fields::{Neutral, refuse};
use super::{Fields, Generation, options};
use crate::call::CallError;
use ambar_compute::limits::PROMPT_MESSAGES_MAX;
use ambar_compute::{Message, Prompt, Role};
use serde_json::{Map, Value};

/// Values of fields of this route at which they change nothing.
const NEUTRAL: &[Neutral] = &[
    ("function_call", &[r#""none""#, r#""auto""#]),
    ("functions", &["[]"]),
    ("logprobs", &["false"]),
    ("modalities", &[r#"["text"]"#]),
    ("response_format", &[r#"{"type":"text"}"#]),
    ("tools", &["[]"]),
    ("top_logprobs", &["0"]),
];

/// Of which nothing can be said when there are no tools.
const OF_TOOLS: &[Neutral] =
    &[("parallel_tool_calls", &["true", "false"]), ("tool_choice", &[r#""none""#, r#""auto""#])];

/// Which are as a model would have them anyway.
const OF_MODEL: &[Neutral] =
    &[("reasoning_effort", &[r#""none""#]), ("verbosity", &[r#""medium""#])];

/// What the clients' own message objects carry empty when an answer is sent back.
const MESSAGE_EMPTY: &[&str] = &["annotations", "tool_calls"];

/// Hints to a cache, in a part.
const PART_HARMLESS: &[&str] = &["cache_control", "prompt_cache_breakpoint"];

/// A conversation to continue.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn parse(mut fields: Fields) -> Result<Generation, CallError> {
    let written = messages(&mut fields)?;
    let said = |(index, value)| message(index, value);
    let read: Vec<(Message, bool)> =
        written.iter().enumerate().map(said).collect::<Result<_, _>>()?;
    let beyond = read.iter().any(|(_, beyond)| *beyond);
    let prompt = Prompt::Chat(read.into_iter().map(|(message, _)| message).collect());
    if prompt.bytes() == 0 && !beyond {
        return Err(fields.refuse("messages", "has no text"));
    }
    let tools = ["tools", "functions"].iter().filter_map(|name| fields.get(name));
    let has_tools = tools.flat_map(Value::as_array).any(|tools| !tools.is_empty());
    let of_tools = if has_tools { &[][..] } else { OF_TOOLS };
    let neutral = [NEUTRAL, of_tools, OF_MODEL].concat();
    let mut generation = options::take(fields, prompt, &neutral)?;
    generation.options.extras.messages = beyond.then_some(written);
    Ok(generation)
}

fn messages(fields: &mut Fields) -> Result<Vec<Value>, CallError> {
    let messages = match fields.take("messages") {
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(fields.refuse("messages", "is not a list")),
        None => return Err(fields.refuse("messages", "is missing")),
    };
    if messages.len() > PROMPT_MESSAGES_MAX {
        let what = format!("has more than {PROMPT_MESSAGES_MAX} messages");
        return Err(fields.refuse("messages", &what));
    }
    Ok(messages)
}

/// The text of a message, and whether it says more than that.
fn message(index: usize, value: &Value) -> Result<(Message, bool), CallError> {
    let path = format!("messages[{index}]");
    let members = value.as_object().ok_or_else(|| refuse(&path, "is not an object"))?;
    let role = role(members, &path)?;
    let mut beyond = says_more(members);
    let content_path = format!("{path}.content");
    let text = match members.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let (text, more) = join(parts, &content_path)?;
            beyond |= more;
            text
        }
        None | Some(Value::Null) if beyond => String::new(),
        None | Some(Value::Null) => return Err(refuse(&content_path, "is missing")),
        Some(_) => return Err(refuse(&content_path, "is neither a string nor a list of parts")),
    };
    Ok((Message::new(role, text), beyond))
}

/// Whether a message has members beside role and content that say something.
fn says_more(members: &Map<String, Value>) -> bool {
    members.iter().any(|(name, value)| match value {
        Value::Null => false,
        Value::Array(items) if MESSAGE_EMPTY.contains(&name.as_str()) => !items.is_empty(),
        _ => name != "role" && name != "content",
    })
}

fn role(members: &Map<String, Value>, path: &str) -> Result<Role, CallError> {
    let path = format!("{path}.role");
    match members.get("role").and_then(Value::as_str) {
        Some("system" | "developer") => Ok(Role::System),
        Some("user") => Ok(Role::User),
        Some("assistant") => Ok(Role::Assistant),
        Some("tool") => Ok(Role::Tool),
        Some(_) => Err(refuse(&path, "is not system, developer, user, assistant or tool")),
        None => Err(refuse(&path, "is missing or not a string")),
    }
}

/// The text of the parts, and whether there are others.
fn join(parts: &[Value], path: &str) -> Result<(String, bool), CallError> {
    let (mut joined, mut beyond) = (String::new(), false);
    for (index, part) in parts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let members = part.as_object().ok_or_else(|| refuse(&path, "is not an object"))?;
        let kind = members.get("type").and_then(Value::as_str);
        match kind.ok_or_else(|| refuse(&format!("{path}.type"), "is missing"))? {
            "text" => {
                let text = members.get("text").and_then(Value::as_str);
                joined += text
                    .ok_or_else(|| refuse(&format!("{path}.text"), "is missing or not a string"))?;
                let known = |name: &str| matches!(name, "type" | "text");
                let hint = |name: &str| PART_HARMLESS.contains(&name);
                beyond |= members
                    .iter()
                    .any(|(name, value)| !known(name) && !hint(name) && !value.is_null());
            }
            _ => beyond = true,
        }
    }
    Ok((joined, beyond))
}
