//! The headers that a request may carry.

use super::super::HEADER_VALUE_BYTES_MAX;
use crate::authorisation::AgentWord;
use crate::call::CallError;
use crate::flow::Priority;
use crate::vouchers::VoucherWord;
use ambar_base::{Digest, ErrorCode, Moment, Price, PublicKey, Signature};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use std::time::Duration;

/// A header, looked up by a name that is parsed once.
struct Name {
    key: HeaderName,
    /// As people write it.
    shown: &'static str,
}

impl Name {
    const fn new(key: &'static str, shown: &'static str) -> Self {
        Self { key: HeaderName::from_static(key), shown }
    }
}

static IDEMPOTENCY_KEY: Name = Name::new("idempotency-key", "Idempotency-Key");
static TIMEOUT: Name = Name::new("ambar-timeout", "Ambar-Timeout");
static PRIORITY: Name = Name::new("ambar-priority", "Ambar-Priority");
static PURPOSE: Name = Name::new("ambar-purpose", "Ambar-Purpose");
static PRICE_MAX: Name = Name::new("ambar-price-max", "Ambar-Price-Max");
static AGENT: Name = Name::new("ambar-agent", "Ambar-Agent");
static AGENT_TIME: Name = Name::new("ambar-agent-time", "Ambar-Agent-Time");
static AGENT_SIGNATURE: Name = Name::new("ambar-agent-signature", "Ambar-Agent-Signature");
static SALT: Name = Name::new("ambar-salt", "Ambar-Salt");
static VOUCHER: Name = Name::new("ambar-voucher", "Ambar-Voucher");
static VOUCHER_SIGNATURE: Name = Name::new("ambar-voucher-signature", "Ambar-Voucher-Signature");
static RETRY_COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");

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
    single(headers, &IDEMPOTENCY_KEY)
}

/// How many times an official client has sent this request before; nothing if it does not say.
#[must_use]
pub fn retries(headers: &HeaderMap) -> Option<u32> {
    headers.get(&RETRY_COUNT)?.to_str().ok()?.parse().ok()
}

/// How long the client waits for the answer: `Ambar-Timeout`, seconds, with at most three
/// decimals. After that the call ends, and costs what was delivered.
///
/// # Errors
/// As [`idempotency_key`], and unless it is 0.001 to 86400 seconds.
pub fn patience(headers: &HeaderMap) -> Result<Option<Duration>, CallError> {
    parsed(headers, &TIMEOUT, |text| {
        let seconds: f64 = text.parse().ok()?;
        let fits = (0.001..=86_400.0).contains(&seconds);
        fits.then(|| Duration::from_millis((seconds * 1_000.0).round() as u64))
    })
}

/// How urgent the call is among those of its payer: `Ambar-Priority`, `high`, `normal` or `low`.
///
/// # Errors
/// As [`idempotency_key`], and unless it is one of these.
pub fn urgency(headers: &HeaderMap) -> Result<Priority, CallError> {
    Ok(parsed(headers, &PRIORITY, |text| text.parse().ok())?.unwrap_or_default())
}

/// The declared purpose.
///
/// # Errors
/// As [`idempotency_key`].
pub fn purpose(headers: &HeaderMap) -> Result<Option<String>, CallError> {
    single(headers, &PURPOSE)
}

/// Most that the call may cost, credits.
///
/// # Errors
/// As [`idempotency_key`], and unless it is a price.
pub fn price_max(headers: &HeaderMap) -> Result<Option<Price>, CallError> {
    parsed(headers, &PRICE_MAX, |text| text.parse().ok())
}

/// An agent's signature over the call: three headers, all or none.
///
/// # Errors
/// As [`idempotency_key`], and unless they are a DID, milliseconds since 1970 and 128
/// hexadecimal digits.
pub fn agent(headers: &HeaderMap) -> Result<Option<AgentWord>, CallError> {
    let agent = parsed(headers, &AGENT, |text| PublicKey::from_did(text).ok())?;
    let time = parsed(headers, &AGENT_TIME, |text| text.parse().ok().map(Moment))?;
    let signature = parsed(headers, &AGENT_SIGNATURE, signature)?;
    match (agent, time, signature) {
        (None, None, None) => Ok(None),
        (Some(agent), Some(time), Some(signature)) => {
            Ok(Some(AgentWord { agent, time, signature }))
        }
        _ => {
            let message = "Ambar-Agent, Ambar-Agent-Time and Ambar-Agent-Signature go together";
            Err(CallError::new(ErrorCode::RequestInvalid, message).at("Ambar-Agent"))
        }
    }
}

/// The salt of input and output that the calling side has drawn.
///
/// # Errors
/// As [`idempotency_key`], and unless it is 64 hexadecimal digits.
pub fn salt(headers: &HeaderMap) -> Result<Option<Digest>, CallError> {
    parsed(headers, &SALT, |text| text.parse().ok())
}

/// A voucher for the channel: two headers, both or none.
///
/// # Errors
/// As [`idempotency_key`], and unless they are credits and 128 hexadecimal digits.
pub fn voucher(headers: &HeaderMap) -> Result<Option<VoucherWord>, CallError> {
    let total = parsed(headers, &VOUCHER, |text| text.parse().ok())?;
    let signature = parsed(headers, &VOUCHER_SIGNATURE, signature)?;
    match (total, signature) {
        (None, None) => Ok(None),
        (Some(total), Some(signature)) => Ok(Some(VoucherWord { total, signature })),
        _ => {
            let message = "Ambar-Voucher and Ambar-Voucher-Signature go together";
            Err(CallError::new(ErrorCode::RequestInvalid, message).at("Ambar-Voucher"))
        }
    }
}

fn signature(text: &str) -> Option<Signature> {
    let mut bytes = [0; 64];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| Signature(bytes))
}

fn parsed<T>(
    headers: &HeaderMap,
    name: &Name,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, CallError> {
    let Some(text) = single(headers, name)? else { return Ok(None) };
    let refuse = || {
        let message = format!("{} cannot be {text:?}", name.shown);
        CallError::new(ErrorCode::RequestInvalid, message).at(name.shown)
    };
    parse(&text).map(Some).ok_or_else(refuse)
}

fn single(headers: &HeaderMap, name: &Name) -> Result<Option<String>, CallError> {
    let Name { key, shown: name } = name;
    let refuse = |message: String| CallError::new(ErrorCode::RequestInvalid, message).at(name);
    let mut values = headers.get_all(key).iter();
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
