//! The proxy's HTTP: the OpenAI dialect in front, the channel's gateway behind. Bodies pass as
//! they are, streams piece by piece.

use super::answer::{Heard, output_of};
use super::teller::{Asked, Call, Teller};
use crate::failure::{Failure, OrFail, Outcome};
use crate::openai::cause;
use ambar_base::{Digest, ErrorCode, Price};
use ambar_gateway::dialect::openai::{
    ANSWER_BYTES_MAX, BODY_BYTES_MAX, CHAT, COMPLETIONS, EMBEDDINGS, HEADER_VALUE_BYTES_MAX,
    RESPONSES, input_of,
};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Headers of an answer that the client sees.
const SHOWN: [&str; 10] = [
    "content-type",
    "cache-control",
    "x-accel-buffering",
    "x-should-retry",
    "retry-after",
    "retry-after-ms",
    "ambar-receipt",
    "ambar-price",
    "ambar-mu",
    "ambar-replayed",
];

/// What the proxy's requests share.
pub struct Proxy {
    /// Who signs.
    pub teller: Arc<Teller>,
    /// Calls the gateway.
    pub http: reqwest::Client,
    /// The gateway's URL.
    pub base_url: String,
    /// What a client of the proxy has to send.
    pub api_key: String,
}

type Shared = State<Arc<Proxy>>;

/// The routes of the proxy.
pub fn router(proxy: Arc<Proxy>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/models/{*id}", get(models))
        .route(CHAT, post(call))
        .route(COMPLETIONS, post(call))
        .route(EMBEDDINGS, post(call))
        .route(RESPONSES, post(call))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(proxy)
}

impl IntoResponse for Failure {
    /// In the dialect's shape.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = match status.as_u16() {
            401 => "authentication_error",
            402 => "insufficient_quota",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        let message = format!("{}: {}", self.message, self.help);
        let code = self.code.text();
        let body =
            json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
        (status, [("x-should-retry", "false")], axum::Json(body)).into_response()
    }
}

async fn nothing(uri: OriginalUri) -> Failure {
    Failure::new(ErrorCode::NotFound, format!("there is nothing at {}", uri.path()))
}

async fn models(
    State(proxy): Shared,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Outcome<Response> {
    proxy.admit(&headers)?;
    let request = proxy.http.get(format!("{}{}", proxy.base_url, uri.path()));
    let answer = proxy.send(request).await?;
    whole(answer).await.map(|(head, body)| head.with(Body::from(body)))
}

async fn call(
    State(proxy): Shared,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Outcome<Response> {
    proxy.admit(&headers)?;
    let path = uri.path();
    let key = single(&headers, "idempotency-key")?;
    let price_max = single(&headers, "ambar-price-max")?.map(|text| text.parse::<Price>());
    let input = input_of(path, &body);
    let asked = Asked {
        path,
        body: &body,
        input: input.map(|(input, _)| input),
        key: key.map_or_else(random_key, Ok)?,
        purpose: single(&headers, "ambar-purpose")?,
        price_max: price_max.transpose().or_fail(ErrorCode::RequestInvalid)?,
    };
    let (call, signed) = proxy.teller.sign(asked).await?;
    let mut request = proxy.http.post(format!("{}{path}", proxy.base_url));
    for (name, value) in signed {
        request = request.header(name, value);
    }
    // Whatever happens from here on without an end, dropping the call finds out.
    let answer = proxy.send(request.header(CONTENT_TYPE, "application/json").body(body)).await?;
    let streams = |answer: &reqwest::Response| {
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
    };
    if answer.status().is_success() && streams(&answer) {
        let head = Head::of(&answer);
        return Ok(head.with(Body::from_stream(Told::new(answer, call))));
    }
    let (head, body) = whole(answer).await?;
    proxy.told(&head, &body, call).await;
    Ok(head.with(Body::from(body)))
}

fn random_key() -> Outcome<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).or_fail(ErrorCode::Internal)?;
    Ok(hex::encode(random))
}

/// A header that is there at most once, visible ASCII within the dialect's limit.
fn single(headers: &HeaderMap, name: &str) -> Outcome<Option<String>> {
    let refuse = || {
        let message = format!("{name} has 1 to {HEADER_VALUE_BYTES_MAX} visible ASCII characters");
        Failure::input(message)
    };
    let mut values = headers.get_all(name).iter();
    let (Some(value), rest) = (values.next(), values.next()) else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    let fits = |text: &&str| (1..=HEADER_VALUE_BYTES_MAX).contains(&text.len());
    let text = text.filter(fits).filter(|_| rest.is_none());
    text.map(|text| Some(text.to_owned())).ok_or_else(refuse)
}

impl Proxy {
    /// Lets in who knows the proxy's key.
    fn admit(&self, headers: &HeaderMap) -> Outcome {
        let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = sent.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        // Digests, so that comparing tells nobody how much of a guess was right.
        let own = Digest::of(self.api_key.as_bytes());
        if token.is_some_and(|(_, token)| Digest::of(token.trim().as_bytes()) == own) {
            return Ok(());
        }
        let help = "send the API key that `ambar connect` printed as the bearer token";
        Err(Failure::new(ErrorCode::Unauthenticated, "not this proxy's API key").helping(help))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Outcome<reqwest::Response> {
        let answer = request.bearer_auth(self.teller.certificate()).send().await;
        answer.map_err(|error| {
            let message = format!("no node answers at {}: {}", self.base_url, cause(&error));
            Failure::new(ErrorCode::NodeUnreachable, message)
        })
    }

    /// Hands on what a whole answer says of its receipt.
    async fn told(&self, head: &Head, body: &[u8], call: Call) {
        let charged = head.get("ambar-receipt").filter(|_| !is_free(head.get("ambar-price")));
        let Some(receipt) = charged else {
            let exceeded = body_code(body) == Some(ErrorCode::VoucherExceeded);
            call.uncharged();
            if exceeded && let Err(failure) = self.teller.look().await {
                // The client hears the refusal; the next call looks again.
                drop(failure);
            }
            return;
        };
        // A body of another shape opens no receipt, and an error shows no output.
        let output = || output_of(body).unwrap_or_else(|| body.to_vec());
        call.answered(receipt, head.status.is_success().then(output));
    }
}

/// Whether an answer says that it costs nothing.
fn is_free(price: Option<&str>) -> bool {
    price.and_then(|price| price.parse().ok()) == Some(Price::ZERO)
}

/// The public code of a refusal.
fn body_code(body: &[u8]) -> Option<ErrorCode> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let said = body["error"]["code"].as_str()?;
    ErrorCode::ALL.iter().find(|code| code.text() == said).copied()
}

/// The head of an answer.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    fn of(answer: &reqwest::Response) -> Self {
        let known = |name: &&str| {
            let value = answer.headers().get(*name)?.clone();
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        };
        let headers = SHOWN.iter().filter_map(known).collect();
        Self { status: answer.status(), headers }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn with(self, body: Body) -> Response {
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers);
        response
    }
}

/// Reads an answer to its end.
async fn whole(mut answer: reqwest::Response) -> Outcome<(Head, Vec<u8>)> {
    let broken = |message: String| Failure::new(ErrorCode::BadGateway, message);
    let (head, mut body) = (Head::of(&answer), Vec::new());
    let failed = |error| broken(format!("the answer broke off: {}", cause(&error)));
    while let Some(bytes) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&bytes);
        // JSON may spell a byte of text with six.
        if body.len() > 6 * ANSWER_BYTES_MAX {
            return Err(broken("the answer is too long".into()));
        }
    }
    Ok((head, body))
}

/// A stream on its way, which is listened to.
struct Told {
    pieces: BoxStream<'static, reqwest::Result<Bytes>>,
    heard: Heard,
    call: Option<Call>,
}

impl Told {
    fn new(answer: reqwest::Response, call: Call) -> Self {
        let pieces = answer.bytes_stream().boxed();
        Self { pieces, heard: Heard::default(), call: Some(call) }
    }

    /// The client may leave as soon as the stream says that it is over: what it says of its
    /// receipt is taken before the client hears that.
    fn end(&mut self) {
        let Some(call) = self.call.take_if(|_| self.heard.ended) else { return };
        let output = self.heard.output();
        match &self.heard.receipt {
            Some(receipt) if !is_free(self.heard.price.as_deref()) => {
                call.answered(receipt, output);
            }
            _ => call.uncharged(),
        }
    }
}

impl Stream for Told {
    type Item = reqwest::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = std::task::ready!(self.pieces.poll_next_unpin(context));
        if let Some(Ok(bytes)) = &piece {
            self.heard.take(bytes);
            self.end();
        }
        Poll::Ready(piece)
    }
}
