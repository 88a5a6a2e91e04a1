//! `/v1/models`: what a certificate can call.
//!
//! The dialect wants a time of creation; the ledger counts in heights. `created` is 0,
//! "unknown", and the height is given under its own name.

use super::wire;
use crate::call::{CallError, Callable};
use ambar_base::ErrorCode;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    name: &'a str,
    height: u64,
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
}

impl<'a> Model<'a> {
    fn of(callable: &'a Callable) -> Self {
        let Callable { id, name, owner, height } = callable;
        Self { id, object: "model", created: 0, owned_by: owner, name, height: *height }
    }
}

/// All of them.
pub fn list(callable: &[Callable]) -> Response {
    let data = callable.iter().map(Model::of).collect();
    wire::respond(StatusCode::OK, wire::json(&Models { object: "list", data }))
}

/// The one with this id or, if none has it, this name.
///
/// # Errors
/// [`ErrorCode::CapsuleUnknown`].
pub fn one(callable: &[Callable], wanted: &str) -> Result<Response, CallError> {
    let by_name = || callable.iter().find(|callable| callable.name == wanted);
    let found = callable.iter().find(|callable| callable.id == wanted).or_else(by_name);
    let found = found.ok_or_else(|| {
        let message = format!("this certificate cannot call `{wanted}`");
        CallError::new(ErrorCode::CapsuleUnknown, message).at("model")
    })?;
    Ok(wire::respond(StatusCode::OK, wire::json(&Model::of(found))))
}
