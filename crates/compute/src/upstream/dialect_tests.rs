use super::*;
use crate::{Message, Role};

#[test]
fn requests_say_what_the_job_says() {
    let mut job = GenerateJob::greedy(
        Prompt::Chat(vec![Message::new(Role::System, "be brief"), Message::new(Role::User, "hi")]),
        7,
    );
    let (path, body) = generate_request(&job, "m");
    assert_eq!(path, "chat/completions");
    assert_eq!(
        body,
        json!({
            "model": "m", "max_tokens": 7, "temperature": 0.0, "top_p": 1.0,
            "stream": true, "stream_options": {"include_usage": true},
            "messages": [
                {"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}
            ],
        })
    );
    job.prompt = Prompt::Text("Once".into());
    job.seed = Some(3);
    job.stop = vec!["\n".into()];
    let (path, body) = generate_request(&job, "m");
    assert_eq!(path, "completions");
    assert_eq!(
        (&body["prompt"], &body["seed"], &body["stop"]),
        (&json!("Once"), &json!(3), &json!(["\n"]))
    );
}

#[test]
fn chunks_are_taken_apart() {
    let check = |data: &str, text: &str, finish, tokens_in, tokens_out| {
        let expect = Delta { text: text.into(), finish, tokens_in, tokens_out };
        assert_eq!(read_chunk(data).unwrap(), expect, "{data}");
    };
    check(r#"{"choices":[{"delta":{"content":"hi"}}]}"#, "hi", None, None, None);
    check(r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, "", None, None, None);
    check(
        r#"{"choices":[{"text":"hi","finish_reason":null}],"usage":null}"#,
        "hi",
        None,
        None,
        None,
    );
    check(
        r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#,
        "",
        Some(Finish::Length),
        None,
        None,
    );
    check(
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        "",
        Some(Finish::Stop),
        None,
        None,
    );
    check(
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}"#,
        "",
        None,
        Some(3),
        Some(0),
    );
    check(r#"{"choices":[],"usage":{"prompt_tokens":3}}"#, "", None, Some(3), None);
    check("{}", "", None, None, None);
}

#[test]
fn what_is_no_chunk_is_an_error() {
    let check = |data: &str, expect: &str| {
        let error = read_chunk(data).unwrap_err().to_string();
        assert!(error.starts_with(expect), "{data}: {error}");
    };
    check(
        r#"{"error":{"message":"out of\n memory","code":1}}"#,
        "upstream reported: out of memory",
    );
    check(r#"{"error":"gone"}"#, "upstream reported: gone");
    check("<html>", "upstream answered in an unexpected form: an event is not");
    check(r#"{"choices":[{"delta":{"content":7}}]}"#, "upstream answered in an unexpected form");
    check(r#"{"usage":{"prompt_tokens":-1}}"#, "upstream answered in an unexpected form");
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
    let check = |body: &str, expect: &str| assert_eq!(read_error(body.as_bytes()), expect);
    check(r#"{"error":{"message":"no such model"}}"#, "no such model");
    check(r#"{"detail":"x"}"#, r#"{"detail":"x"}"#);
    check("<html>\n  <b>Bad Gateway</b>\n", "<html> <b>Bad Gateway</b>");
    check("", "");
    assert_eq!(read_error("é".repeat(1000).as_bytes()).chars().count(), UPSTREAM_ERROR_CHARS_MAX);
}

#[test]
fn the_first_model_is_taken() {
    let body = br#"{"data":[{"id":"a"},{"id":"b"}]}"#;
    assert_eq!(read_first_model(body).unwrap(), "a");
    assert!(read_first_model(br#"{"data":[]}"#).is_err());
}
