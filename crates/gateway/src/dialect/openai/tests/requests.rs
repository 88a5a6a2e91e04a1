//! What requests become, or which field of them is refused.

use super::super::request::{Generation, body, chat, completion, embedding, fields::Fields};
use super::super::request::{StreamOptions, embedding::Encoding, embedding::Wanted};
use super::super::{SCHEMA_BYTES_MAX, TOOLS_MAX};
use crate::call::CallError;
use ambar_base::ErrorCode;
use ambar_compute::limits::{EMBED_INPUTS_MAX, PROMPT_MESSAGES_MAX, STOP_STRINGS_MAX};
use ambar_compute::{Message, Prompt, Role};
use serde_json::{Value, json};

fn fields(value: &Value) -> Fields {
    body::parse(value.to_string().as_bytes()).unwrap()
}

/// The same request with more fields; a field may be taken away by `null`.
fn with(mut base: Value, more: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    base
}

fn a_chat(more: &Value) -> Value {
    with(json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}), more)
}

fn a_text(more: &Value) -> Value {
    with(json!({"model": "m", "prompt": "hi"}), more)
}

fn an_embedding(more: &Value) -> Value {
    with(json!({"model": "m", "input": "hi"}), more)
}

fn parse_chat(more: &Value) -> Result<Generation, CallError> {
    chat::parse(fields(&a_chat(more)))
}

fn refused<T>(result: Result<T, CallError>, param: &str, what: &Value) {
    let error = result.err().unwrap_or_else(|| panic!("{what} was taken"));
    assert_eq!(error.code, ErrorCode::RequestInvalid, "{what}");
    assert_eq!(error.param.as_deref(), Some(param), "{what}: {}", error.message);
}

#[test]
fn a_plain_chat() {
    let generation = parse_chat(&json!({})).unwrap();
    assert_eq!(generation.model, "m");
    assert_eq!(generation.stream, None);
    let options = generation.options;
    assert_eq!(options.prompt, Prompt::user("hi"));
    assert_eq!((options.max_tokens, options.seed), (None, None));
    assert_eq!((options.temperature, options.top_p), (1.0, 1.0));
    assert!(options.stop.is_empty());
}

#[test]
fn everything_that_a_call_carries() {
    let generation = parse_chat(&json!({
        "max_tokens": 7, "max_completion_tokens": 7, "temperature": 0, "top_p": 0.5,
        "seed": u64::MAX, "stop": ["a", "b"], "stream": true,
        "stream_options": {"include_usage": true, "include_obfuscation": false},
    }));
    let Generation { options, stream, .. } = generation.unwrap();
    assert_eq!(stream, Some(StreamOptions { include_usage: true }));
    assert_eq!((options.max_tokens, options.seed), (Some(7), Some(u64::MAX)));
    assert_eq!((options.temperature, options.top_p), (0.0, 0.5));
    assert_eq!(options.stop, ["a", "b"]);
    let check = |more: Value, expect| {
        assert_eq!(parse_chat(&more).unwrap().options.max_tokens, expect, "{more}");
    };
    check(json!({"max_completion_tokens": 9}), Some(9));
    check(json!({"max_tokens": 9}), Some(9));
    check(json!({"max_tokens": null}), None);
    assert_eq!(parse_chat(&json!({"stop": "x"})).unwrap().options.stop, ["x"]);
}

#[test]
fn roles_and_parts() {
    let messages = json!({"messages": [
        {"role": "system", "content": "a"},
        {"role": "developer", "content": "b"},
        {"role": "user", "content": [
            {"type": "text", "text": "c"},
            {"type": "text", "text": "d", "cache_control": {"type": "ephemeral"}},
        ]},
        {"role": "assistant", "content": "e", "refusal": null, "annotations": [], "tool_calls": null},
        {"role": "tool", "content": "f", "tool_call_id": "1"},
    ]});
    let expect = [
        (Role::System, "a"),
        (Role::System, "b"),
        (Role::User, "cd"),
        (Role::Assistant, "e"),
        (Role::Tool, "f"),
    ];
    let expect = expect.map(|(role, content)| Message::new(role, content));
    let prompt = parse_chat(&messages).unwrap().options.prompt;
    assert_eq!(prompt, Prompt::Chat(expect.to_vec()));
}

#[test]
fn harmless_and_neutral_fields_are_taken() {
    let harmless = json!({
        "user": "u", "metadata": {"a": "b"}, "store": true, "service_tier": "auto",
        "safety_identifier": "s", "prompt_cache_key": "k", "parallel_tool_calls": true,
        "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "n": 1,
        "logprobs": false, "top_logprobs": 0, "tools": [], "tool_choice": "auto",
        "functions": [], "function_call": "none", "response_format": {"type": "text"},
        "modalities": ["text"], "reasoning_effort": "none", "verbosity": "medium",
        "audio": null, "prediction": null, "web_search_options": null, "anything": null,
    });
    parse_chat(&harmless).unwrap();
    let harmless =
        json!({"best_of": 1, "echo": false, "suffix": "", "logprobs": null, "user": "u"});
    completion::parse(fields(&a_text(&harmless))).unwrap();
    embedding::parse(fields(&an_embedding(&json!({"user": "u", "stream": false})))).unwrap();
}

#[test]
fn chats_that_are_refused() {
    let check = |param, more: Value| refused(parse_chat(&more), param, &more);
    check("model", json!({"model": null}));
    check("model", json!({"model": ""}));
    check("model", json!({"model": 1}));
    check("max_tokens", json!({"max_tokens": 0}));
    check("max_tokens", json!({"max_tokens": 1.5}));
    check("max_tokens", json!({"max_tokens": u64::from(u32::MAX) + 1}));
    check("max_completion_tokens", json!({"max_completion_tokens": -1}));
    check("max_completion_tokens", json!({"max_tokens": 1, "max_completion_tokens": 2}));
    check("temperature", json!({"temperature": 2.1}));
    check("temperature", json!({"temperature": -0.1}));
    check("temperature", json!({"temperature": "hot"}));
    check("top_p", json!({"top_p": 0}));
    check("top_p", json!({"top_p": 1e-60}));
    check("top_p", json!({"top_p": 1.01}));
    check("seed", json!({"seed": -1}));
    check("stop", json!({"stop": 1}));
    check("stop", json!({"stop": ""}));
    check("stop", json!({"stop": vec!["x"; STOP_STRINGS_MAX + 1]}));
    check("stop[1]", json!({"stop": ["x", 1]}));
    check("stream", json!({"stream": 1}));
    check("stream_options", json!({"stream_options": {"include_usage": true}}));
    check("stream_options", json!({"stream": true, "stream_options": 1}));
    let options = json!({"stream": true, "stream_options": {"include_obfuscation": true}});
    check("stream_options.include_obfuscation", options);
}

#[test]
fn what_changes_the_answer_goes_on_as_it_was_written() {
    let check = |name: &str, value: Value| {
        let extras = parse_chat(&json!({ name: value })).unwrap().options.extras;
        assert_eq!(extras.fields, *json!({ name: value }).as_object().unwrap(), "{name}");
        assert_eq!((extras.messages, extras.hints.is_empty()), (None, true), "{name}");
    };
    check("frequency_penalty", json!(0.5));
    check("presence_penalty", json!(-1));
    check("logit_bias", json!({"50256": -100}));
    check("logprobs", json!(true));
    check("top_logprobs", json!(2));
    check("tools", json!([{"type": "function", "function": {"name": "f"}}]));
    check("tool_choice", json!("required"));
    check("functions", json!([{"name": "f"}]));
    check("response_format", json!({"type": "json_object"}));
    check("response_format", json!({"type": "json_schema", "json_schema": {}}));
    check("modalities", json!(["text", "audio"]));
    check("audio", json!({"voice": "alloy", "format": "wav"}));
    check("reasoning_effort", json!("high"));
    check("verbosity", json!("low"));
    check("temperatur", json!(0));
    assert_eq!(parse_chat(&json!({"n": 3})).unwrap().options.choices, 3);
    let hints = parse_chat(&json!({"user": "u", "n": null})).unwrap().options.extras;
    assert!(hints.is_empty() && hints.hints["user"] == "u");
    let kept = json!({"parallel_tool_calls": false, "tools": [{"type": "function"}]});
    assert_eq!(parse_chat(&kept).unwrap().options.extras.fields["parallel_tool_calls"], false);
}

#[test]
fn what_the_gateway_sets_is_refused_under_other_names() {
    let check = |param: &str, value: Value| {
        let more = json!({ param: value });
        refused(parse_chat(&more), param, &more);
    };
    check("n_predict", json!(100_000));
    check("max_new_tokens", json!(9));
    check("best_of", json!(2));
    check("n", json!(0));
    check("n", json!(129));
    check("n", json!("1"));
    check("tools", json!("f"));
    check("tools", json!(vec![json!({}); TOOLS_MAX + 1]));
    check("tools", json!([{"description": "x".repeat(SCHEMA_BYTES_MAX)}]));
    check("response_format", json!({"schema": "x".repeat(SCHEMA_BYTES_MAX)}));
    let more = json!({"tools": [1]});
    refused(parse_chat(&more), "tools[0]", &more);
    parse_chat(&json!({"best_of": 1, "ignore_eos": false})).unwrap();
}

#[test]
fn messages_that_hold_more_than_text_go_on_as_they_were_written() {
    let check = |message: Value, text: &str| {
        let messages = json!([{"role": "user", "content": "hi"}, message]);
        let options = parse_chat(&json!({ "messages": messages })).unwrap().options;
        assert_eq!(options.extras.messages.as_ref(), messages.as_array(), "{message}");
        let Prompt::Chat(said) = options.prompt else { panic!("{message} is no chat") };
        assert_eq!(said[1].content, text, "{message}");
    };
    let image = json!({"type": "image_url", "image_url": {"url": "https://a/b.png"}});
    let text = json!({"type": "text", "text": "see"});
    check(json!({"role": "user", "content": [text, image]}), "see");
    check(json!({"role": "user", "content": "hi", "name": "Ada"}), "hi");
    check(json!({"role": "assistant", "tool_calls": [{"id": "1"}]}), "");
    check(json!({"role": "assistant", "content": null, "refusal": "no"}), "");
    check(json!({"role": "tool", "content": "4", "tool_call_id": "1"}), "4");
    // What clients send back empty is nothing.
    let empty = json!([{"role": "assistant", "content": "a", "tool_calls": [], "refusal": null}]);
    let plain = parse_chat(&json!({ "messages": empty })).unwrap().options.extras;
    assert_eq!(plain.messages, None);
}

#[test]
fn messages_that_are_refused() {
    let check = |param, messages: Value| {
        let more = json!({"messages": messages});
        refused(parse_chat(&more), param, &more);
    };
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    check("messages", json!(null));
    check("messages", json!("hi"));
    check("messages", json!([]));
    check("messages", user(json!("")));
    check(
        "messages",
        json!(vec![json!({"role": "user", "content": "x"}); PROMPT_MESSAGES_MAX + 1]),
    );
    check("messages[0]", json!(["hi"]));
    check("messages[0].role", json!([{"content": "hi"}]));
    check("messages[0].role", json!([{"role": "function", "content": "hi"}]));
    check("messages[0].content", json!([{"role": "user"}]));
    check("messages[0].content", json!([{"role": "assistant", "content": null}]));
    check("messages[0].content", user(json!(1)));
    check("messages[0].content[0]", user(json!(["hi"])));
    check("messages[0].content[0].type", user(json!([{"text": "hi"}])));
    check("messages[0].content[0].text", user(json!([{"type": "text"}])));
}

#[test]
fn text_completions() {
    let taken = |prompt: Value| {
        let request = a_text(&json!({"prompt": prompt, "max_tokens": 3}));
        let options = completion::parse(fields(&request)).unwrap().options;
        assert_eq!(options.prompt, Prompt::Text("hi".to_owned()));
        assert_eq!(options.max_tokens, Some(3));
    };
    taken(json!("hi"));
    taken(json!(["hi"]));
    let check =
        |param, more: Value| refused(completion::parse(fields(&a_text(&more))), param, &more);
    check("prompt", json!({"prompt": null}));
    check("prompt", json!({"prompt": ""}));
    check("prompt", json!({"prompt": 1}));
    check("prompt", json!({"prompt": []}));
    check("prompt", json!({"prompt": [1, 2]}));
    check("prompt", json!({"prompt": [[1], [2]]}));
    check("prompt", json!({"prompt": ["a", "b"]}));
    check("prompt[1]", json!({"prompt": ["a", 1]}));
    check("best_of", json!({"best_of": 2}));
    let more = json!({"echo": true, "suffix": "end", "logprobs": 0});
    let extras = completion::parse(fields(&a_text(&more))).unwrap().options.extras;
    assert_eq!(extras.fields, *more.as_object().unwrap());
}

#[test]
fn embeddings() {
    let check = |more: Value, inputs: &[&str], dimensions, encoding| {
        let asked = embedding::parse(fields(&an_embedding(&more))).unwrap();
        assert_eq!(asked.job.inputs, inputs);
        assert_eq!(asked.wanted, Wanted { inputs: inputs.len(), dimensions, encoding });
    };
    check(json!({}), &["hi"], None, Encoding::Float);
    check(json!({"encoding_format": "base64"}), &["hi"], None, Encoding::Base64);
    let more = json!({"input": ["a", ""], "encoding_format": "float", "dimensions": 2});
    check(more, &["a", ""], Some(2), Encoding::Float);
    let more = json!({"dimensions": 2, "task": "query", "user": "u", "encoding_format": "base64"});
    let extras = embedding::parse(fields(&an_embedding(&more))).unwrap().job.extras;
    assert_eq!(Value::Object(extras.fields), json!({"dimensions": 2, "task": "query"}));
    assert_eq!(Value::Object(extras.hints), json!({"user": "u"}));
    let check = |param, more: Value| {
        refused(embedding::parse(fields(&an_embedding(&more))), param, &more);
    };
    check("model", json!({"model": null}));
    check("input", json!({"input": null}));
    check("input", json!({"input": []}));
    check("input", json!({"input": 1}));
    check("input", json!({"input": [1, 2]}));
    check("input", json!({"input": [[1], [2]]}));
    check("input[1]", json!({"input": ["a", {}]}));
    check("input", json!({"input": vec!["a"; EMBED_INPUTS_MAX + 1]}));
    check("dimensions", json!({"dimensions": 0}));
    check("dimensions", json!({"dimensions": 1.5}));
    check("encoding_format", json!({"encoding_format": "int8"}));
    check("stream", json!({"stream": true}));
}
