//! The upstream engine against a small server on a local port that answers
//! with exactly the bytes it is told to, in the packets it is told to.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::{Arc, Mutex};

use ambar_compute::upstream::{Secret, UpstreamEngine, UpstreamOptions};
use ambar_compute::{
    Count, Engine, EngineError, Event, Failure, Finish, GenerateJob, Generation, Prompt, Usage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const SSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                   connection: close\r\n\r\n";
const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";

/// What the server does after its packets.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    /// Keeps the connection open until the client closes it.
    Wait,
}

/// A server with one scripted answer; remembers the requests.
struct Mock {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// Completes once a client has closed its connection.
    closed: mpsc::Receiver<()>,
}

async fn mock(packets: Vec<Vec<u8>>, then: Then) -> Mock {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (closing, closed) = mpsc::channel(8);
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &packets, then, &seen).await;
            closing.send(()).await.unwrap();
        }
    });
    Mock { url, requests, closed }
}

async fn serve(mut stream: TcpStream, packets: &[Vec<u8>], then: Then, seen: &Mutex<Vec<String>>) {
    stream.set_nodelay(true).unwrap();
    let request = read_request(&mut stream).await;
    seen.lock().unwrap().push(request);
    for packet in packets {
        // The client may be gone already; that is part of some tests.
        if stream.write_all(packet).await.is_err() {
            return;
        }
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    if then == Then::Wait {
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.unwrap();
        bytes.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if read == 0 || body.len() >= length.map_or(0, |l| l.parse().unwrap()) {
            return String::from_utf8(bytes).unwrap();
        }
    }
}

fn engine(url: &str) -> UpstreamEngine {
    UpstreamEngine::new(UpstreamOptions {
        url: url.to_owned(),
        model: Some("m".into()),
        bearer: Some(Secret::new("s3cret")),
    })
    .unwrap()
}

async fn run(url: &str, cancel_after: usize) -> (String, Result<Generation, EngineError>) {
    let (events, mut incoming) = mpsc::channel(1);
    let cancel = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, cancel) = (engine(url), cancel.clone());
        async move { engine.generate(GenerateJob::greedy(Prompt::user("hi"), 9), events, cancel).await }
    });
    let (mut text, mut seen) = (String::new(), 0);
    while let Some(Event::Text(piece)) = incoming.recv().await {
        text.push_str(&piece);
        seen += 1;
        if seen == cancel_after {
            cancel.cancel();
        }
    }
    (text, running.await.unwrap())
}

fn delta(text: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices": [{"delta": {"content": text}}]}))
}

fn whole_answer() -> String {
    [
        SSE,
        ": keep-alive\n\n",
        &delta("Olá"),
        &delta(", mundo 😀"),
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":4}}\n\n",
        "data: [DONE]\n\n",
    ]
    .concat()
}

#[tokio::test]
async fn an_answer_is_streamed_however_it_is_cut() {
    for size in [1, 2, 7, 64, 100_000] {
        let packets = whole_answer().as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        let server = mock(packets, Then::Close).await;
        let (text, result) = run(&server.url, usize::MAX).await;
        assert_eq!(text, "Olá, mundo 😀");
        let usage = Usage::told(Some(5), Some(4), text.len() as u64);
        assert_eq!(result.unwrap(), Generation { usage, finish: Finish::Length }, "{size}");
        let request = server.requests.lock().unwrap()[0].clone();
        assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
        assert!(request.to_lowercase().contains("authorization: bearer s3cret\r\n"), "{request}");
        assert!(request.contains(r#""include_usage":true"#), "{request}");
    }
}

async fn check_failure(packets: &[&str], text: &str, expect: fn(&Failure) -> bool) {
    let packets = packets.iter().map(|p| p.as_bytes().to_vec()).collect();
    let server = mock(packets, Then::Close).await;
    let (got, result) = run(&server.url, usize::MAX).await;
    assert_eq!(got, text);
    let error = result.unwrap_err();
    assert!(expect(&error.failure), "{error:?}");
    let usage = Usage::told(None, None, text.len() as u64);
    assert_eq!(error.usage, usage);
}

#[tokio::test]
async fn bad_answers_are_typed_errors_that_say_what_was_delivered() {
    let closed = |f: &Failure| matches!(f, Failure::UpstreamClosed);
    check_failure(&[], "", closed).await;
    check_failure(&[SSE], "", closed).await;
    check_failure(&[SSE, &delta("half")], "half", closed).await;
    check_failure(&[SSE, &delta("half"), "data: [DONE]\n\n"], "half", closed).await;
    let promised =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 900\r\n\r\n";
    check_failure(&[promised, &delta("half")], "half", closed).await;

    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<html>";
    check_failure(&[html], "", |f| matches!(f, Failure::UpstreamForm { .. })).await;
    check_failure(&[SSE, &delta("a"), "data: <html>\n\n"], "a", |f| {
        matches!(f, Failure::UpstreamForm { .. })
    })
    .await;
    check_failure(
        &[SSE, &delta("a"), "data: {\"error\":{\"message\":\"boom\"}}\n\n"],
        "a",
        |f| matches!(f, Failure::UpstreamReported { message } if message == "boom"),
    )
    .await;
    let refused = "HTTP/1.1 429 Slow\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
                   {\"error\":{\"message\":\"too many\"}}";
    check_failure(
        &[refused],
        "",
        |f| matches!(f, Failure::UpstreamStatus { status: 429, message } if message == "too many"),
    )
    .await;
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    check_failure(&[moved], "", |f| matches!(f, Failure::UpstreamStatus { status: 302, .. })).await;
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (_, result) = run(&url, usize::MAX).await;
    let failure = result.unwrap_err().failure;
    assert!(matches!(failure, Failure::UpstreamUnreachable { .. }), "{failure:?}");
}

#[tokio::test]
async fn missing_usage_is_unknown_not_zero() {
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let answer = [SSE, &delta("x"), end].concat();
    let server = mock(vec![answer.into_bytes()], Then::Close).await;
    let (_, result) = run(&server.url, usize::MAX).await;
    let usage = Usage::told(None, None, 1);
    assert_eq!(result.unwrap(), Generation { usage, finish: Finish::Stop });
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    let answer = [SSE, &delta("one"), &delta("two")].concat();
    let mut server = mock(vec![answer.into_bytes()], Then::Wait).await;
    let (text, result) = run(&server.url, 2).await;
    assert_eq!(text, "onetwo");
    let usage = Usage::told(None, None, 6);
    assert_eq!(result.unwrap(), Generation { usage, finish: Finish::Cancelled });
    server.closed.recv().await.unwrap();

    let (events, incoming) = mpsc::channel(1);
    drop(incoming);
    let job = GenerateJob::greedy(Prompt::user("hi"), 9);
    let ended = engine(&server.url).generate(job, events, CancellationToken::new()).await;
    assert_eq!(ended.unwrap().finish, Finish::Cancelled);
}

#[tokio::test]
async fn embeddings_and_the_models_name_are_fetched() {
    let body =
        r#"{"data":[{"index":0,"id":"served","embedding":[0.5,-1]}],"usage":{"prompt_tokens":2}}"#;
    let server = mock(vec![[JSON, body].concat().into_bytes()], Then::Close).await;
    let options = UpstreamOptions { url: server.url.clone(), model: None, bearer: None };
    let engine = UpstreamEngine::new(options).unwrap();
    let result = engine.embed(vec!["x".into()], CancellationToken::new()).await.unwrap();
    assert_eq!((result.vectors, result.tokens), (vec![vec![0.5, -1.0]], Some(2)));
    assert_eq!(engine.describe().model, "served");
    let requests = server.requests.lock().unwrap();
    assert!(requests[0].starts_with("GET /v1/models HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].contains(r#""model":"served""#), "{}", requests[1]);
    assert!(!requests[1].to_lowercase().contains("authorization"), "{}", requests[1]);
}

#[tokio::test]
async fn prompts_are_counted_by_an_upper_bound() {
    let engine = engine("http://127.0.0.1:1");
    let prompt = Prompt::user("é".repeat(100));
    match engine.count(&prompt).await.unwrap() {
        Count::UpperBound(tokens) => assert!(tokens > 200, "{tokens}"),
        Count::Exact(tokens) => panic!("{tokens} cannot be exact"),
    }
}
