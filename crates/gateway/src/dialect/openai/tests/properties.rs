//! Whatever is sent, the answer is well formed.

use super::super::request::{body, chat, completion, embedding};
use super::super::wire::{self, Head, Shape};
use super::super::{CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES};
use super::fake::{Fake, Script, done, error, header_of, request, text};
use axum::body::Body;
use axum::http::StatusCode;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tokio::runtime::Builder;

/// Names that mean something, so that more than the refusal of unknown ones is met.
const NAMES: &[&str] = &[
    "model",
    "messages",
    "role",
    "content",
    "type",
    "text",
    "prompt",
    "input",
    "stop",
    "stream",
    "stream_options",
    "include_usage",
    "max_tokens",
    "temperature",
    "top_p",
    "seed",
    "n",
    "tools",
    "tool_calls",
    "function",
    "output",
    "call_id",
    "reasoning",
    "dimensions",
    "encoding_format",
    "user",
    "x",
];
const TEXTS: &[&str] = &["", "m", "user", "assistant", "text", "image_url", "base64", "\u{0}é\n"];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..3_u8).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(TEXTS).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop::sample::select(NAMES).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A good request with some of its fields replaced.
fn near_request() -> impl Strategy<Value = Value> {
    let good = json!({
        "model": "m", "messages": [{"role": "user", "content": "hi"}], "prompt": "hi",
        "input": "hi",
    });
    let name = prop::sample::select(NAMES);
    prop::collection::vec((name, any_json()), 0..3).prop_map(move |changes| {
        let mut request = good.clone();
        changes.into_iter().for_each(|(name, value)| request[name] = value);
        request
    })
}

/// Sends it everywhere: an answer, a stream, or an error of the known shape.
fn check(path: &'static str, bytes: Vec<u8>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fake = Fake::new(Script::Play(vec![text("x"), done()]));
        let request = request("POST", path).body(Body::from(bytes)).unwrap();
        let response = fake.send(request).await;
        let asked = fake.asked.lock().unwrap().len();
        if response.status() == StatusCode::OK {
            assert_eq!((asked, header_of(&response, "ambar-receipt").as_str()), (1, "3-17"));
        } else if asked == 0 {
            assert!(response.status().is_client_error(), "{}", response.status());
            error(response).await;
        } else {
            // The script's text is no vector.
            assert_eq!(
                (path, error(response).await["code"].as_str()),
                (EMBEDDINGS, Some("internal_error"))
            );
        }
    });
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&[CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES][..])
}

proptest! {
    #[test]
    fn a_chunk_is_its_text_and_what_stands_around(text: String, usage: bool, chat: bool) {
        let shape = if chat { Shape::Chat } else { Shape::Text };
        let head = Head { shape, id: "\"content\":\"\"".into(), created: 7, model: "m\":\"\"".into() };
        let (before, after) = head.around_text(usage);
        prop_assert_eq!([&before, &wire::json(&text), &after].map(String::as_str).concat(), head.text(usage, &text));
    }

    #[test]
    fn arbitrary_bytes(path in path(), bytes: Vec<u8>) {
        check(path, bytes);
    }

    #[test]
    fn arbitrary_json(path in path(), value in any_json()) {
        check(path, value.to_string().into_bytes());
    }

    #[test]
    fn requests_with_replaced_fields(path in path(), value in near_request()) {
        let mut value = value;
        let members = value.as_object_mut().unwrap();
        let foreign: &[&str] = match path {
            CHAT => &["prompt", "input"],
            COMPLETIONS => &["messages", "input"],
            RESPONSES => &["messages", "prompt"],
            _ => &["messages", "prompt"],
        };
        foreign.iter().for_each(|name| drop(members.remove(*name)));
        check(path, value.to_string().into_bytes());
    }

    #[test]
    fn refusals_name_a_field(value in near_request()) {
        let fields = || body::parse(value.to_string().as_bytes()).unwrap();
        let refusals = [
            chat::parse(fields()).err(),
            completion::parse(fields()).err(),
            embedding::parse(fields()).err(),
        ];
        for refusal in refusals.into_iter().flatten() {
            prop_assert!(refusal.param.is_some(), "{}", refusal.message);
        }
    }
}
