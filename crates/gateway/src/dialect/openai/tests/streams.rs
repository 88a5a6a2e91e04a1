//! Streams, byte by byte.

use super::super::chunks::Chunks;
use super::super::request::StreamOptions;
use super::super::stream::Frames;
use super::super::wire::{Head, Shape};
use super::super::{CHAT, COMPLETIONS};
use super::fake::{CAPSULE, Fake, RECEIPT, Script, body, done, error, header_of, summary, text};
use crate::call::{Accepted, CALL_EVENTS_MAX, CallError, CallEvent};
use ambar_base::ErrorCode;
use ambar_compute::Finish;
use axum::http::StatusCode;
use futures::{FutureExt, StreamExt};
use std::time::Duration;
use tokio::sync::mpsc;

const A_CHAT: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const WITH_USAGE: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#;
const A_TEXT: &str =
    r#"{"model":"m","prompt":"hi","stream":true,"stream_options":{"include_usage":true}}"#;

const TRAILER: &str = "\
: ambar-price 0.000120000
: ambar-mu 1.500000000
: ambar-receipt 3-17

data: [DONE]

";

fn chunk(id: &str, object: &str, rest: &str) -> String {
    let head = r#""created":1700000000,"model":"bafycapsule""#;
    format!("data: {{\"id\":\"{id}\",\"object\":\"{object}\",{head},{rest}}}\n\n")
}

fn chat(rest: &str) -> String {
    chunk("chatcmpl-3-17", "chat.completion.chunk", rest)
}

fn accepted(capacity: usize) -> (mpsc::Sender<CallEvent>, Accepted) {
    let (sender, events) = mpsc::channel(capacity);
    let (receipt, capsule) = (RECEIPT, CAPSULE.to_owned());
    (sender, Accepted { receipt, capsule, admitted_ms: 0, replayed: false, events })
}

fn frames(accepted: Accepted, shape: Shape, keep_alive: Duration) -> Frames<Chunks> {
    let head = Head::new(shape, &accepted);
    Frames::new(
        Chunks::new(head, StreamOptions { include_usage: false }),
        accepted,
        None,
        keep_alive,
    )
}

#[tokio::test]
async fn a_chat_streams() {
    let events = vec![text("He\n"), text(""), text("\"llo\""), done()];
    let response = Fake::new(Script::Play(events)).post(CHAT, A_CHAT).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, "content-type"), "text/event-stream");
    assert_eq!(header_of(&response, "cache-control"), "no-cache");
    assert_eq!(header_of(&response, "ambar-receipt"), "3-17");
    assert_eq!(header_of(&response, "ambar-price"), "");
    let expect = [
        chat(
            r#""choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]"#,
        ),
        chat(
            r#""choices":[{"index":0,"delta":{"content":"He\n"},"logprobs":null,"finish_reason":null}]"#,
        ),
        chat(
            r#""choices":[{"index":0,"delta":{"content":"\"llo\""},"logprobs":null,"finish_reason":null}]"#,
        ),
        chat(r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#),
        TRAILER.to_owned(),
    ];
    assert_eq!(body(response).await, expect.concat());
}

#[tokio::test]
async fn the_last_chunk_says_what_was_used() {
    let events = vec![text("x"), CallEvent::Done(summary(Finish::Length).into())];
    let response = Fake::replaying(Script::Play(events)).post(CHAT, WITH_USAGE).await;
    assert_eq!(header_of(&response, "ambar-replayed"), "true");
    let expect = [
        chat(
            r#""choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null"#,
        ),
        chat(
            r#""choices":[{"index":0,"delta":{"content":"x"},"logprobs":null,"finish_reason":null}],"usage":null"#,
        ),
        chat(
            r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"length"}],"usage":null"#,
        ),
        chat(r#""choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}"#),
        TRAILER.to_owned(),
    ];
    assert_eq!(body(response).await, expect.concat());
}

#[tokio::test]
async fn a_text_streams() {
    let response = Fake::new(Script::Play(vec![text("x"), done()])).post(COMPLETIONS, A_TEXT).await;
    let chunk = |rest| chunk("cmpl-3-17", "text_completion", rest);
    let expect = [
        chunk(
            r#""choices":[{"index":0,"text":"x","logprobs":null,"finish_reason":null}],"usage":null"#,
        ),
        chunk(
            r#""choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}],"usage":null"#,
        ),
        chunk(r#""choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}"#),
        TRAILER.to_owned(),
    ];
    assert_eq!(body(response).await, expect.concat());
}

#[tokio::test]
async fn what_is_ready_together_is_written_together() {
    let events = vec![text("a"), text("b"), text("c"), done()];
    let response = Fake::new(Script::Play(events)).post(CHAT, A_CHAT).await;
    let writes: Vec<_> = response.into_body().into_data_stream().collect().await;
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].as_ref().unwrap().iter().filter(|byte| **byte == b'{').count(), 3 * 5);
}

#[tokio::test]
async fn a_call_that_fails_at_once_has_its_own_status() {
    let failed = CallEvent::Failed(CallError::new(ErrorCode::EngineBusy, "busy").into());
    let response = Fake::new(Script::Play(vec![failed])).post(CHAT, A_CHAT).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header_of(&response, "x-should-retry"), "true");
    assert_eq!(error(response).await["code"], "engine_busy");
    let response = Fake::new(Script::Play(Vec::new())).post(CHAT, A_CHAT).await;
    assert_eq!(error(response).await["code"], "internal_error");
}

/// What follows the first piece of a stream.
async fn after_a_piece(events: Vec<CallEvent>) -> String {
    let events = [vec![text("x")], events].concat();
    let stream = body(Fake::new(Script::Play(events)).post(COMPLETIONS, A_TEXT).await).await;
    stream.split_once("\n\n").unwrap().1.to_owned()
}

#[tokio::test]
async fn errors_end_a_stream_without_done() {
    let mut failed = CallError::new(ErrorCode::EngineFailed, "died");
    let expect = "data: {\"error\":{\"message\":\"died\",\"type\":\"server_error\",\"param\":null,\"code\":\"engine_failed\"}}\n\n";
    assert_eq!(after_a_piece(vec![CallEvent::Failed(failed.clone().into())]).await, expect);
    failed.receipt = Some(RECEIPT);
    let rest = after_a_piece(vec![CallEvent::Failed(failed.into()), done()]).await;
    assert_eq!(rest, format!(": ambar-receipt 3-17\n\n{expect}"));
    for events in [vec![], vec![CallEvent::Vectors(vec![]), done()]] {
        let rest = after_a_piece(events).await;
        assert!(rest.starts_with(": ambar-receipt 3-17\n\ndata: {\"error\":"), "{rest}");
        assert!(rest.contains("\"internal_error\"") && !rest.contains("[DONE]"), "{rest}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_leaves_the_call() {
    let fake = Fake::new(Script::Hold(vec![text("x")]));
    let response = fake.post(CHAT, A_CHAT).await;
    let sender = fake.held.lock().unwrap().take().unwrap();
    let mut stream = response.into_body().into_data_stream();
    assert!(stream.next().await.unwrap().is_ok());
    assert!(!sender.is_closed());
    drop(stream);
    assert!(sender.is_closed());
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_leaves_the_call() {
    for body in [A_CHAT, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#] {
        let fake = Fake::new(Script::Hold(Vec::new()));
        let mut waiting = Box::pin(fake.post(CHAT, body));
        assert!(waiting.as_mut().now_or_never().is_none());
        let sender = fake.held.lock().unwrap().take().unwrap();
        assert!(!sender.is_closed());
        drop(waiting);
        assert!(sender.is_closed());
    }
}

#[tokio::test]
async fn pieces_that_come_later_wake_the_stream() {
    let (sender, accepted) = accepted(CALL_EVENTS_MAX);
    let mut stream = frames(accepted, Shape::Text, Duration::from_secs(3_600));
    assert!(stream.next().now_or_never().is_none());
    sender.try_send(text("")).unwrap();
    assert!(stream.next().now_or_never().is_none());
    let later = tokio::spawn(async move {
        sender.send(text("x")).await.unwrap();
        sender.send(done()).await.unwrap();
    });
    let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
    let rest = String::from_utf8(rest.concat()).unwrap();
    later.await.unwrap();
    assert!(rest.contains(r#""text":"x""#) && rest.ends_with(TRAILER), "{rest}");
}

#[tokio::test]
async fn silence_is_filled_with_comments() {
    let (sender, accepted) = accepted(1);
    let mut stream = frames(accepted, Shape::Chat, Duration::from_millis(1));
    let opening = stream.next().await.unwrap().unwrap();
    assert!(opening.starts_with(b"data: ") && opening.ends_with(b"\n\n"));
    for _ in 0..3 {
        assert_eq!(stream.next().await.unwrap().unwrap(), ": keep-alive\n\n");
    }
    sender.try_send(done()).unwrap();
    let rest = stream.next().await.unwrap().unwrap();
    assert!(rest.ends_with(TRAILER.as_bytes()), "{rest:?}");
    assert!(stream.next().await.is_none());
}
