//! Answers as server-sent events.
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>
//!
//! Whatever is ready in one poll becomes one write. The response body owns the call's
//! events: no task stands between them, so a client that leaves drops them at once and
//! the gateway cancels.
//!
//! A [`Form`] says how a route writes what happens.
//!
//! **Invariant**: `[DONE]` follows the receipt of a call that is over and metered; a
//! failed call ends with an error event and without `[DONE]`.

use super::answer::set_accepted;
use super::refusal::{self, cut_off};
use super::{KEEP_ALIVE, OPENING_WAIT};
use crate::call::{Accepted, CALL_EVENTS_MAX, CallError, CallEvent, Piece, ReceiptId, Summary};
use ambar_base::ErrorCode;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::Stream;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// The streamed answer to an accepted call.
///
/// # Errors
/// A call that fails within [`OPENING_WAIT`], before anything of it was delivered.
pub async fn reply(form: impl Form, mut accepted: Accepted) -> Result<Response, CallError> {
    let first = match timeout(OPENING_WAIT, accepted.events.recv()).await {
        Ok(Some(CallEvent::Failed(error))) => return Err(*error),
        Ok(None) => return Err(cut_off(accepted.receipt)),
        Ok(first) => first,
        Err(_) => None,
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    set_accepted(headers, &accepted);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Asks nginx and its kin not to hold the stream back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let frames = Frames::new(form, accepted, first, KEEP_ALIVE);
    *response.body_mut() = Body::from_stream(frames);
    Ok(response)
}

/// How a route writes what happens in a call.
pub trait Form: Send + Unpin + 'static {
    /// What comes before anything is said.
    fn begin(&mut self, out: &mut String);
    /// Text of the first choice, not empty.
    fn text(&mut self, out: &mut String, text: &str);
    /// Any other piece.
    fn piece(&mut self, out: &mut String, piece: &Piece);
    /// What comes after the last piece, before the price.
    fn end(&mut self, out: &mut String, summary: &Summary);
    /// How the call failed.
    fn fail(&mut self, out: &mut String, error: &CallError);
}

/// Room that a frame begins with: two or three chunks of a few words.
const FRAME_BYTES: usize = 1 << 10;

/// The body of a streamed answer.
pub struct Frames<F> {
    form: F,
    receipt: ReceiptId,
    events: mpsc::Receiver<CallEvent>,
    /// What was received and not yet written.
    ready: Vec<CallEvent>,
    begun: bool,
    ended: bool,
    keep_alive: Duration,
    silence: Pin<Box<Sleep>>,
}

impl<F: Form> Frames<F> {
    /// The frames of a call whose first event may have been received already, with a
    /// comment after each silence of `keep_alive`.
    pub fn new(
        form: F,
        accepted: Accepted,
        first: Option<CallEvent>,
        keep_alive: Duration,
    ) -> Self {
        Self {
            form,
            receipt: accepted.receipt,
            events: accepted.events,
            ready: first.into_iter().collect(),
            begun: false,
            ended: false,
            keep_alive,
            silence: Box::pin(sleep(keep_alive)),
        }
    }

    /// Everything that can be written now; nothing if nothing is there yet, and then the
    /// task is woken by the next event.
    fn write_ready(&mut self, context: &mut Context<'_>) -> String {
        let mut out = String::with_capacity(FRAME_BYTES);
        if !std::mem::replace(&mut self.begun, true) {
            self.form.begin(&mut out);
        }
        loop {
            let received = self.events.poll_recv_many(context, &mut self.ready, CALL_EVENTS_MAX);
            self.write_received(&mut out);
            match received {
                Poll::Ready(0) if !self.ended => self.fail(&mut out, &cut_off(self.receipt)),
                // Empty pieces only: whoever stops here would never be woken.
                Poll::Ready(_) if out.is_empty() => continue,
                _ => (),
            }
            return out;
        }
    }

    fn write_received(&mut self, out: &mut String) {
        let mut ready = std::mem::take(&mut self.ready);
        for event in ready.drain(..) {
            if !self.ended {
                self.write(out, &event);
            }
        }
        // Its room is used again.
        self.ready = ready;
    }

    fn write(&mut self, out: &mut String, event: &CallEvent) {
        match event {
            CallEvent::Text(text) if text.is_empty() => (),
            CallEvent::Text(text) => self.form.text(out, text),
            CallEvent::Piece(piece) if piece.is_empty() && piece.finish_reason.is_none() => (),
            CallEvent::Piece(piece) => self.form.piece(out, piece),
            CallEvent::Done(summary) => {
                self.form.end(out, summary);
                push_end(out, summary);
                self.ended = true;
            }
            CallEvent::Failed(error) => self.fail(out, error),
            CallEvent::Vectors(_) => {
                let message = "the engine's answer does not have the shape that was asked for";
                self.fail(out, &refusal::charged(ErrorCode::Internal, message, self.receipt));
            }
        }
    }

    fn fail(&mut self, out: &mut String, error: &CallError) {
        if let Some(receipt) = error.receipt {
            push_comment(out, "ambar-receipt", &receipt.to_string());
            out.push('\n');
        }
        self.form.fail(out, error);
        self.ended = true;
    }
}

impl<F: Form> Stream for Frames<F> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut out = self.write_ready(context);
        if out.is_empty() {
            std::task::ready!(self.silence.as_mut().poll(context));
            out.push_str(": keep-alive\n\n");
        }
        let deadline = Instant::now() + self.keep_alive;
        self.silence.as_mut().reset(deadline);
        Poll::Ready(Some(Ok(out.into())))
    }
}

/// What ends a stream: price, work and receipt as comments, and the word for it.
fn push_end(out: &mut String, summary: &Summary) {
    push_comment(out, "ambar-price", &summary.price.to_string());
    push_comment(out, "ambar-mu", &summary.mu.to_string());
    push_comment(out, "ambar-receipt", &summary.receipt.to_string());
    out.push('\n');
    push_data(out, "[DONE]");
}

/// JSON has no line breaks outside its escapes, so one line carries it.
pub fn push_data(out: &mut String, json: &str) {
    push_data_of(out, &[json]);
}

/// As [`push_data`], of JSON in parts.
pub fn push_data_of(out: &mut String, json: &[&str]) {
    out.push_str("data: ");
    json.iter().for_each(|part| out.push_str(part));
    out.push_str("\n\n");
}

fn push_comment(out: &mut String, name: &str, value: &str) {
    for part in [": ", name, " ", value, "\n"] {
        out.push_str(part);
    }
}
