//! Replay: a retry with the same idempotency key gets the first answer and the first receipt.

use crate::answers::{AnswerError, Answers, Opener};
use crate::call::{Accepted, CallError, CallEvent, CallRequest};
use crate::record::Metered;
use crate::run;
use ambar_base::ErrorCode;
use tokio::sync::mpsc;

/// The first answer again, with the first receipt.
pub fn replay(
    metered: &Metered,
    request: &CallRequest,
    (answers, opener): (&Answers, &Opener),
) -> Result<Accepted, CallError> {
    if metered.fingerprint != request.fingerprint {
        let message = "this Idempotency-Key was used for another request";
        let error = CallError::new(ErrorCode::IdempotencyConflict, message);
        return Err(CallError { receipt: Some(metered.receipt()), ..error });
    }
    let (client, events) = mpsc::channel(4);
    let sealed = metered.answer.body.as_ref().ok_or(AnswerError::Erased);
    let body = sealed.and_then(|sealed| answers.unseal(sealed, metered.receipt(), opener));
    let body = body.map_err(|error| {
        let receipt = Some(metered.receipt());
        CallError { receipt, retry: false, ..CallError::of(&error) }
    })?;
    let piece = if body.vectors.is_empty() {
        CallEvent::Text(body.text)
    } else {
        CallEvent::Vectors(body.floats())
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
