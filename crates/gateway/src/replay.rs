//! Replay: a retry with the same idempotency key gets the first answer and the first receipt.

use crate::call::{Accepted, CallError, CallEvent, CallRequest};
use crate::record::Metered;
use crate::run;
use ambar_base::ErrorCode;
use tokio::sync::mpsc;

/// The first answer again, with the first receipt.
pub fn replay(metered: &Metered, request: &CallRequest) -> Result<Accepted, CallError> {
    if metered.fingerprint != request.fingerprint {
        let message = "this Idempotency-Key was used for another request";
        let error = CallError::new(ErrorCode::IdempotencyConflict, message);
        return Err(CallError { receipt: Some(metered.receipt()), ..error });
    }
    let (client, events) = mpsc::channel(4);
    let answer = &metered.answer;
    let piece = if answer.vectors.is_empty() {
        CallEvent::Text(answer.text.clone())
    } else {
        CallEvent::Vectors(answer.floats())
    };
    for event in [piece, CallEvent::Done(run::replayed(metered))] {
        // Two events fit into four places.
        let _ = client.try_send(event);
    }
    Ok(Accepted {
        receipt: metered.receipt(),
        capsule: metered.capsule.clone(),
        admitted_ms: metered.leaf.time.0,
        replayed: true,
        events,
    })
}
