//! From a request to the conversation that it stands for, and what of it the answer repeats.

use super::super::request::fields::{Fields, Neutral, refuse};
use super::super::request::{Generation, chat};
use super::input;
use crate::call::CallError;
use serde_json::{Map, Value, json};

/// What wants something kept, and why there is nothing.
const KEPT: &[&str] = &["background", "conversation", "previous_response_id", "prompt", "store"];

/// Fields under the same name in both routes.
const SAME: &[&str] = &[
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "stream",
    "temperature",
    "top_p",
    "user",
];

/// Values of fields of this route at which they change nothing.
const NEUTRAL: &[Neutral] = &[("max_tool_calls", &[]), ("truncation", &[r#""disabled""#])];

/// Fields of the conversation, and what they are here.
const NAMES: &[(&str, &str)] = &[
    ("max_tokens", "max_output_tokens"),
    ("messages", "input"),
    ("reasoning_effort", "reasoning.effort"),
    ("response_format", "text.format"),
    ("verbosity", "text.verbosity"),
];

/// What the answer repeats of its request.
pub type Echo = Map<String, Value>;

/// What is asked, and what the answer repeats of it.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`](ambar_base::ErrorCode::RequestInvalid), with the field.
pub fn parse(mut fields: Fields) -> Result<(Generation, Echo), CallError> {
    for name in KEPT {
        if fields.take(name).is_some_and(|value| value != false) {
            let what = "is not supported: answers are not kept, send all of the input each time";
            return Err(fields.refuse(name, what));
        }
    }
    let mut chat = Map::new();
    let mut echo = defaults();
    for name in SAME {
        if let Some(value) = fields.take(name) {
            echo.insert((*name).to_owned(), value.clone());
            chat.insert((*name).to_owned(), value);
        }
    }
    let instructions = fields.text("instructions")?;
    echo.insert("instructions".into(), instructions.clone().into());
    chat.insert("messages".into(), input::messages(instructions, fields.take("input"))?.into());
    take_limit(&mut fields, &mut chat, &mut echo)?;
    take_tools(&mut fields, &mut chat, &mut echo)?;
    take_text(&mut fields, &mut chat, &mut echo)?;
    take_reasoning(&mut fields, &mut chat, &mut echo)?;
    take_included(&mut fields, &mut chat)?;
    if let Some(options) = fields.take("stream_options") {
        // Padding against eavesdroppers is not made here; TLS is.
        Fields::of(options, "stream_options")?.finish(&["include_obfuscation"], &[])?;
    }
    fields.finish(&[], NEUTRAL)?;
    // Not members of the answer.
    echo.remove("stream");
    echo.remove("model");
    Ok((chat::parse(Fields::top(chat)).map_err(renamed)?, echo))
}

fn defaults() -> Echo {
    let defaults = json!({
        "background": false, "max_output_tokens": null, "metadata": {},
        "parallel_tool_calls": true, "previous_response_id": null, "store": false,
        "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
        "tools": [], "top_p": 1.0, "truncation": "disabled",
    });
    defaults.as_object().cloned().unwrap_or_default()
}

/// An error of the conversation, by the names of this route.
fn renamed(error: CallError) -> CallError {
    let Some(param) = &error.param else { return error };
    let named = |(theirs, _): &&(&str, &str)| {
        param.strip_prefix(theirs).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let Some((theirs, ours)) = NAMES.iter().find(named) else { return error };
    // Messages and items are not counted alike: instructions are one, calls share one.
    let param =
        if *theirs == "messages" { (*ours).to_owned() } else { param.replacen(theirs, ours, 1) };
    let message = error.message.replacen(theirs, ours, 1);
    CallError { message, param: Some(param), ..error }
}

fn take_limit(fields: &mut Fields, chat: &mut Echo, echo: &mut Echo) -> Result<(), CallError> {
    if let Some(tokens) = fields.natural("max_output_tokens")? {
        chat.insert("max_tokens".into(), tokens.into());
        echo.insert("max_output_tokens".into(), tokens.into());
    }
    Ok(())
}

fn take_tools(fields: &mut Fields, chat: &mut Echo, echo: &mut Echo) -> Result<(), CallError> {
    if let Some(choice) = fields.take("tool_choice") {
        echo.insert("tool_choice".into(), choice.clone());
        let function = choice.get("name").filter(|_| choice["type"] == "function");
        let function = function.map(|name| json!({"type": "function", "function": {"name": name}}));
        if choice.is_object() && function.is_none() {
            return Err(fields.refuse("tool_choice", "names no function"));
        }
        chat.insert("tool_choice".into(), function.unwrap_or(choice));
    }
    let Some(tools) = fields.take("tools") else { return Ok(()) };
    let Value::Array(tools) = tools else { return Err(fields.refuse("tools", "is not a list")) };
    echo.insert("tools".into(), tools.clone().into());
    let tool = |(index, tool)| function(Fields::of(tool, &format!("tools[{index}]"))?);
    let tools = tools.into_iter().enumerate().map(tool).collect::<Result<Vec<_>, CallError>>()?;
    chat.insert("tools".into(), tools.into());
    Ok(())
}

/// A function is flat here, and nested in a conversation.
fn function(mut tool: Fields) -> Result<Value, CallError> {
    if tool.required_text("type")? != "function" {
        return Err(tool.refuse("type", "is not function: hosted tools are not supported"));
    }
    tool.get("name").ok_or_else(|| tool.refuse("name", "is missing"))?;
    Ok(json!({"type": "function", "function": tool.rest(&[], &[]).fields}))
}

fn take_text(fields: &mut Fields, chat: &mut Echo, echo: &mut Echo) -> Result<(), CallError> {
    let Some(text) = fields.take("text") else { return Ok(()) };
    echo.insert("text".into(), text.clone());
    let mut text = Fields::of(text, "text")?;
    if let Some(verbosity) = text.take("verbosity") {
        chat.insert("verbosity".into(), verbosity);
    }
    if let Some(format) = text.take("format") {
        let mut format = Fields::of(format, "text.format")?;
        let kind = format.required_text("type")?;
        let nested = match kind.as_str() {
            "json_schema" => {
                json!({"type": kind, "json_schema": format.rest(&[], &[]).fields})
            }
            "json_object" | "text" => {
                format.finish(&[], &[])?;
                json!({ "type": kind })
            }
            _ => return Err(format.refuse("type", "is not text, json_object or json_schema")),
        };
        chat.insert("response_format".into(), nested);
    }
    text.finish(&[], &[])
}

fn take_reasoning(fields: &mut Fields, chat: &mut Echo, echo: &mut Echo) -> Result<(), CallError> {
    let Some(reasoning) = fields.take("reasoning") else { return Ok(()) };
    echo.insert("reasoning".into(), reasoning.clone());
    let mut reasoning = Fields::of(reasoning, "reasoning")?;
    if let Some(effort) = reasoning.take("effort") {
        chat.insert("reasoning_effort".into(), effort);
    }
    // A summary is what a server may add; here what a model says of its thoughts is shown.
    reasoning.finish(&["generate_summary", "summary"], &[])
}

fn take_included(fields: &mut Fields, chat: &mut Echo) -> Result<(), CallError> {
    if let Some(top) = fields.natural("top_logprobs")? {
        chat.insert("top_logprobs".into(), top.into());
        if top > 0 {
            chat.insert("logprobs".into(), true.into());
        }
    }
    let included = match fields.take("include") {
        None => return Ok(()),
        Some(Value::Array(included)) => included,
        Some(_) => return Err(fields.refuse("include", "is not a list")),
    };
    for (index, what) in included.iter().enumerate() {
        match what.as_str() {
            Some("message.output_text.logprobs") => {
                chat.insert("logprobs".into(), true.into());
            }
            // There is none.
            Some("reasoning.encrypted_content") => {}
            _ => return Err(refuse(&format!("include[{index}]"), "is not supported")),
        }
    }
    Ok(())
}
