//! How a handler fails: with a public code, what happened, and what to do.

use super::dto::{ErrorBody, ErrorView};
use ambar_base::{Coded, ErrorCode};
use axum::Json;
use axum::body::to_bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// Longest explanation that the HTTP library gives for a refusal, bytes.
const EXPLANATION_BYTES_MAX: usize = 4096;

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
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
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
    let text = to_bytes(response.into_body(), EXPLANATION_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let reason =
        if text.is_empty() { status.canonical_reason().unwrap_or("refused") } else { &text };
    Failure::new(code, reason).into_response()
}

/// Runs what works on the disk or takes long off the runtime.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Failure::new(ErrorCode::Internal, "the work was interrupted")))
}
