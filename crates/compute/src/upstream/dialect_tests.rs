use super::*;
use proptest::prelude::*;
use serde_json::json;

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[test]
fn chunks_are_taken_apart() {
    let check = |data: &str, expect: Vec<Piece>, tokens_in, tokens_out| {
        let expect = Delta { pieces: expect, tokens_in, tokens_cached: None, tokens_out };
        let said = Delta { tokens_cached: None, ..read_chunk(data, 2).unwrap() };
        assert_eq!(said, expect, "{data}");
    };
    let text = |text: &str| vec![Piece::text(0, text)];
    let ended =
        |reason: &str| vec![Piece { finish_reason: Some(reason.to_owned()), ..Piece::default() }];
    check(r#"{"choices":[{"delta":{"content":"hi"}}]}"#, text("hi"), None, None);
    let begun = r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null}}]}"#;
    check(begun, text(""), None, None);
    check(
        r#"{"choices":[{"text":"hi","finish_reason":null}],"usage":null}"#,
        text("hi"),
        None,
        None,
    );
    let parts = r#"{"choices":[{"delta":{"content":[{"type":"text","text":"hi"}]}}]}"#;
    check(parts, text("hi"), None, None);
    check(r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#, ended("length"), None, None);
    check(r#"{"choices":[{"message":{},"finish_reason":"eos"}]}"#, ended("eos"), None, None);
    let zero = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}"#;
    check(zero, vec![], Some(3), Some(0));
    check(r#"{"choices":[],"usage":{"prompt_tokens":3}}"#, vec![], Some(3), None);
    check("{}", vec![], None, None);
    // llama.cpp says it besides, and usage goes before it.
    let timings = r#"{"timings":{"prompt_n":3,"cache_n":4,"predicted_n":5}}"#;
    check(timings, vec![], Some(7), Some(5));
    let both = r#"{"usage":{"prompt_tokens":1},"timings":{"prompt_n":3,"predicted_n":5}}"#;
    check(both, vec![], Some(1), Some(5));
    let call = json!({"tool_calls": [{"index": 0, "id": "1"}], "refusal": null});
    let said = json!({"choices": [{"index": 1, "delta": call, "logprobs": {"content": []}}]});
    let piece = Piece {
        rest: object(&json!({"tool_calls": [{"index": 0, "id": "1"}]})),
        logprobs: Some(json!({"content": []})),
        ..Piece::text(1, "")
    };
    check(&said.to_string(), vec![piece], None, None);
}

#[test]
fn what_an_upstream_had_read_before_is_believed_within_its_prompt() {
    let check = |usage: Value, expect| {
        let said = read_chunk(&usage.to_string(), 1).unwrap();
        assert_eq!(said.tokens_cached, expect, "{usage}");
    };
    let usage = |prompt: Value, details: Value| {
        let usage = json!({"prompt_tokens": prompt, "prompt_tokens_details": details});
        json!({ "usage": usage })
    };
    let cached = |tokens: Value| json!({ "cached_tokens": tokens });
    check(usage(json!(7), cached(json!(4))), Some(4));
    check(usage(json!(7), cached(json!(7))), Some(7));
    check(usage(json!(7), cached(json!(0))), Some(0));
    check(usage(json!(7), json!({"audio_tokens": 0})), None);
    check(usage(json!(7), Value::Null), None);
    // Nonsense is nothing, and no reason to lose an answer.
    check(usage(json!(7), cached(json!(8))), None);
    check(usage(json!(7), cached(json!(-1))), None);
    check(usage(json!(7), cached(json!(1.5))), None);
    check(usage(json!(7), cached(json!("4"))), None);
    check(usage(json!(7), json!([4])), None);
    check(usage(Value::Null, cached(json!(4))), None);
    check(json!({"timings": {"prompt_n": 3, "cache_n": 4, "predicted_n": 5}}), Some(4));
    check(json!({"timings": {"cache_n": 4}}), None);
}

#[test]
fn what_is_no_chunk_is_an_error() {
    let check = |data: &str, expect: &str| {
        let error = read_chunk(data, 1).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{data}: {error}");
    };
    check(
        r#"{"error":{"message":"out of\n memory","code":1}}"#,
        "upstream reported: out of memory",
    );
    check(r#"{"error":"gone"}"#, "upstream reported: gone");
    check("<html>", "upstream answered in an unexpected form: the answer is not");
    check(r#"{"choices":[{"delta":{"content":7}}]}"#, "upstream answered in an unexpected form");
    check(r#"{"usage":{"prompt_tokens":-1}}"#, "upstream answered in an unexpected form");
    check(r#"{"choices":[{"index":1,"delta":{}}]}"#, "upstream answered in an unexpected form");
}

#[test]
fn embeddings_come_in_the_order_of_the_inputs() {
    let body = r#"{"data":[{"index":1,"embedding":[0,1]},{"index":0,"embedding":[1,0]}],
        "usage":{"prompt_tokens":5}}"#;
    let expect = Embeddings { vectors: vec![vec![1.0, 0.0], vec![0.0, 1.0]], tokens: Some(5) };
    assert_eq!(read_embeddings(body.as_bytes(), 2).unwrap(), expect);
    let body = r#"{"data":[{"embedding":[1]}]}"#;
    let expect = Embeddings { vectors: vec![vec![1.0]], tokens: None };
    assert_eq!(read_embeddings(body.as_bytes(), 1).unwrap(), expect);
    for (body, inputs) in [
        (r#"{"data":[]}"#, 1),
        (r#"{"data":[{"embedding":[]}]}"#, 1),
        (r#"{"data":[{"embedding":[1]}]}"#, 2),
        (r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#, 1),
        (r#"{"data":[{"embedding":[1]},{"embedding":[1,2]}]}"#, 2),
        (r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#, 2),
        (r#"{"data":[{"embedding":[1e99]}]}"#, 1),
        ("<html>", 1),
    ] {
        let result = read_embeddings(body.as_bytes(), inputs);
        assert!(matches!(result, Err(Failure::UpstreamForm { .. })), "{body}: {result:?}");
    }
}

#[test]
fn errors_are_shown_in_one_short_line() {
    let check = |body: &str, expect: &str, param: Option<&str>| {
        let (message, at) = read_error(body.as_bytes());
        assert_eq!((message.as_str(), at.as_deref()), (expect, param));
    };
    check(r#"{"error":{"message":"no such model"}}"#, "no such model", None);
    check(
        r#"{"error":{"message":"too hot","param":"temperature"}}"#,
        "too hot",
        Some("temperature"),
    );
    check(r#"{"detail":"x"}"#, r#"{"detail":"x"}"#, None);
    check("<html>\n  <b>Bad Gateway</b>\n", "<html> <b>Bad Gateway</b>", None);
    check("", "", None);
    let long = "é".repeat(1000);
    assert_eq!(read_error(long.as_bytes()).0.chars().count(), UPSTREAM_ERROR_CHARS_MAX);
}

proptest! {
    #[test]
    fn no_answer_panics(data in ".{0,64}", member in 0_usize..6) {
        let names = ["choices", "usage", "timings", "error", "index", "delta"];
        let _ = read_chunk(&data, 1);
        let near = json!({names[member]: data, "choices": [{names[5 - member]: [data]}]});
        let _ = read_chunk(&near.to_string(), 1);
        let _ = read_error(data.as_bytes());
    }
}

#[test]
fn the_first_model_is_taken() {
    let body = br#"{"data":[{"id":"a"},{"id":"b"}]}"#;
    assert_eq!(read_first_model(body).unwrap(), "a");
    assert!(read_first_model(br#"{"data":[]}"#).is_err());
}
