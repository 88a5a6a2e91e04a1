//! A gateway that plays a script and remembers what it was asked.

use crate::call::{
    Accepted, CALL_EVENTS_MAX, CallError, CallEvent, CallRequest, Callable, ReceiptId, Summary,
};
use crate::dialect::Calls;
use ambar_base::{Mu, Price};
use ambar_compute::Finish;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

pub const RECEIPT: ReceiptId = ReceiptId { channel: 3, n: 17 };
pub const CAPSULE: &str = "bafycapsule";

#[derive(Clone, Debug)]
pub enum Script {
    /// The call is not admitted.
    Refuse(CallError),
    /// These events, then nothing more can come.
    Play(Vec<CallEvent>),
    /// These events, then silence.
    Hold(Vec<CallEvent>),
}

#[derive(Debug)]
pub struct Fake {
    script: Script,
    replayed: bool,
    pub asked: Mutex<Vec<CallRequest>>,
    pub held: Mutex<Option<mpsc::Sender<CallEvent>>>,
}

impl Fake {
    pub fn new(script: Script) -> Arc<Self> {
        Self::answering(script, false)
    }

    pub fn replaying(script: Script) -> Arc<Self> {
        Self::answering(script, true)
    }

    fn answering(script: Script, replayed: bool) -> Arc<Self> {
        Arc::new(Self { script, replayed, asked: Mutex::default(), held: Mutex::default() })
    }

    pub async fn send(self: &Arc<Self>, request: Request<Body>) -> Response {
        super::super::Dialect::new(self.clone()).answer(request).await
    }

    pub async fn post(self: &Arc<Self>, path: &str, body: &str) -> Response {
        self.send(post(path, body)).await
    }

    pub fn last(&self) -> CallRequest {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

impl Calls for Fake {
    fn call(&self, request: CallRequest) -> BoxFuture<'_, Result<Accepted, CallError>> {
        self.asked.lock().unwrap().push(request);
        let (events, hold) = match &self.script {
            Script::Refuse(error) => return std::future::ready(Err(error.clone())).boxed(),
            Script::Play(events) => (events, false),
            Script::Hold(events) => (events, true),
        };
        let (sender, receiver) = mpsc::channel(CALL_EVENTS_MAX);
        events.iter().for_each(|event| sender.try_send(event.clone()).unwrap());
        *self.held.lock().unwrap() = hold.then_some(sender);
        let accepted = Accepted {
            receipt: RECEIPT,
            capsule: CAPSULE.to_owned(),
            admitted_ms: 1_700_000_000_999,
            replayed: self.replayed,
            events: receiver,
        };
        std::future::ready(Ok(accepted)).boxed()
    }

    fn callable(&self, certificate: &str) -> BoxFuture<'_, Result<Vec<Callable>, CallError>> {
        let callable = |id: &str, name: &str| Callable {
            id: id.to_owned(),
            name: name.to_owned(),
            owner: format!("owner-of-{certificate}"),
            height: 7,
        };
        let all = vec![callable(CAPSULE, "lab/poet"), callable("lab/poet", "other")];
        std::future::ready(match &self.script {
            Script::Refuse(error) => Err(error.clone()),
            _ => Ok(all),
        })
        .boxed()
    }
}

pub fn post(path: &str, body: &str) -> Request<Body> {
    request("POST", path).body(Body::from(body.to_owned())).unwrap()
}

pub fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, "Bearer CERT")
}

pub fn text(piece: &str) -> CallEvent {
    CallEvent::Text(piece.to_owned())
}

pub fn done() -> CallEvent {
    CallEvent::Done(summary(Finish::Stop).into())
}

pub fn summary(finish: Finish) -> Summary {
    Summary {
        finish,
        tokens_in: 5,
        tokens_cached: None,
        tokens_out: 2,
        mu: Mu(1_500_000_000),
        price: Price(120_000),
        receipt: RECEIPT,
    }
}

pub async fn body(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub async fn json(response: Response) -> Value {
    serde_json::from_str(&body(response).await).unwrap()
}

/// The `error` of an answer, whose other members are checked here.
pub async fn error(response: Response) -> Value {
    let status = response.status();
    assert!(status.is_client_error() || status.is_server_error(), "{status}");
    assert!(response.headers().contains_key("x-should-retry"));
    assert_eq!(
        status == StatusCode::UNAUTHORIZED,
        response.headers().contains_key("www-authenticate")
    );
    let mut answer = json(response).await;
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    let error = answer["error"].take();
    let mut members: Vec<_> = error.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["code", "message", "param", "type"]);
    assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
    error
}

/// The header's value, or an empty text.
pub fn header_of(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}
