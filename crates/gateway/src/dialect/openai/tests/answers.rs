//! Whole answers over HTTP: headers in, headers out, bodies, errors.

use super::super::HEADER_VALUE_BYTES_MAX;
use super::super::{ANSWER_BYTES_MAX, BODY_BYTES_MAX, CHAT, COMPLETIONS, EMBEDDINGS};
use super::fake::{
    Fake, RECEIPT, Script, body, done, error, header_of, json as json_of, post, request, summary,
    text,
};
use crate::authorisation::fingerprint;
use crate::call::{CallError, CallEvent, Job};
use crate::flow::Priority;
use ambar_base::ErrorCode;
use ambar_compute::{Finish, Prompt};
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};
use serde_json::json;
use std::time::Duration;

const A_CHAT: &str = r#"{"model":"lab/poet","messages":[{"role":"user","content":"hi"}]}"#;
const A_TEXT: &str = r#"{"model":"m","prompt":"hi"}"#;
const AN_EMBEDDING: &str = r#"{"model":"m","input":["a","b"]}"#;

fn saying(pieces: &[&str], finish: Finish) -> Script {
    let texts = pieces.iter().map(|piece| text(piece));
    Script::Play(texts.chain([CallEvent::Done(summary(finish).into())]).collect())
}

fn vectors() -> Script {
    Script::Play(vec![CallEvent::Vectors(vec![vec![1.0, -0.5], vec![0.0, 0.25]]), done()])
}

#[tokio::test]
async fn a_chat_is_answered() {
    let fake = Fake::new(saying(&["Hel", "lo"], Finish::Stop));
    let response = fake.post(CHAT, A_CHAT).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header_of(&response, "content-type"), "application/json");
    assert_eq!(header_of(&response, "ambar-receipt"), "3-17");
    assert_eq!(header_of(&response, "ambar-price"), "0.000120000");
    assert_eq!(header_of(&response, "ambar-mu"), "1.500000000");
    assert_eq!(header_of(&response, "ambar-replayed"), "");
    let expect = r#"{"id":"chatcmpl-3-17","object":"chat.completion","created":1700000000,"model":"bafycapsule","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;
    assert_eq!(body(response).await, expect);
}

#[tokio::test]
async fn a_text_is_continued() {
    let fake = Fake::replaying(saying(&["Hello"], Finish::Cancelled));
    let response = fake.post(COMPLETIONS, A_TEXT).await;
    assert_eq!(header_of(&response, "ambar-replayed"), "true");
    let expect = r#"{"id":"cmpl-3-17","object":"text_completion","created":1700000000,"model":"bafycapsule","choices":[{"index":0,"text":"Hello","logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;
    assert_eq!(body(response).await, expect);
}

#[tokio::test]
async fn texts_become_vectors() {
    let fake = Fake::new(vectors());
    let response = fake.post(EMBEDDINGS, AN_EMBEDDING).await;
    assert_eq!(header_of(&response, "ambar-receipt"), "3-17");
    let expect = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,-0.5]},{"object":"embedding","index":1,"embedding":[0.0,0.25]}],"model":"bafycapsule","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    assert_eq!(body(response).await, expect);
    let asked = r#"{"model":"m","input":["a","b"],"encoding_format":"base64","dimensions":2}"#;
    let answer = json_of(fake.post(EMBEDDINGS, asked).await).await;
    // 1.0 and -0.5 are 0x3f800000 and 0xbf000000.
    assert_eq!(answer["data"][0]["embedding"], "AACAPwAAAL8=");
}

#[tokio::test]
async fn a_width_that_cannot_be_changed() {
    let asked = r#"{"model":"m","input":["a","b"],"dimensions":3}"#;
    let response = Fake::new(vectors()).post(EMBEDDINGS, asked).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(header_of(&response, "ambar-receipt"), "3-17");
    assert_eq!(header_of(&response, "x-should-retry"), "false");
    assert_eq!(error(response).await["param"], "dimensions");
}

#[tokio::test]
async fn what_the_headers_say_is_asked() {
    let fake = Fake::new(saying(&["x"], Finish::Stop));
    let key = "k".repeat(HEADER_VALUE_BYTES_MAX);
    let request = request("POST", CHAT)
        .header("idempotency-key", &key)
        .header("Ambar-Purpose", "research")
        .header("content-type", "text/plain")
        .header("x-stainless-retry-count", "2");
    assert_eq!(fake.send(request.body(Body::from(A_CHAT)).unwrap()).await.status(), StatusCode::OK);
    let asked = fake.last();
    assert_eq!((asked.certificate.as_str(), asked.capsule.as_str()), ("CERT", "lab/poet"));
    assert_eq!(asked.idempotency_key, Some(key));
    assert_eq!(asked.purpose.as_deref(), Some("research"));
    assert_eq!(asked.fingerprint, fingerprint(CHAT, A_CHAT.as_bytes()));
    let Job::Generate(options) = asked.job else { panic!("{:?}", asked.job) };
    assert_eq!(options.prompt, Prompt::user("hi"));

    fake.post(CHAT, A_CHAT).await;
    assert_eq!((fake.last().idempotency_key, fake.last().purpose), (None, None));
}

#[test]
fn fingerprints_differ_by_path_and_every_byte() {
    let all = [("/a", "b"), ("/ab", ""), ("/a", "b "), ("/b", "b")];
    let mut prints: Vec<_> =
        all.iter().map(|(path, body)| fingerprint(path, body.as_bytes())).collect();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), all.len());
}

#[tokio::test]
async fn headers_that_are_refused() {
    let fake = Fake::new(saying(&["x"], Finish::Stop));
    let check = async |headers: &[(&str, HeaderValue)], code: &str, param: Option<&str>| {
        let mut request = Request::builder().method("POST").uri(CHAT);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let error = error(fake.send(request.body(Body::from(A_CHAT)).unwrap()).await).await;
        assert_eq!((&error["code"], &error["param"]), (&json!(code), &json!(param)), "{headers:?}");
    };
    let value = HeaderValue::from_static;
    let bearer = ("authorization", value("bearer  CERT"));
    let bad = "unauthenticated";
    check(&[], bad, None).await;
    check(&[("authorization", value("CERT"))], bad, None).await;
    check(&[("authorization", value("Basic CERT"))], bad, None).await;
    check(&[("authorization", value("Bearer "))], bad, None).await;
    check(&[bearer.clone(), bearer.clone()], bad, None).await;
    let bytes = HeaderValue::from_bytes(b"Bearer \xff").unwrap();
    check(&[("authorization", bytes)], bad, None).await;
    let (bad, key) = ("invalid_request", "Idempotency-Key");
    let long = "k".repeat(HEADER_VALUE_BYTES_MAX + 1);
    check(&[bearer.clone(), (key, value(""))], bad, Some(key)).await;
    check(&[bearer.clone(), (key, value("a b"))], bad, Some(key)).await;
    check(&[bearer.clone(), (key, long.parse().unwrap())], bad, Some(key)).await;
    check(&[bearer.clone(), (key, value("a")), (key, value("a"))], bad, Some(key)).await;
    let purpose = ("Ambar-Purpose", HeaderValue::from_bytes(b"\xc3\xa9").unwrap());
    check(&[bearer.clone(), purpose], bad, Some("Ambar-Purpose")).await;
    for wrong in ["0", "-1", "86401", "soon", "NaN"] {
        check(&[bearer.clone(), ("Ambar-Timeout", value(wrong))], bad, Some("Ambar-Timeout")).await;
    }
    for wrong in ["urgent", "High", "1"] {
        let priority = ("Ambar-Priority", value(wrong));
        check(&[bearer.clone(), priority], bad, Some("Ambar-Priority")).await;
    }
    assert!(fake.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn how_long_and_how_urgent_is_handed_on() {
    let check = async |headers: &[(&str, &str)], patience, urgency| {
        let fake = Fake::new(saying(&["x"], Finish::Stop));
        let mut request = Request::builder().method("POST").uri(CHAT);
        request = request.header("authorization", "Bearer CERT");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        fake.send(request.body(Body::from(A_CHAT)).unwrap()).await;
        let asked = &fake.asked.lock().unwrap()[0];
        assert_eq!((asked.patience, asked.urgency), (patience, urgency), "{headers:?}");
    };
    check(&[], None, Priority::Normal).await;
    let (timeout, soon) = (("Ambar-Timeout", "1.5"), Some(Duration::from_millis(1_500)));
    check(&[timeout, ("Ambar-Priority", "high")], soon, Priority::High).await;
    check(&[("Ambar-Priority", "low")], None, Priority::Low).await;
}

#[tokio::test]
async fn refusals_have_their_status_and_type() {
    let check = async |code: ErrorCode, kind: &str| {
        let fake = Fake::new(Script::Refuse(CallError::new(code, "no").at("model")));
        let response = fake.post(CHAT, A_CHAT).await;
        assert_eq!(response.status().as_u16(), code.http_status());
        let retry = CallError::new(code, "no").retry;
        assert_eq!(header_of(&response, "x-should-retry"), retry.to_string());
        assert_eq!(header_of(&response, "ambar-receipt"), "");
        let expect = json!({"message": "no", "type": kind, "param": "model", "code": code.text()});
        assert_eq!(error(response).await, expect);
    };
    check(ErrorCode::CertificateExpired, "authentication_error").await;
    check(ErrorCode::ChannelEmpty, "insufficient_quota").await;
    check(ErrorCode::PurposeNotAllowed, "permission_error").await;
    check(ErrorCode::CapsuleUnknown, "invalid_request_error").await;
    check(ErrorCode::IdempotencyConflict, "invalid_request_error").await;
    check(ErrorCode::EngineBusy, "rate_limit_error").await;
    check(ErrorCode::LedgerStale, "server_error").await;
    check(ErrorCode::DiskFull, "server_error").await;
}

#[tokio::test]
async fn what_was_charged_is_not_sent_again() {
    let mut failed = CallError::new(ErrorCode::EngineBusy, "died");
    failed.receipt = Some(RECEIPT);
    assert!(failed.retry);
    let check = async |events: Vec<CallEvent>, status: u16| {
        let response = Fake::new(Script::Play(events)).post(CHAT, A_CHAT).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(header_of(&response, "x-should-retry"), "false");
        assert_eq!(header_of(&response, "ambar-receipt"), "3-17");
        error(response).await;
    };
    check(vec![text("Hel"), CallEvent::Failed(failed.into())], 429).await;
    check(vec![text("Hel")], 500).await;
    check(vec![CallEvent::Vectors(vec![vec![1.0]]), done()], 500).await;
    let half = "x".repeat(ANSWER_BYTES_MAX / 2 + 1);
    check(vec![text(&half), text(&half), done()], 413).await;
}

#[tokio::test]
async fn vectors_of_the_wrong_shape() {
    let check = async |events: Vec<CallEvent>| {
        let response = Fake::new(Script::Play(events)).post(EMBEDDINGS, AN_EMBEDDING).await;
        assert_eq!(error(response).await["code"], "internal_error");
    };
    check(vec![CallEvent::Vectors(vec![vec![1.0]]), done()]).await;
    check(vec![CallEvent::Vectors(vec![vec![1.0], vec![f32::NAN]]), done()]).await;
    check(vec![text("1"), CallEvent::Vectors(vec![vec![1.0]; 2]), done()]).await;
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let fake = Fake::new(saying(&["x"], Finish::Stop));
    let padded = |bytes: usize| format!("{A_CHAT}{}", " ".repeat(bytes - A_CHAT.len()));
    let response = fake.post(CHAT, &padded(BODY_BYTES_MAX)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let response = fake.post(CHAT, &padded(BODY_BYTES_MAX + 1)).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(error(response).await["code"], "request_too_large");
}

#[tokio::test]
async fn models() {
    let fake = Fake::new(Script::Play(Vec::new()));
    let get = async |path: &str| fake.send(request("GET", path).body(Body::empty()).unwrap()).await;
    let first = json!({
        "id": "bafycapsule", "object": "model", "created": 0, "owned_by": "owner-of-CERT",
        "name": "lab/poet", "height": 7,
    });
    let all = json_of(get("/v1/models").await).await;
    assert_eq!((&all["object"], &all["data"][0]), (&json!("list"), &first));
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    assert_eq!(json_of(get("/v1/models/bafycapsule").await).await, first);
    // An id goes before a name.
    for path in ["/v1/models/lab/poet", "/v1/models/lab%2Fpoet"] {
        assert_eq!(json_of(get(path).await).await["name"], "other");
    }
    assert_eq!(json_of(get("/v1/models/other").await).await["id"], "lab/poet");
    let missing = get("/v1/models/none").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(error(missing).await["code"], "model_not_found");
    assert_eq!(error(get("/v1/models/%ff").await).await["code"], "invalid_request");
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let fake = Fake::new(Script::Play(Vec::new()));
    let check = async |method: &str, path: &str, code: ErrorCode| {
        let response = fake.send(request(method, path).body(Body::empty()).unwrap()).await;
        assert_eq!(response.status().as_u16(), code.http_status(), "{method} {path}");
        assert_eq!(error(response).await["code"], code.text());
    };
    for path in ["/v1", "/v1/", "/v1/responses/x", "/v1/chat", "/v1/chat/completions/x"] {
        check("POST", path, ErrorCode::NotFound).await;
    }
    check("GET", CHAT, ErrorCode::MethodNotAllowed).await;
    check("DELETE", "/v1/models/m", ErrorCode::MethodNotAllowed).await;
    let refused = fake.send(request("PUT", EMBEDDINGS).body(Body::empty()).unwrap()).await;
    assert_eq!(header_of(&refused, "allow"), "POST");
    // Paths outside are left to whatever this router is merged with.
    let outside = fake.send(post("/api/v1/status", "")).await;
    assert_eq!((outside.status(), body(outside).await), (StatusCode::NOT_FOUND, String::new()));
}
