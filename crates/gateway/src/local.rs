//! Letting an engine of this node work: pieces are handed on as they come, whoever leaves
//! cancels, and whatever ends it, what was brought forth is known.

use crate::call::{CallError, CallEvent};
use crate::routing::Outlet;
use crate::transcript::{Product, Transcript};
use ambar_base::ErrorCode;
use ambar_compute::{EmbedJob, Engine, EngineError, Event, Failure, Finish, GenerateJob, Usage};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Pieces of an answer that wait between engine and client.
const ENGINE_EVENTS_MAX: usize = 64;

/// The party of a payer's jobs: prompts are cached for it alone.
pub(crate) fn party(payer: u64) -> u64 {
    // Nobody is party 0.
    payer.saturating_add(1)
}

/// Lets an engine write, and hands each piece on. A client that leaves cancels it.
pub(crate) async fn generate(
    engine: &Arc<dyn Engine>,
    job: GenerateJob,
    outlet: Outlet<'_>,
) -> Product {
    let cancel = outlet.cancel;
    let (events, mut pieces) = mpsc::channel(ENGINE_EVENTS_MAX);
    let (mut transcript, mut first) = (Transcript::default(), None);
    let forward = async {
        while let Some(event) = pieces.recv().await {
            if !outlet.is_heard() {
                continue;
            }
            first.get_or_insert_with(Instant::now);
            let event = match event {
                Event::Text(text) => {
                    transcript.say(&text);
                    CallEvent::Text(text)
                }
                Event::Piece(piece) => {
                    transcript.add(&piece);
                    CallEvent::Piece(piece)
                }
            };
            if !outlet.send(event).await {
                cancel.cancel();
            }
        }
    };
    let working = async { tokio::join!(engine.generate(job, events, cancel.clone()), forward).0 };
    let generated = until_left(working, outlet).await;
    match generated {
        Ok(generation) => Product {
            transcript,
            usage: generation.usage,
            finish: Some(generation.finish),
            first,
            ..Product::default()
        },
        Err(EngineError { failure, usage }) => Product {
            transcript,
            usage,
            first,
            failure: Some(failed(&failure)),
            ..Product::default()
        },
    }
}

/// Lets an engine embed. A vector that nobody took was not delivered.
pub(crate) async fn embed(engine: &Arc<dyn Engine>, job: EmbedJob, outlet: Outlet<'_>) -> Product {
    // Each text is a token at least.
    let least = job.inputs.len() as u64;
    let embedded = until_left(engine.embed(job, outlet.cancel.clone()), outlet).await;
    match embedded {
        Ok(_) if !outlet.is_heard() => Product::cancelled(),
        Ok(embeddings) => {
            let vectors = embeddings.vectors;
            let gone = !outlet.send(CallEvent::Vectors(vectors.clone())).await;
            let tokens_in = embeddings.tokens.or(Some(least));
            let usage = Usage { tokens_in, ..Usage::default() };
            let vectors = if gone { Vec::new() } else { vectors };
            Product { vectors, usage, finish: Some(Finish::Stop), ..Product::default() }
        }
        Err(EngineError { failure, usage }) => {
            Product { usage, failure: Some(failed(&failure)), ..Product::default() }
        }
    }
}

/// Works until done; cancels when the client leaves, and then still waits for the end.
async fn until_left<T>(working: impl Future<Output = T>, outlet: Outlet<'_>) -> T {
    tokio::pin!(working);
    tokio::select! {
        done = &mut working => return done,
        () = outlet.closed() => outlet.cancel.cancel(),
    }
    working.await
}

/// The public error of an engine's failure.
pub(crate) fn failed(failure: &Failure) -> CallError {
    let code = match failure {
        Failure::InvalidJob { .. }
        | Failure::Unsupported { .. }
        | Failure::UnsupportedField { .. }
        | Failure::UpstreamRefused { .. } => ErrorCode::RequestInvalid,
        Failure::Busy { .. } | Failure::UpstreamBusy { .. } => ErrorCode::EngineBusy,
        Failure::ContextTooLong { .. } => ErrorCode::ContextTooLong,
        Failure::UnsupportedArchitecture { .. } => ErrorCode::ModelUnsupported,
        Failure::UpstreamConfig { .. }
        | Failure::UpstreamUnreachable { .. }
        | Failure::UpstreamTimeout
        | Failure::UpstreamStatus { .. }
        | Failure::UpstreamReported { .. }
        | Failure::UpstreamForm { .. }
        | Failure::UpstreamTooLong { .. }
        | Failure::UpstreamClosed => ErrorCode::BadGateway,
        _ => ErrorCode::EngineFailed,
    };
    let error = CallError::new(code, failure.to_string());
    match failure {
        Failure::UnsupportedField { field, .. } => error.at(field),
        Failure::UpstreamRefused { param: Some(param), .. } => error.at(param),
        Failure::UpstreamBusy { retry_after_ms, .. } => {
            CallError { retry_after_ms: *retry_after_ms, ..error }
        }
        _ => error,
    }
}
