//! The headers that a request may carry.

use super::super::HEADER_VALUE_BYTES_MAX;
use crate::call::CallError;
use ambar_base::ErrorCode;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// The bearer token (RFC 6750): here, a certificate. How long it may be is said where it
/// is opened.
///
/// # Errors
/// [`ErrorCode::Unauthenticated`] without exactly one.
pub fn bearer(headers: &HeaderMap) -> Result<&str, CallError> {
    let refuse = |message| CallError::new(ErrorCode::Unauthenticated, message);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value,
        (None, _) => return Err(refuse("no certificate: send `Authorization: Bearer …`")),
        _ => return Err(refuse("more than one Authorization header")),
    };
    let text = value.to_str().map_err(|_| refuse("the Authorization header is not ASCII"))?;
    match text.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refuse("the Authorization header is not `Bearer …`")),
    }
}

/// The client's own key for the call.
///
/// # Errors
/// [`ErrorCode::RequestInvalid`] unless it is one, of 1 to [`HEADER_VALUE_BYTES_MAX`]
/// bytes of visible ASCII.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, CallError> {
    single(headers, "Idempotency-Key")
}

/// The declared purpose.
///
/// # Errors
/// As [`idempotency_key`].
pub fn purpose(headers: &HeaderMap) -> Result<Option<String>, CallError> {
    single(headers, "Ambar-Purpose")
}

fn single(headers: &HeaderMap, name: &str) -> Result<Option<String>, CallError> {
    let refuse = |message: String| CallError::new(ErrorCode::RequestInvalid, message).at(name);
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refuse(format!("more than one {name} header")));
    }
    let bytes = value.as_bytes();
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if bytes.is_empty() || bytes.len() > HEADER_VALUE_BYTES_MAX || !visible {
        let message = format!("{name} has 1 to {HEADER_VALUE_BYTES_MAX} visible ASCII characters");
        return Err(refuse(message));
    }
    Ok(Some(bytes.iter().copied().map(char::from).collect()))
}
