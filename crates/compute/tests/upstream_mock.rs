//! The upstream engine against a small server on a local port that answers
//! with exactly the bytes it is told to, in the packets it is told to.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::sync::{Arc, Mutex};

use ambar_compute::upstream::{Secret, UpstreamEngine, UpstreamOptions};
use ambar_compute::{
    Count, EmbedJob, Engine, EngineError, Event, Failure, Finish, GenerateJob, Generation, Prompt,
    Usage,
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
    mock_in_turn(vec![packets], then).await
}

/// The same with an answer for each connection in turn, the last one for all that follow.
async fn mock_in_turn(answers: Vec<Vec<Vec<u8>>>, then: Then) -> Mock {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (closing, closed) = mpsc::channel(8);
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        let mut turn = 0;
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &answers[turn], then, &seen).await;
            turn = (turn + 1).min(answers.len() - 1);
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
        tokenizer: None,
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

/// What the upstream said of tokens, and what was handed on.
fn numbers(usage: Usage) -> Usage {
    Usage::told(usage.tokens_in, usage.tokens_out, usage.bytes_out)
}

fn told(generation: Generation) -> (Usage, Finish) {
    (numbers(generation.usage), generation.finish)
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
        assert_eq!(told(result.unwrap()), (usage, Finish::Length), "{size}");
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
    assert_eq!(numbers(error.usage), usage);
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
    let status = |line: &str, body: &str| {
        format!(
            "HTTP/1.1 {line}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{body}"
        )
    };
    let body = r#"{"error":{"message":"too many","param":"n"}}"#;
    check_failure(&[&status("429 Slow\r\nretry-after: 2", body)], "", |f| {
        matches!(f, Failure::UpstreamBusy { status: 429, message, retry_after_ms: Some(2_000) }
            if message == "too many")
    })
    .await;
    check_failure(&[&status("503 Loading", "")], "", |f| {
        matches!(f, Failure::UpstreamBusy { status: 503, retry_after_ms: None, .. })
    })
    .await;
    check_failure(&[&status("400 Bad", body)], "", |f| {
        matches!(f, Failure::UpstreamRefused { message, param: Some(param) }
            if message == "too many" && param == "n")
    })
    .await;
    check_failure(&[&status("401 No", body)], "", |f| {
        matches!(f, Failure::UpstreamStatus { status: 401, .. })
    })
    .await;
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    check_failure(&[moved], "", |f| matches!(f, Failure::UpstreamStatus { status: 302, .. })).await;
}

/// A refusal in the words of a service that has dropped the older name, or of one that does not
/// know the newer one.
fn refusal(message: &str, param: &str) -> Vec<Vec<u8>> {
    let body = serde_json::json!({"error": {"message": message, "param": param}});
    let head = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    vec![format!("{head}{body}").into_bytes()]
}

/// By which names a request says how long its answer may become.
fn limits(request: &str) -> Vec<(String, u64)> {
    let (_, body) = request.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let members = body.as_object().unwrap().iter();
    let limits = members.filter(|(name, _)| name.starts_with("max_"));
    limits.map(|(name, value)| (name.clone(), value.as_u64().unwrap())).collect()
}

const INSISTS: &str = "'max_tokens' is not supported. Use 'max_completion_tokens' instead.";

#[tokio::test]
async fn a_service_that_insists_on_the_newer_limit_is_asked_by_it_from_then_on() {
    let (older, newer) = (("max_tokens".to_owned(), 9), ("max_completion_tokens".to_owned(), 9));
    let answers = vec![refusal(INSISTS, "max_tokens"), vec![whole_answer().into_bytes()]];
    let server = mock_in_turn(answers, Then::Close).await;
    let engine = engine(&server.url);
    let job = || GenerateJob::greedy(Prompt::user("hi"), 9);
    for _ in 0..2 {
        let (events, mut incoming) = mpsc::channel(64);
        let generation = engine.generate(job(), events, CancellationToken::new()).await.unwrap();
        let mut text = String::new();
        while let Some(Event::Text(piece)) = incoming.recv().await {
            text.push_str(&piece);
        }
        assert_eq!(text, "Olá, mundo 😀");
        // What is used is that of one answer.
        let usage = Usage::told(Some(5), Some(4), text.len() as u64);
        assert_eq!(told(generation), (usage, Finish::Length));
    }
    let asked: Vec<_> = server.requests.lock().unwrap().iter().map(|one| limits(one)).collect();
    assert_eq!(asked, [vec![older], vec![newer.clone()], vec![newer]]);
}

#[tokio::test]
async fn a_service_that_refuses_both_limits_is_asked_twice_and_says_why() {
    let unknown = "unknown field max_completion_tokens";
    let answers = vec![refusal(INSISTS, "max_tokens"), refusal(unknown, "max_completion_tokens")];
    let server = mock_in_turn(answers, Then::Close).await;
    let (text, result) = run(&server.url, usize::MAX).await;
    assert_eq!(text, "");
    let error = result.unwrap_err();
    assert!(
        matches!(&error.failure, Failure::UpstreamRefused { message, .. } if message == unknown),
        "{error:?}"
    );
    assert_eq!(numbers(error.usage), Usage::default());
    assert_eq!(server.requests.lock().unwrap().len(), 2);
    // Another refusal is one.
    let server = mock(refusal("max_tokens is too large", "max_tokens"), Then::Close).await;
    assert!(run(&server.url, usize::MAX).await.1.is_err());
    assert_eq!(server.requests.lock().unwrap().len(), 1);
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

/// Runs a job and gives back all that came.
async fn events_of(url: &str, job: GenerateJob) -> (Vec<Event>, Result<Generation, EngineError>) {
    let (events, mut incoming) = mpsc::channel(64);
    let engine = engine(url);
    let (result, came) =
        tokio::join!(engine.generate(job, events, CancellationToken::new()), async {
            let mut came = Vec::new();
            while let Some(event) = incoming.recv().await {
                came.push(event);
            }
            came
        });
    (came, result)
}

#[tokio::test]
async fn whole_answers_are_asked_for_whole() {
    let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},
        "finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let server = mock(vec![[JSON, body].concat().into_bytes()], Then::Close).await;
    let job = GenerateJob { stream: false, ..GenerateJob::greedy(Prompt::user("hi"), 9) };
    let (events, result) = events_of(&server.url, job).await;
    assert_eq!(events, [Event::Text("Hi".into())]);
    assert_eq!(told(result.unwrap()), (Usage::told(Some(3), Some(1), 2), Finish::Stop));
    assert!(server.requests.lock().unwrap()[0].contains(r#""stream":false"#));
    // Cut off in the middle it is no answer.
    let half = [JSON, &body[..40]].concat().into_bytes();
    let server = mock(vec![half], Then::Close).await;
    let job = GenerateJob { stream: false, ..GenerateJob::greedy(Prompt::user("hi"), 9) };
    let (events, result) = events_of(&server.url, job).await;
    assert!(events.is_empty() && result.is_err(), "{result:?}");
}

#[tokio::test]
async fn choices_and_tool_calls_come_as_pieces() {
    let chunk = |choice: serde_json::Value| {
        format!("data: {}\n\n", serde_json::json!({ "choices": [choice] }))
    };
    let call = serde_json::json!([{"index": 0, "id": "1", "function": {"name": "f"}}]);
    let answer = [
        SSE.to_owned(),
        chunk(serde_json::json!({"index": 0, "delta": {"content": "a"}})),
        chunk(serde_json::json!({"index": 1, "delta": {"tool_calls": call}})),
        chunk(serde_json::json!({"index": 1, "delta": {}, "finish_reason": "tool_calls"})),
        chunk(serde_json::json!({"index": 0, "delta": {}, "finish_reason": "length"})),
        "data: [DONE]\n\n".to_owned(),
    ];
    let server = mock(vec![answer.concat().into_bytes()], Then::Close).await;
    let job = GenerateJob { choices: 2, ..GenerateJob::greedy(Prompt::user("hi"), 9) };
    let (events, result) = events_of(&server.url, job).await;
    assert_eq!(result.unwrap().finish, Finish::Length);
    assert_eq!(events[0], Event::Text("a".into()));
    let Event::Piece(piece) = &events[1] else { panic!("{events:?}") };
    assert_eq!((piece.choice, &piece.rest["tool_calls"]), (1, &call));
    let reasons = events[2..].iter().map(|event| match event {
        Event::Piece(piece) => (piece.choice, piece.finish_reason.as_deref()),
        Event::Text(text) => panic!("{text}"),
    });
    assert_eq!(reasons.collect::<Vec<_>>(), [(1, Some("tool_calls")), (0, Some("length"))]);
    // A choice that has not said why it ended is not whole.
    let server = mock(vec![answer[..4].concat().into_bytes()], Then::Close).await;
    let job = GenerateJob { choices: 2, ..GenerateJob::greedy(Prompt::user("hi"), 9) };
    let (_, result) = events_of(&server.url, job).await;
    assert!(matches!(result.unwrap_err().failure, Failure::UpstreamClosed));
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut() {
    let job = GenerateJob::greedy(Prompt::user("hi"), 1);
    let endless = vec![format!(": {}\n\n", "x".repeat(100_000)).into_bytes(); 20];
    let packets = [vec![SSE.as_bytes().to_vec()], endless].concat();
    let server = mock(packets, Then::Wait).await;
    let (_, result) = events_of(&server.url, job).await;
    let failure = result.unwrap_err().failure;
    assert!(matches!(failure, Failure::UpstreamTooLong { unit: "answer", .. }), "{failure:?}");
}

#[tokio::test]
async fn more_tokens_than_were_asked_for_are_cut() {
    let endless = vec![delta("word ").into_bytes(); 50];
    let packets = [vec![SSE.as_bytes().to_vec()], endless].concat();
    let server = mock(packets, Then::Wait).await;
    let job = GenerateJob { choices: 2, ..GenerateJob::greedy(Prompt::user("hi"), 9) };
    let (events, result) = events_of(&server.url, job).await;
    assert_eq!(events, vec![Event::Text("word ".into()); 18]);
    let generation = result.unwrap();
    assert_eq!((generation.usage.pieces_out, generation.finish), (18, Finish::Length));
    // Characters are not tokens: who writes them one by one is not cut.
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let answer = [SSE.to_owned(), delta("x").repeat(50), end.to_owned()].concat();
    let server = mock(vec![answer.into_bytes()], Then::Close).await;
    let (text, result) = run(&server.url, usize::MAX).await;
    assert_eq!((text.len(), result.unwrap().finish), (50, Finish::Stop));
}

#[tokio::test]
async fn missing_usage_is_unknown_not_zero() {
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let answer = [SSE, &delta("x"), end].concat();
    let server = mock(vec![answer.into_bytes()], Then::Close).await;
    let (_, result) = run(&server.url, usize::MAX).await;
    let usage = Usage::told(None, None, 1);
    assert_eq!(told(result.unwrap()), (usage, Finish::Stop));
}

#[tokio::test]
async fn cancelling_closes_the_connection() {
    let answer = [SSE, &delta("one"), &delta("two")].concat();
    let mut server = mock(vec![answer.into_bytes()], Then::Wait).await;
    let (text, result) = run(&server.url, 2).await;
    assert_eq!(text, "onetwo");
    let usage = Usage::told(None, None, 6);
    assert_eq!(told(result.unwrap()), (usage, Finish::Cancelled));
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
    let url = server.url.clone();
    let options = UpstreamOptions { url, model: None, bearer: None, tokenizer: None };
    let engine = UpstreamEngine::new(options).unwrap();
    let mut job = EmbedJob::of(vec!["x".into()]);
    job.extras.fields.insert("dimensions".into(), 2.into());
    assert!(engine.check_embed(&job).is_ok());
    let result = engine.embed(job, CancellationToken::new()).await.unwrap();
    assert_eq!((result.vectors, result.tokens), (vec![vec![0.5, -1.0]], Some(2)));
    assert_eq!(engine.describe().model, "served");
    let requests = server.requests.lock().unwrap();
    assert!(requests[0].starts_with("GET /v1/models HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[1].contains(r#""model":"served""#), "{}", requests[1]);
    assert!(requests[1].contains(r#""dimensions":2"#), "{}", requests[1]);
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
