//! Answers that are more than one text: choices, tool calls, probabilities, and responses.

use super::super::read::{piece_of, transcript_of};
use super::super::request::input_of;
use super::super::{CHAT, RESPONSES};
use super::fake::{Fake, Script, body, done, error, header_of, json, summary, text};
use crate::call::{CallError, CallEvent, Job, Piece, Summary};
use crate::transcript::Transcript;
use ambar_base::ErrorCode;
use ambar_compute::Finish;
use axum::http::StatusCode;
use serde_json::{Value, json as object};

fn piece(choice: u32, text: &str, rest: &Value, reason: Option<&str>) -> CallEvent {
    CallEvent::Piece(Box::new(Piece {
        rest: rest.as_object().cloned().unwrap_or_default(),
        finish_reason: reason.map(str::to_owned),
        ..Piece::text(choice, text)
    }))
}

fn call(index: Option<u64>, arguments: &str) -> Value {
    let mut call = object!({"id": "c1", "type": "function",
        "function": {"name": "f", "arguments": arguments}});
    index.into_iter().for_each(|index| call["index"] = index.into());
    object!({ "tool_calls": [call] })
}

fn a_chat(more: &Value) -> String {
    let mut request = object!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request.to_string()
}

fn a_response(more: &Value) -> String {
    let mut request = object!({"model": "m", "input": "hi"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request.to_string()
}

/// Everything that can stand in an answer.
fn rich() -> Vec<CallEvent> {
    vec![
        piece(0, "", &object!({"reasoning_content": "Hm."}), None),
        text("Let me "),
        text("see."),
        piece(0, "", &call(Some(0), "{\"a\""), None),
        piece(
            0,
            "",
            &object!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
            None,
        ),
        CallEvent::Done(summary(Finish::ToolCalls).into()),
    ]
}

fn transcript(events: &[CallEvent]) -> Transcript {
    let mut transcript = Transcript::default();
    for event in events {
        match event {
            CallEvent::Text(text) => transcript.say(text),
            CallEvent::Piece(piece) => transcript.add(piece),
            _ => {}
        }
    }
    transcript
}

/// The data of a stream's events, in order.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn tool_calls_are_answered() {
    let fake = Fake::new(Script::Play(rich()));
    let answer = json(fake.post(CHAT, &a_chat(&object!({}))).await).await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], "Let me see.");
    assert_eq!(choice["message"]["refusal"], Value::Null);
    assert_eq!(choice["message"]["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
    let only = vec![piece(0, "", &call(None, "{}"), Some("tool_calls")), done()];
    let answer = json(Fake::new(Script::Play(only)).post(CHAT, &a_chat(&object!({}))).await).await;
    assert_eq!(answer["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
}

#[tokio::test]
async fn what_is_hashed_is_what_a_client_reads() {
    let expect = transcript(&rich()).output();
    let read = |answer: &Value| transcript_of(answer).unwrap().output();
    let chat = json(Fake::new(Script::Play(rich())).post(CHAT, &a_chat(&object!({}))).await).await;
    assert_eq!(read(&chat), expect);
    let response = Fake::new(Script::Play(rich())).post(RESPONSES, &a_response(&object!({}))).await;
    assert_eq!(read(&json(response).await), expect);
    let streaming = object!({"stream": true});
    let chunks = Fake::new(Script::Play(rich())).post(CHAT, &a_chat(&streaming)).await;
    let mut heard = Transcript::default();
    for chunk in events(&body(chunks).await) {
        heard.add(&piece_of(&chunk["choices"][0]).unwrap());
    }
    assert_eq!(heard.output(), expect);
    let typed = Fake::new(Script::Play(rich())).post(RESPONSES, &a_response(&streaming)).await;
    let typed = events(&body(typed).await);
    assert_eq!(read(&typed.last().unwrap()["response"]), expect);
}

#[tokio::test]
async fn choices_are_answered_and_streamed() {
    let script = || {
        Script::Play(vec![
            piece(1, "b", &Value::Null, None),
            text("a"),
            piece(1, "", &Value::Null, Some("length")),
            done(),
        ])
    };
    let answer = json(Fake::new(script()).post(CHAT, &a_chat(&object!({"n": 2}))).await).await;
    let said = |choice: &Value| {
        (
            choice["index"].clone(),
            choice["message"]["content"].clone(),
            choice["finish_reason"].clone(),
        )
    };
    let choices: Vec<_> = answer["choices"].as_array().unwrap().iter().map(said).collect();
    let expect = [(0, "a", "stop"), (1, "b", "length")]
        .map(|(index, text, reason)| (index.into(), text.into(), reason.into()));
    assert_eq!(choices, expect);
    let streamed =
        Fake::new(script()).post(CHAT, &a_chat(&object!({"n": 2, "stream": true}))).await;
    let streamed = events(&body(streamed).await);
    for choice in [0, 1] {
        let own = streamed.iter().map(|chunk| &chunk["choices"][0]);
        let own: Vec<_> = own.filter(|own| own["index"] == choice).collect();
        assert_eq!(own[0]["delta"]["role"], "assistant", "{choice}");
        let ends = own.iter().filter(|own| !own["finish_reason"].is_null()).count();
        assert_eq!(ends, 1, "{choice}");
        assert!(!own.last().unwrap()["finish_reason"].is_null(), "{choice}");
    }
}

#[tokio::test]
async fn probabilities_pass() {
    let logprobs = object!({"content": [{"token": "a", "logprob": -0.5}]});
    let said = Piece { logprobs: Some(logprobs.clone()), ..Piece::text(0, "a") };
    let script = vec![CallEvent::Piece(Box::new(said)), done()];
    let fake = Fake::new(Script::Play(script));
    let answer = json(fake.post(CHAT, &a_chat(&object!({"logprobs": true}))).await).await;
    assert_eq!(answer["choices"][0]["logprobs"], logprobs);
    let Job::Generate(options) = fake.last().job else { panic!("a generation was asked for") };
    assert_eq!(options.extras.fields["logprobs"], true);
}

#[tokio::test]
async fn typed_events_come_in_order_and_numbered() {
    let asked = a_response(&object!({"stream": true}));
    let response = Fake::new(Script::Play(rich())).post(RESPONSES, &asked).await;
    let stream = body(response).await;
    assert!(stream.ends_with(": ambar-receipt 3-17\n\ndata: [DONE]\n\n"), "{stream}");
    let events = events(&stream);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["response.created", "response.in_progress"]);
    assert_eq!(kinds.last(), Some(&"response.completed"));
    let text = |kind: &str| -> String {
        let own = events.iter().filter(|event| event["type"] == kind);
        own.map(|event| event["delta"].as_str().unwrap()).collect()
    };
    assert_eq!(text("response.output_text.delta"), "Let me see.");
    assert_eq!(text("response.reasoning_text.delta"), "Hm.");
    assert_eq!(text("response.function_call_arguments.delta"), "{\"a\":1}");
    // Every item that begins ends, as the last event has it.
    let items = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(items("response.output_item.added"), 3);
    let done = events.iter().filter(|event| event["type"] == "response.output_item.done");
    let done: Vec<_> = done.map(|event| event["item"].clone()).collect();
    assert_eq!(Value::Array(done), events.last().unwrap()["response"]["output"]);
}

#[tokio::test]
async fn a_plain_response() {
    let fake = Fake::new(Script::Play(vec![
        text("Hello"),
        CallEvent::Done(summary(Finish::Length).into()),
    ]));
    let response = fake.post(RESPONSES, &a_response(&object!({"instructions": "be brief"}))).await;
    assert_eq!(header_of(&response, "ambar-price"), "0.000120000");
    let answer = json(response).await;
    assert_eq!(answer["id"], "resp_3-17");
    assert_eq!((&answer["object"], &answer["store"]), (&object!("response"), &object!(false)));
    assert_eq!(answer["status"], "incomplete");
    assert_eq!(answer["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(answer["output"][0]["content"][0]["text"], "Hello");
    assert_eq!(answer["usage"]["total_tokens"], 7);
    let Job::Generate(options) = fake.last().job else { panic!("a generation was asked for") };
    assert_eq!(options.prompt.bytes(), "be brief".len() + "hi".len());
}

#[tokio::test]
async fn what_an_engine_had_read_before_is_said_by_every_route() {
    let script = |cached| {
        let done = Summary { tokens_cached: cached, ..summary(Finish::Stop) };
        Script::Play(vec![text("x"), CallEvent::Done(done.into())])
    };
    let last = |chunks: String| events(&chunks).last().unwrap()["usage"].clone();
    let usage = async |cached, path: &str, asked: &str| -> Value {
        json(Fake::new(script(cached)).post(path, asked).await).await["usage"].clone()
    };
    let details = object!({"cached_tokens": 4});
    let (chat, response) = (a_chat(&object!({})), a_response(&object!({})));
    assert_eq!(usage(Some(4), CHAT, &chat).await["prompt_tokens_details"], details);
    assert_eq!(usage(Some(4), RESPONSES, &response).await["input_tokens_details"], details);
    let streams = a_chat(&object!({"stream": true, "stream_options": {"include_usage": true}}));
    let streamed = Fake::new(script(Some(4))).post(CHAT, &streams).await;
    assert_eq!(last(body(streamed).await)["prompt_tokens_details"], details);
    // What is not known is left out, but for the route whose clients want a number.
    assert_eq!(usage(None, CHAT, &chat).await.get("prompt_tokens_details"), None);
    let zero = object!({"cached_tokens": 0});
    assert_eq!(usage(None, RESPONSES, &response).await["input_tokens_details"], zero);
}

#[tokio::test]
async fn responses_are_conversations() {
    let asked = |more: Value| input_of(RESPONSES, a_response(&more).as_bytes());
    let chat = |more: Value| input_of(CHAT, a_chat(&more).as_bytes());
    assert_eq!(asked(object!({})), Some(("hi".to_owned(), false)));
    let flat = object!({"tools": [{"type": "function", "name": "f", "parameters": {}}]});
    let nested = object!({"type": "function", "function": {"name": "f", "parameters": {}}});
    assert_eq!(asked(flat), chat(object!({"tools": [nested]})));
    let format = object!({"type": "json_schema", "name": "n", "schema": {}});
    let named = object!({"type": "json_schema", "json_schema": {"name": "n", "schema": {}}});
    assert_eq!(
        asked(object!({"text": {"format": format}})),
        chat(object!({"response_format": named}))
    );
    let items = object!([
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "id": "x"},
        {"type": "function_call_output", "call_id": "c", "output": "4"},
    ]);
    let function = object!({"name": "f", "arguments": "{}"});
    let messages = object!([
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": null,
            "tool_calls": [{"id": "c", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c", "content": "4"},
    ]);
    assert_eq!(asked(object!({ "input": items })), chat(object!({ "messages": messages })));
}

#[tokio::test]
async fn what_a_response_cannot_be_is_refused_by_name() {
    let check = async |param: &str, more: Value| {
        let fake = Fake::new(Script::Play(vec![text("x"), done()]));
        let response = fake.post(RESPONSES, &a_response(&more)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{more}");
        let error = error(response).await;
        assert_eq!(
            (&error["param"], &error["code"]),
            (&object!(param), &object!("invalid_request"))
        );
        assert!(fake.asked.lock().unwrap().is_empty());
    };
    check("previous_response_id", object!({"previous_response_id": "r"})).await;
    check("store", object!({"store": true})).await;
    check("background", object!({"background": true})).await;
    check("conversation", object!({"conversation": "c"})).await;
    check("tools[0].type", object!({"tools": [{"type": "web_search"}]})).await;
    check("input", object!({"input": null})).await;
    check("input[0].type", object!({"input": [{"type": "item_reference", "id": "x"}]})).await;
    check("max_output_tokens", object!({"max_output_tokens": 0})).await;
    check("text.format.type", object!({"text": {"format": {"type": "xml"}}})).await;
    check("include[0]", object!({"include": ["file_search_call.results"]})).await;
    check("surprise", object!({"surprise": 1})).await;
    let fine = Fake::new(Script::Play(vec![text("x"), done()]));
    let taken = object!({"store": false, "background": false, "truncation": "disabled"});
    let response = fine.post(RESPONSES, &a_response(&taken)).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_busy_engine_says_when_to_come_again() {
    let busy = CallError::new(ErrorCode::EngineBusy, "busy");
    let busy = CallError { retry_after_ms: Some(1_500), ..busy };
    let response = Fake::new(Script::Refuse(busy)).post(CHAT, &a_chat(&object!({}))).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header_of(&response, "retry-after"), "2");
    assert_eq!(header_of(&response, "retry-after-ms"), "1500");
    assert_eq!(header_of(&response, "x-should-retry"), "true");
}
