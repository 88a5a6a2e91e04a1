//! The OpenAI dialect: `/v1/models`, `/v1/chat/completions`, `/v1/completions`, `/v1/responses`
//! and `/v1/embeddings`, in the shapes that the official Python and Node clients parse.
//!
//! # What a request may say
//!
//! `null` is the same as an absent field, in every place.
//!
//! * **Ours**: `model`, `stream`, `stream_options`, `max_tokens` or `max_completion_tokens`, `n`,
//!   and everything by which other servers limit answers: the price is held for it, so engines
//!   get it from us, and other names for it are refused (`OWNED` of `request::options`).
//! * **Carried by every engine**: messages of text, `prompt` (one text), `input` (texts),
//!   `temperature`, `top_p`, `seed`, `stop`, `encoding_format`, and the `dimensions` that the
//!   model has anyway.
//! * **Hints**, which do not change the answer and go on where an engine takes them: `HARMLESS`
//!   of `request::fields`.
//! * **Everything else changes the answer**: tools, structured output, penalties, log
//!   probabilities, images, fields that this dialect does not know. It goes on as it was
//!   written, unless it has its neutral value (the lists `NEUTRAL`); an engine that cannot carry
//!   it refuses it with `invalid_request` and the field's name in `param`, and nothing is
//!   charged. `/v1/responses` refuses what it does not know itself.
//!
//! Headers: `Authorization: Bearer CERTIFICATE`, `Idempotency-Key`, `Ambar-Purpose`,
//! `Ambar-Price-Max` (credits: the call is refused if it may cost more), and an agent's
//! signature in `Ambar-Agent` (DID), `Ambar-Agent-Time` (ms since 1970) and
//! `Ambar-Agent-Signature` (hexadecimal), as [`crate::authorisation`] says.
//!
//! # What comes back
//!
//! `ambar-receipt` on whatever was accepted, `ambar-price` and `ambar-mu` on plain
//! answers, `ambar-replayed: true` on the answer to an earlier request with the same key.
//! A stream ends with the comment lines `: ambar-price`, `: ambar-mu`, `: ambar-receipt`
//! and `data: [DONE]`. An answer that was cut off by its caller has the finish reason
//! `length`, the nearest that the dialect has. Errors have OpenAI's shape with our code;
//! `x-should-retry` tells the official clients whether to send the same request again.
//!
//! It deliberately does not know certificates, prices, meters or engines.
//!
//! **Invariant**: every answer under `/v1` that is not a success has the error shape.

mod answer;
mod chunks;
mod models;
mod read;
mod refusal;
mod request;
mod responses;
mod routes;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use super::Calls;
use crate::call::CallError;
use ambar_base::ErrorCode;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
pub use read::{piece_of, transcript_of};
use refusal::Refusal;
pub use request::input_of;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

/// Longest request body, in bytes: room for images in messages.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Most tools of a request.
pub const TOOLS_MAX: usize = 128;
/// Longest list of tools, or form of the answer, in bytes of JSON.
pub const SCHEMA_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of lists and objects in a request body, in levels.
pub const BODY_DEPTH_MAX: usize = 64;
/// Longest `Idempotency-Key` or `Ambar-Purpose`, in bytes of visible ASCII.
pub const HEADER_VALUE_BYTES_MAX: usize = 256;
/// Longest answer that is collected for a client which does not stream, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long a stream waits for its first event before it opens. A call that fails within
/// it is answered with its own HTTP status.
pub const OPENING_WAIT: Duration = Duration::from_secs(5);
/// Longest silence of an open stream.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `POST` a conversation.
pub const CHAT: &str = "/v1/chat/completions";
/// `POST` a text to continue.
pub const COMPLETIONS: &str = "/v1/completions";
/// `POST` what a model responds to.
pub const RESPONSES: &str = "/v1/responses";
/// `POST` texts to turn into vectors.
pub const EMBEDDINGS: &str = "/v1/embeddings";

/// The dialect's routes with their methods, each once, as the HTTP library writes paths.
pub fn routes() -> [(&'static str, MethodRouter<Arc<dyn Calls>>); 6] {
    [
        ("/v1/models", get(routes::models)),
        ("/v1/models/{*id}", get(routes::model)),
        (CHAT, post(routes::chat)),
        (COMPLETIONS, post(routes::completions)),
        (EMBEDDINGS, post(routes::embeddings)),
        (RESPONSES, post(routes::responses)),
    ]
}

/// Whether a path is the dialect's, if only to say that there is nothing.
#[must_use]
pub fn covers(path: &str) -> bool {
    path.strip_prefix("/v1").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A refusal in the dialect's shape, for whoever refuses before the dialect is asked.
#[must_use]
pub fn refusal(code: ErrorCode, message: &str) -> Response {
    refused(CallError::new(code, message))
}

/// The same of an error that says more.
#[must_use]
pub fn refused(error: CallError) -> Response {
    Refusal::from(error).into_response()
}

/// What answers the dialect's requests.
#[derive(Clone)]
pub struct Dialect {
    calls: Arc<dyn Calls>,
    router: Router,
}

impl Dialect {
    /// The dialect before a gateway.
    #[must_use]
    pub fn new(calls: Arc<dyn Calls>) -> Self {
        Self { router: router(Arc::clone(&calls)), calls }
    }

    /// The dialect's router. Everything else under `/v1` is answered with 404 or 405 in the
    /// dialect's error shape; paths outside `/v1` are left alone, so that it can be merged.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// The path of a request that makes a call, as it is measured; nothing for any other.
    #[must_use]
    pub fn called(request: &Request) -> Option<&'static str> {
        let path = request.uri().path();
        let called = [CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES];
        called.into_iter().find(|known| *known == path && request.method() == Method::POST)
    }

    /// Answers a request as the router does. Calls do without one: its layers would cost as much
    /// as reading the request.
    pub async fn answer(&self, request: Request) -> Response {
        let calls = State(Arc::clone(&self.calls));
        let reply = match Self::called(&request) {
            Some(CHAT) => routes::chat(calls, request).await,
            Some(COMPLETIONS) => routes::completions(calls, request).await,
            Some(EMBEDDINGS) => routes::embeddings(calls, request).await,
            Some(RESPONSES) => routes::responses(calls, request).await,
            Some(_) | None => match self.router().oneshot(request).await {
                Ok(response) => return response,
                Err(never) => match never {},
            },
        };
        reply.into_response()
    }
}

fn router(calls: Arc<dyn Calls>) -> Router {
    let known = routes().into_iter();
    known
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .method_not_allowed_fallback(routes::wrong_method)
        .route("/v1", any(routes::unknown))
        .route("/v1/", any(routes::unknown))
        .route("/v1/{*rest}", any(routes::unknown))
        .with_state(calls)
}
