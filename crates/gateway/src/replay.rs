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
    let damaged = |error: AnswerError| {
        let receipt = Some(metered.receipt());
        CallError { receipt, retry: false, ..CallError::of(&error) }
    };
    let sealed = metered.answer.body.as_ref().ok_or(AnswerError::Erased);
    let body = sealed.and_then(|sealed| answers.unseal(sealed, metered.receipt(), opener));
    let body = body.map_err(damaged)?;
    let transcript = body.transcript().map_err(damaged)?;
    let mut said: Vec<CallEvent> = match transcript.only_text() {
        Some(text) if body.vectors.is_empty() => vec![CallEvent::Text(text.to_owned())],
        Some(_) => vec![CallEvent::Vectors(body.floats())],
        None => {
            let pieces = transcript.into_pieces().into_iter();
            pieces.map(|piece| CallEvent::Piece(Box::new(piece))).collect()
        }
    };
    said.push(CallEvent::Done(run::replayed(metered).into()));
    let (client, events) = mpsc::channel(said.len());
    for event in said {
        // There is a place for each.
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
