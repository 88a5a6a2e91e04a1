//! Plain answers: everything is collected, then sent with its price in the headers.
//!
//! **Invariant**: no part of an answer is sent unless its call is over and its receipt
//! durable; a failure on the way is an HTTP error, never a shorter answer.

use super::ANSWER_BYTES_MAX;
use super::refusal::{charged, cut_off};
use super::request::embedding::{Encoding, Wanted};
use super::wire::{self, Head};
use crate::call::{Accepted, CallError, CallEvent, Summary};
use crate::transcript::Transcript;
use ambar_base::ErrorCode;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;
use std::fmt::Display;

/// Sets one of our headers, whose values are numbers, receipt ids and truth values.
pub fn set_header(headers: &mut HeaderMap, name: &'static str, value: impl Display) {
    let value = HeaderValue::try_from(value.to_string());
    headers.insert(name, value.expect("digits, points, hyphens and letters are a header value"));
}

/// Sets the headers that are known once a call is accepted.
pub fn set_accepted(headers: &mut HeaderMap, accepted: &Accepted) {
    set_header(headers, "ambar-receipt", accepted.receipt);
    if accepted.replayed {
        set_header(headers, "ambar-replayed", true);
    }
}

/// The answer to a prompt.
///
/// # Errors
/// Whatever the call failed with, and an answer longer than [`ANSWER_BYTES_MAX`].
pub async fn generated(head: &Head, mut accepted: Accepted) -> Result<Response, CallError> {
    let collected = collect(&mut accepted).await?;
    if !collected.vectors.is_empty() {
        return Err(misshapen(&accepted));
    }
    let body = head.whole(&collected.transcript, &collected.summary);
    Ok(respond(&accepted, &collected.summary, body))
}

/// The answer to an embedding request.
///
/// # Errors
/// Whatever the call failed with, and vectors of another width than was asked for.
pub async fn embedded(mut accepted: Accepted, wanted: &Wanted) -> Result<Response, CallError> {
    let collected = collect(&mut accepted).await?;
    let vectors = &collected.vectors;
    let finite = vectors.iter().flatten().all(|number| number.is_finite());
    if !collected.transcript.is_empty() || vectors.len() != wanted.inputs || !finite {
        return Err(misshapen(&accepted));
    }
    check_width(vectors, wanted, &accepted)?;
    let body = wire::json(&Embeddings {
        object: "list",
        data: vectors.iter().enumerate().map(|(index, v)| datum(index, v, wanted)).collect(),
        model: &accepted.capsule,
        usage: InputUsage {
            prompt_tokens: collected.summary.tokens_in,
            total_tokens: collected.summary.tokens_in,
        },
    });
    Ok(respond(&accepted, &collected.summary, body))
}

/// A plain answer with its price in the headers.
pub fn respond(accepted: &Accepted, summary: &Summary, body: String) -> Response {
    let mut response = wire::respond(StatusCode::OK, body);
    let headers = response.headers_mut();
    set_accepted(headers, accepted);
    set_header(headers, "ambar-price", summary.price);
    set_header(headers, "ambar-mu", summary.mu);
    response
}

/// A whole answer.
pub struct Collected {
    /// Its choices.
    pub transcript: Transcript,
    /// Its vectors.
    pub vectors: Vec<Vec<f32>>,
    /// What it used and cost.
    pub summary: Summary,
}

/// Waits for the whole answer.
///
/// # Errors
/// Whatever the call failed with, and an answer longer than [`ANSWER_BYTES_MAX`].
pub async fn collect(accepted: &mut Accepted) -> Result<Collected, CallError> {
    let (mut transcript, mut vectors) = (Transcript::default(), Vec::new());
    let mut bytes = 0;
    loop {
        match accepted.events.recv().await {
            Some(CallEvent::Text(text)) => {
                bytes += text.len() as u64;
                transcript.say(&text);
            }
            Some(CallEvent::Piece(piece)) => {
                bytes += piece.bytes();
                transcript.add(&piece);
            }
            Some(CallEvent::Vectors(more)) => vectors.extend(more),
            Some(CallEvent::Done(summary)) => {
                return Ok(Collected { transcript, vectors, summary: *summary });
            }
            Some(CallEvent::Failed(error)) => return Err(*error),
            None => return Err(cut_off(accepted.receipt)),
        }
        if bytes > ANSWER_BYTES_MAX as u64 {
            let message = format!("the answer is longer than {ANSWER_BYTES_MAX} bytes: stream it");
            return Err(charged(ErrorCode::LimitExceeded, message, accepted.receipt));
        }
    }
}

/// What came back is not what the job asks for: a fault of the gateway or its engine.
pub fn misshapen(accepted: &Accepted) -> CallError {
    let message = "the engine's answer does not have the shape that was asked for";
    charged(ErrorCode::Internal, message, accepted.receipt)
}

/// The width is known only once the vectors are here, so this refusal is after the charge.
fn check_width(
    vectors: &[Vec<f32>],
    wanted: &Wanted,
    accepted: &Accepted,
) -> Result<(), CallError> {
    let Some(dimensions) = wanted.dimensions else { return Ok(()) };
    match vectors.iter().map(Vec::len).find(|width| *width != dimensions) {
        Some(width) => {
            let message = format!("this model has {width} dimensions, which cannot be changed");
            let error = charged(ErrorCode::RequestInvalid, message, accepted.receipt);
            Err(error.at("dimensions"))
        }
        None => Ok(()),
    }
}

#[derive(Serialize)]
struct Embeddings<'a> {
    object: &'static str,
    data: Vec<Datum<'a>>,
    model: &'a str,
    usage: InputUsage,
}

#[derive(Serialize)]
struct Datum<'a> {
    object: &'static str,
    index: usize,
    embedding: Numbers<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Numbers<'a> {
    List(&'a [f32]),
    Base64(String),
}

#[derive(Serialize)]
struct InputUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

fn datum<'a>(index: usize, vector: &'a [f32], wanted: &Wanted) -> Datum<'a> {
    let embedding = match wanted.encoding {
        Encoding::Float => Numbers::List(vector),
        Encoding::Base64 => Numbers::Base64(packed(vector)),
    };
    Datum { object: "embedding", index, embedding }
}

/// Base64 of the numbers as 32-bit floats, little-endian, as the official clients read it.
fn packed(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}
