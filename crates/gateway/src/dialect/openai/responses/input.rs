//! From the items of a request's `input` to the messages of a conversation.

use super::super::request::fields::{Fields, Neutral, refuse};
use crate::call::CallError;
use ambar_compute::limits::PROMPT_MESSAGES_MAX;
use serde_json::{Map, Value, json};

/// What an answer's items carry when they are sent back.
const ITEM_HARMLESS: &[&str] = &["id", "phase", "status"];
/// What an answer's parts carry empty when they are sent back.
const PART_NEUTRAL: &[Neutral] = &[("annotations", &["[]"]), ("logprobs", &["[]"])];

/// The conversation that instructions and input stand for.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), naming the item.
pub fn messages(
    instructions: Option<String>,
    input: Option<Value>,
) -> Result<Vec<Value>, CallError> {
    let mut messages = Vec::new();
    messages.extend(instructions.map(|text| json!({"role": "system", "content": text})));
    let items = match input {
        Some(Value::String(text)) => {
            messages.push(json!({"role": "user", "content": text}));
            return Ok(messages);
        }
        Some(Value::Array(items)) => items,
        Some(_) => return Err(refuse("input", "is neither a string nor a list of items")),
        None => return Err(refuse("input", "is missing")),
    };
    if items.len() > PROMPT_MESSAGES_MAX {
        return Err(refuse("input", &format!("has more than {PROMPT_MESSAGES_MAX} items")));
    }
    for (index, item) in items.into_iter().enumerate() {
        take(&mut messages, Fields::of(item, &format!("input[{index}]"))?)?;
    }
    Ok(messages)
}

fn take(messages: &mut Vec<Value>, mut item: Fields) -> Result<(), CallError> {
    let kind = item.text("type")?;
    match kind.as_deref() {
        None | Some("message") => messages.push(message(item)?),
        Some("function_call") => call(messages, item)?,
        Some("function_call_output") => messages.push(output(item)?),
        // What a model thought: a conversation goes on without it.
        Some("reasoning") => {}
        Some(_) => return Err(item.refuse("type", "is no item that a call carries")),
    }
    Ok(())
}

fn message(mut item: Fields) -> Result<Value, CallError> {
    let role = item.required_text("role")?;
    if !matches!(role.as_str(), "user" | "assistant" | "system" | "developer") {
        return Err(item.refuse("role", "is not user, assistant, system or developer"));
    }
    let mut message = Map::new();
    message.insert("role".into(), role.into());
    let path = item.path("content");
    let content = match item.take("content") {
        Some(Value::Array(parts)) => {
            let mut carried = Vec::new();
            for (index, value) in parts.into_iter().enumerate() {
                let part = Fields::of(value, &format!("{path}[{index}]"))?;
                carried.extend(take_part(&mut message, part)?);
            }
            Value::Array(carried)
        }
        Some(Value::String(text)) => text.into(),
        Some(_) => return Err(refuse(&path, "is neither a string nor a list of parts")),
        None => return Err(refuse(&path, "is missing")),
    };
    message.insert("content".into(), content);
    item.finish(ITEM_HARMLESS, &[])?;
    Ok(message.into())
}

/// A part of a message's content; a refusal becomes a member of the message.
fn take_part(
    message: &mut Map<String, Value>,
    mut part: Fields,
) -> Result<Option<Value>, CallError> {
    let kind = part.required_text("type")?;
    let carried = match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            let text = part.text("text")?.ok_or_else(|| part.refuse("text", "is missing"))?;
            Some(json!({"type": "text", "text": text}))
        }
        "refusal" => {
            message.insert("refusal".into(), part.required_text("refusal")?.into());
            None
        }
        "input_image" => {
            let url = part.required_text("image_url")?;
            let detail = part.text("detail")?.unwrap_or_else(|| "auto".to_owned());
            Some(json!({"type": "image_url", "image_url": {"url": url, "detail": detail}}))
        }
        "input_file" => {
            let (data, name) = (part.required_text("file_data")?, part.text("filename")?);
            Some(json!({"type": "file", "file": {"file_data": data, "filename": name}}))
        }
        "input_audio" => {
            let audio = part.take("input_audio");
            let audio = audio.ok_or_else(|| part.refuse("input_audio", "is missing"))?;
            Some(json!({"type": "input_audio", "input_audio": audio}))
        }
        _ => return Err(part.refuse("type", "is no part that a call carries")),
    };
    part.finish(&[], PART_NEUTRAL)?;
    Ok(carried)
}

/// A call of a tool belongs to what the model said just before.
fn call(messages: &mut Vec<Value>, mut item: Fields) -> Result<(), CallError> {
    let (id, name) = (item.required_text("call_id")?, item.required_text("name")?);
    let arguments = item.text("arguments")?.unwrap_or_default();
    item.finish(ITEM_HARMLESS, &[])?;
    let function = json!({"name": name, "arguments": arguments});
    let call = json!({"id": id, "type": "function", "function": function});
    let last = messages.last_mut().and_then(Value::as_object_mut);
    match last.filter(|last| last["role"] == "assistant") {
        Some(last) => {
            let calls = last.entry("tool_calls").or_insert_with(|| json!([]));
            calls.as_array_mut().into_iter().for_each(|calls| calls.push(call.clone()));
        }
        None => messages.push(json!({"role": "assistant", "content": null, "tool_calls": [call]})),
    }
    Ok(())
}

fn output(mut item: Fields) -> Result<Value, CallError> {
    let id = item.required_text("call_id")?;
    let path = item.path("output");
    let content = match item.take("output") {
        Some(Value::String(text)) => Value::String(text),
        Some(Value::Array(parts)) => {
            let (mut carried, mut unused) = (Vec::new(), Map::new());
            for (index, value) in parts.into_iter().enumerate() {
                let part = Fields::of(value, &format!("{path}[{index}]"))?;
                carried.extend(take_part(&mut unused, part)?);
            }
            Value::Array(carried)
        }
        Some(_) => return Err(refuse(&path, "is neither a string nor a list of parts")),
        None => return Err(refuse(&path, "is missing")),
    };
    item.finish(ITEM_HARMLESS, &[])?;
    Ok(json!({"role": "tool", "tool_call_id": id, "content": content}))
}
