//! Errors in OpenAI's shape, with our codes.
//!
//! **Invariant**: what was charged is never sent again by itself: an error with a receipt
//! always says `x-should-retry: false`.

use super::answer::set_header;
use super::wire;
use crate::call::{CallError, ReceiptId};
use ambar_base::ErrorCode;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A [`CallError`] on its way to the client.
#[derive(Debug)]
pub struct Refusal(CallError);

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Self(error)
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: &'static str,
}

/// The error's body, which is also the data of a stream's last event.
pub fn body(error: &CallError) -> String {
    wire::json(&Envelope {
        error: Detail {
            message: &error.message,
            r#type: kind(error.code.http_status()),
            param: error.param.as_deref(),
            code: error.code.text(),
        },
    })
}

/// OpenAI's word for a status.
/// Source: <https://platform.openai.com/docs/guides/error-codes>
fn kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The error of a call whose events ended without an end. It may have been charged, so
/// its receipt is named.
pub fn cut_off(receipt: ReceiptId) -> CallError {
    charged(ErrorCode::Internal, "the call ended without an answer", receipt)
}

/// An error after a call was charged.
pub fn charged(code: ErrorCode, message: impl Into<String>, receipt: ReceiptId) -> CallError {
    let error = CallError::new(code, message);
    CallError { retry: false, receipt: Some(receipt), ..error }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = StatusCode::from_u16(error.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = wire::respond(status, body(&error));
        let headers = response.headers_mut();
        set_header(headers, "x-should-retry", error.retry && error.receipt.is_none());
        if let Some(wait_ms) = error.retry_after_ms.filter(|_| error.receipt.is_none()) {
            set_header(headers, "retry-after", wait_ms.div_ceil(1_000));
            set_header(headers, "retry-after-ms", wait_ms);
        }
        if let Some(receipt) = error.receipt {
            set_header(headers, "ambar-receipt", receipt);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
