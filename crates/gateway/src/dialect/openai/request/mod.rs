//! From HTTP requests to [`CallRequest`]s.
//!
//! **Invariant**: nothing here panics on any bytes, and every refusal of a field names it.

pub mod body;
pub mod chat;
pub mod completion;
pub mod embedding;
pub mod fields;
pub mod headers;
pub mod options;

use crate::authorisation::{AgentWord, fingerprint};
use crate::call::{CallError, CallRequest, GenerateOptions, Job};
use crate::flow::Priority;
use crate::vouchers::VoucherWord;
use ambar_base::{Digest, ErrorCode, Price};
use axum::body::Bytes;
use axum::extract::Request;
use fields::Fields;
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use std::time::Duration;

use super::{BODY_BYTES_MAX, CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, responses};

/// A generation as it was asked for.
#[derive(Debug)]
pub struct Generation {
    /// The capsule.
    pub model: String,
    /// What to do.
    pub options: GenerateOptions,
    /// How to stream, if the answer is streamed.
    pub stream: Option<StreamOptions>,
}

/// How to stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Whether a last chunk says what was used.
    pub include_usage: bool,
}

/// Everything of a request but what its route makes of the fields.
#[derive(Debug)]
pub struct Incoming {
    certificate: String,
    purpose: Option<String>,
    idempotency_key: Option<String>,
    retries: Option<u32>,
    patience: Option<Duration>,
    urgency: Priority,
    price_max: Option<Price>,
    agent: Option<AgentWord>,
    salt: Option<Digest>,
    voucher: Option<VoucherWord>,
    fingerprint: Digest,
    fields: Fields,
}

impl Incoming {
    /// Reads a request to `path`. The headers are checked before the body is read.
    ///
    /// # Errors
    /// [`ErrorCode::Unauthenticated`], [`ErrorCode::RequestTooLarge`] and
    /// [`ErrorCode::RequestInvalid`].
    pub async fn read(path: &'static str, request: Request) -> Result<Self, CallError> {
        let certificate = headers::bearer(request.headers())?.to_owned();
        let purpose = headers::purpose(request.headers())?;
        let idempotency_key = headers::idempotency_key(request.headers())?;
        let retries = headers::retries(request.headers());
        let patience = headers::patience(request.headers())?;
        let urgency = headers::urgency(request.headers())?;
        let price_max = headers::price_max(request.headers())?;
        let agent = headers::agent(request.headers())?;
        let salt = headers::salt(request.headers())?;
        let voucher = headers::voucher(request.headers())?;
        let bytes = read_body(request).await?;
        let fields = body::parse(&bytes)?;
        let fingerprint = fingerprint(path, &bytes);
        Ok(Self {
            certificate,
            purpose,
            idempotency_key,
            retries,
            patience,
            urgency,
            price_max,
            agent,
            salt,
            voucher,
            fingerprint,
            fields,
        })
    }

    /// The body's fields; they are here once.
    pub fn take_fields(&mut self) -> Fields {
        std::mem::take(&mut self.fields)
    }

    /// The call that this request asks for.
    pub fn into_call(self, capsule: String, job: Job) -> CallRequest {
        let Self { certificate, purpose, idempotency_key, price_max, agent, .. } = self;
        let Self { salt, voucher, fingerprint, retries, patience, urgency, .. } = self;
        CallRequest {
            certificate,
            capsule,
            purpose,
            idempotency_key,
            retries,
            patience,
            urgency,
            price_max,
            agent,
            salt,
            voucher,
            fingerprint,
            job,
        }
    }
}

/// What a request to `path` asks as its receipt hashes it, and whether the answer streams;
/// nothing if it is refused.
#[must_use]
pub fn input_of(path: &str, body: &[u8]) -> Option<(String, bool)> {
    let fields = body::parse(body).ok()?;
    let generation = match path {
        CHAT => chat::parse(fields).ok()?,
        COMPLETIONS => completion::parse(fields).ok()?,
        RESPONSES => responses::request::parse(fields).ok()?.0,
        EMBEDDINGS => {
            let embedding::Embedding { job, .. } = embedding::parse(fields).ok()?;
            return Some((Job::Embed(job).input(), false));
        }
        _ => return None,
    };
    let stream = generation.stream.is_some();
    Some((Job::Generate(generation.options).input(), stream))
}

async fn read_body(request: Request) -> Result<Bytes, CallError> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    body.map(Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let message = format!("the body is longer than {BODY_BYTES_MAX} bytes");
            CallError::new(ErrorCode::RequestTooLarge, message)
        } else {
            CallError::new(ErrorCode::RequestInvalid, format!("the body cannot be read: {error}"))
        }
    })
}
