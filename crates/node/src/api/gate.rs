//! The gate before calls: whether the node has room for one more is asked with a
//! request's head alone. Everything else that the port answers does not pass here.
//!
//! Who pays is not known yet, because a certificate is opened with the call. What stands for the
//! payer is the certificate as it was sent, so whoever has several is several payers here; the
//! queues before engines know better.
//!
//! **Invariant**: nothing of a body is read for who is refused here, and a place is kept until
//! its answer is over.

use super::App;
use crate::server::Holding;
use ambar_base::ErrorCode;
use ambar_gateway::call::CallError;
use ambar_gateway::dialect;
use ambar_gateway::entrance::{Entrance, Permit};
use axum::body::{Body, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;

/// The gate.
pub(crate) struct Gate {
    /// How many are let in.
    pub(crate) entrance: Entrance,
    /// Nobody can choose a certificate that is taken for another's.
    numbers: RandomState,
}

impl Gate {
    /// A gate that lets in at most so many calls at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { entrance: Entrance::new(most), numbers: RandomState::new() }
    }
}

/// How long after it came a call without room is refused. Clients that do not heed `Retry-After`
/// come again at once; while they wait to be refused they cost nothing.
const TOLD_AFTER: Duration = Duration::from_millis(250);

/// Lets a call in, or says with what it is refused.
pub(super) async fn enter(app: &App, head: &HeaderMap) -> Result<Permit, Response> {
    let came = Instant::now();
    let payer = app.gate.numbers.hash_one(head.get(AUTHORIZATION));
    let entered = match app.gateway.takes_calls() {
        Ok(()) => app.gate.entrance.enter(payer).await.map_err(CallError::from),
        Err(error) => Err(error),
    };
    match entered {
        Ok(permit) => Ok(permit),
        Err(error) => {
            if error.code == ErrorCode::Overloaded {
                tokio::time::sleep_until(came + TOLD_AFTER).await;
            }
            Err(dialect::refused(app.gateway.refuse(error)))
        }
    }
}

/// An answer that is whole gives its place back at once, a stream with its end.
pub(super) fn keep(response: Response, permit: Permit) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| Body::new(Holding::new(body, permit)))
}
