//! How a handler fails: with a public code, what happened, and what to do.

use super::dto::{ErrorBody, ErrorView};
use ambar_base::{Coded, ErrorCode};
use axum::Json;
use axum::body::to_bytes;
use axum::http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// Longest explanation that the HTTP library gives for a refusal, bytes.
const EXPLANATION_BYTES_MAX: usize = 4096;
/// How to say who asks (RFC 9110, section 11.6.1): by a certificate, or by a key's signature in
/// headers of its own.
const CHALLENGE: &str = "Bearer realm=\"ambar\", \
    Ambar-Signature headers=\"ambar-key ambar-time ambar-digest ambar-signature\"";

/// A failure on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: ErrorCode,
    pub message: String,
    pub help: Option<String>,
}

/// What a handler yields.
pub(crate) type Answer<T> = Result<Json<T>, Failure>;

impl Failure {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::RequestInvalid, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }
}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: error.code(), message: error.to_string(), help: error.help() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status());
        let help = self.help.unwrap_or_else(|| self.code.help().to_owned());
        let code = self.code.text().to_owned();
        let body = ErrorBody { error: ErrorView { code, message: self.message, help } };
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        response
    }
}

/// Gives refusals that the HTTP library made before any handler the shape of all others:
/// bodies, paths and queries that do not parse, bodies that are too long, wrong methods.
pub(crate) async fn shaped(response: Response) -> Response {
    let status = response.status();
    let json = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::RequestTooLarge,
        status if status.is_client_error() => ErrorCode::RequestInvalid,
        _ => ErrorCode::Internal,
    };
    let allowed = response.headers().get(ALLOW).cloned();
    let text = to_bytes(response.into_body(), EXPLANATION_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let reason =
        if text.is_empty() { status.canonical_reason().unwrap_or("refused") } else { &text };
    let mut response = Failure::new(code, reason).into_response();
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Runs what works on the disk or takes long off the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Failure::new(ErrorCode::Internal, "the work was interrupted")))
}
