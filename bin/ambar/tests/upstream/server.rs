//! A server that speaks the OpenAI dialect as far as an upstream engine is asked, with an answer
//! for each thing that a request can say; and a proxy that loses requests or answers.

use crate::support::http::Request;
use crate::support::server::{listen, read, respond};
use serde_json::{Value, json};
use std::io::BufReader;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The secret that the server wants.
pub const SECRET: &str = "s3cret-of-the-upstream";

/// By this key the server has read a part of the prompt before.
pub const CACHED: &str = "known";

/// Starts the server; its URL and the bodies that it was asked with.
pub fn upstream() -> (String, Arc<Mutex<Vec<Value>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let url = listen(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(came) = read(&mut reader) {
            if came.header("authorization") != Some(&format!("Bearer {SECRET}")) {
                respond(&mut stream, "401 No", "application/json", "{}");
                continue;
            }
            let body: Value = serde_json::from_slice(&came.body).unwrap_or_default();
            seen.lock().unwrap().push(body.clone());
            answer(&mut stream, &body);
        }
    });
    (url, asked)
}

fn answer(stream: &mut TcpStream, body: &Value) {
    if body["temperature"] == 2.0 {
        let error = json!({"error": {"message": "too hot for me", "param": "temperature"}});
        return respond(stream, "400 Bad", "application/json", &error.to_string());
    }
    if let Some(inputs) = body["input"].as_array() {
        if body["task"] == "none" {
            let error = json!({"error": {"message": "no such task", "param": "task"}});
            return respond(stream, "400 Bad", "application/json", &error.to_string());
        }
        // As wide as was asked for, with how many tasks were named at its end.
        let width = body["dimensions"].as_u64().unwrap_or(2) as usize;
        let mut vector = vec![0.0; width];
        vector[0] = 1.0;
        vector[width - 1] += f32::from(u8::from(body["task"].is_string()));
        let datum = |index| json!({"index": index, "embedding": vector});
        let data: Vec<Value> = (0..inputs.len()).map(datum).collect();
        let answer = json!({"data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}});
        return respond(stream, "200 OK", "application/json", &answer.to_string());
    }
    let choices = body["n"].as_u64().unwrap_or(1);
    let mut usage = json!({"prompt_tokens": 7, "completion_tokens": 3 * choices});
    usage["total_tokens"] = 9.into();
    if body["prompt_cache_key"] == CACHED {
        usage["prompt_tokens_details"] = json!({"cached_tokens": 4});
    }
    if body["stream"] != true {
        let choice = |index| {
            let (message, reason) = said(body, index);
            json!({"index": index, "message": message, "finish_reason": reason})
        };
        let choices: Vec<Value> = (0..choices).map(choice).collect();
        let whole = json!({"object": "chat.completion", "choices": choices, "usage": usage});
        return respond(stream, "200 OK", "application/json", &whole.to_string());
    }
    let mut events = String::new();
    let mut event = |value: &Value| events += &format!("data: {value}\n\n");
    for index in 0..choices {
        let (message, reason) = said(body, index);
        for delta in cut(&message) {
            event(&json!({"choices": [{"index": index, "delta": delta, "finish_reason": null}]}));
        }
        event(&json!({"choices": [{"index": index, "delta": {}, "finish_reason": reason}]}));
    }
    event(&json!({"choices": [], "usage": usage}));
    events += "data: [DONE]\n\n";
    respond(stream, "200 OK", "text/event-stream", &events);
}

/// What the server says to a request.
fn said(body: &Value, index: u64) -> (Value, &'static str) {
    let mut message = json!({"role": "assistant", "content": format!("choice {index}")});
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    if body["tools"].is_array() && last.is_some_and(|last| last["role"] == "user") {
        let function = json!({"name": "weather", "arguments": "{\"city\":\"Porto\"}"});
        message["tool_calls"] = json!([{"id": "call_1", "type": "function", "function": function}]);
        message["content"] = Value::Null;
        return (message, "tool_calls");
    }
    if body["response_format"]["type"] == "json_schema" {
        message["content"] = "{\"city\":\"Porto\",\"degrees\":21}".into();
    } else if let Some(last) = last.filter(|last| last["role"] == "tool") {
        message["content"] = format!("It says {}.", last["content"].as_str().unwrap()).into();
    } else if let Some(parts) = last.and_then(|last| last["content"].as_array()) {
        message["content"] = format!("{} parts", parts.len()).into();
    } else if body["top_k"] == 3 {
        message["content"] = "top_k is 3".into();
    }
    (message, "stop")
}

/// A message as deltas.
fn cut(message: &Value) -> Vec<Value> {
    let mut deltas =
        vec![json!({"role": "assistant", "content": message["content"].as_str().map(|_| "")})];
    for piece in message["content"].as_str().unwrap_or_default().split_inclusive(' ') {
        deltas.push(json!({"content": piece}));
    }
    for call in message["tool_calls"].as_array().into_iter().flatten() {
        let mut first = call.clone();
        (first["index"], first["function"]["arguments"]) = (0.into(), "".into());
        deltas.push(json!({"tool_calls": [first]}));
        for arguments in ["{\"city\":", "\"Porto\"}"] {
            let more = json!({"index": 0, "function": {"arguments": arguments}});
            deltas.push(json!({"tool_calls": [more]}));
        }
    }
    deltas
}

/// Starts a proxy before `node` that loses the first attempt of a request as its header `lose`
/// says: `answer` or `connection`, `before` or `after` the node has it.
pub fn losing(node: String) -> String {
    listen(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(came) = read(&mut reader) {
            let first = came.header("x-stainless-retry-count") == Some("0");
            let lose = came.header("lose").filter(|_| first).unwrap_or_default().to_owned();
            if !lose.ends_with("before") {
                let mut request = Request::post(came.path.clone(), came.body.clone());
                for name in ["authorization", "x-stainless-retry-count"] {
                    if let Some(value) = came.header(name) {
                        request = request.header(name, value);
                    }
                }
                let answer = request.send(&node).unwrap();
                if lose.is_empty() {
                    let kind = answer.header("content-type").unwrap_or_default().to_owned();
                    let status = format!(
                        "{} X\r\nx-should-retry: {}",
                        answer.status,
                        answer.header("x-should-retry").unwrap_or("false")
                    );
                    respond(&mut stream, &status, &kind, &answer.text);
                    continue;
                }
            }
            match lose.split('-').next() {
                Some("answer") => respond(&mut stream, "500 Lost", "application/json", "{}"),
                Some("silence") => thread::sleep(Duration::from_secs(8)),
                _ => {
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
    })
}
