//! Answers as server-sent events.
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>
//!
//! Whatever is ready in one poll becomes one write. The response body owns the call's
//! events: no task stands between them, so a client that leaves drops them at once and
//! the gateway cancels.
//!
//! **Invariant**: `[DONE]` follows the receipt of a call that is over and metered; a
//! failed call ends with an error event and without `[DONE]`.

use super::answer::set_accepted;
use super::refusal::{self, cut_off};
use super::request::StreamOptions;
use super::wire::{Head, Shape};
use super::{KEEP_ALIVE, OPENING_WAIT};
use crate::call::{Accepted, CALL_EVENTS_MAX, CallError, CallEvent, ReceiptId, Summary};
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
pub async fn reply(
    head: Head,
    mut accepted: Accepted,
    options: StreamOptions,
) -> Result<Response, CallError> {
    let first = match timeout(OPENING_WAIT, accepted.events.recv()).await {
        Ok(Some(CallEvent::Failed(error))) => return Err(error),
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
    let frames = Frames::new(head, accepted, first, options, KEEP_ALIVE);
    *response.body_mut() = Body::from_stream(frames);
    Ok(response)
}

/// The body of a streamed answer.
pub struct Frames {
    head: Head,
    usage: bool,
    receipt: ReceiptId,
    events: mpsc::Receiver<CallEvent>,
    /// What was received and not yet written.
    ready: Vec<CallEvent>,
    opened: bool,
    ended: bool,
    keep_alive: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Frames {
    /// The frames of a call whose first event may have been received already, with a
    /// comment after each silence of `keep_alive`.
    pub fn new(
        head: Head,
        accepted: Accepted,
        first: Option<CallEvent>,
        options: StreamOptions,
        keep_alive: Duration,
    ) -> Self {
        Self {
            head,
            usage: options.include_usage,
            receipt: accepted.receipt,
            events: accepted.events,
            ready: first.into_iter().collect(),
            opened: false,
            ended: false,
            keep_alive,
            silence: Box::pin(sleep(keep_alive)),
        }
    }

    /// Everything that can be written now; nothing if nothing is there yet, and then the
    /// task is woken by the next event.
    fn write_ready(&mut self, context: &mut Context<'_>) -> String {
        let mut out = String::new();
        self.open(&mut out);
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
        for event in std::mem::take(&mut self.ready) {
            if !self.ended {
                self.write(out, &event);
            }
        }
    }

    fn open(&mut self, out: &mut String) {
        if !self.opened && self.head.shape == Shape::Chat {
            push_data(out, &self.head.opening(self.usage));
        }
        self.opened = true;
    }

    fn write(&mut self, out: &mut String, event: &CallEvent) {
        match event {
            CallEvent::Text(text) if text.is_empty() => (),
            CallEvent::Text(text) => push_data(out, &self.head.piece(self.usage, text)),
            CallEvent::Piece(piece) if piece.text.is_empty() => (),
            CallEvent::Piece(piece) => push_data(out, &self.head.piece(self.usage, &piece.text)),
            CallEvent::Done(summary) => self.finish(out, summary),
            CallEvent::Failed(error) => self.fail(out, error),
            CallEvent::Vectors(_) => {
                let message = "the engine's answer does not have the shape that was asked for";
                self.fail(out, &refusal::charged(ErrorCode::Internal, message, self.receipt));
            }
        }
    }

    fn finish(&mut self, out: &mut String, summary: &Summary) {
        push_data(out, &self.head.ending(self.usage, summary.finish));
        if self.usage {
            push_data(out, &self.head.used(summary));
        }
        push_comment(out, "ambar-price", &summary.price.to_string());
        push_comment(out, "ambar-mu", &summary.mu.to_string());
        push_comment(out, "ambar-receipt", &summary.receipt.to_string());
        out.push('\n');
        push_data(out, "[DONE]");
        self.ended = true;
    }

    fn fail(&mut self, out: &mut String, error: &CallError) {
        if let Some(receipt) = error.receipt {
            push_comment(out, "ambar-receipt", &receipt.to_string());
            out.push('\n');
        }
        push_data(out, &refusal::body(error));
        self.ended = true;
    }
}

impl Stream for Frames {
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

/// JSON has no line breaks outside its escapes, so one line carries it.
fn push_data(out: &mut String, json: &str) {
    out.push_str("data: ");
    out.push_str(json);
    out.push_str("\n\n");
}

fn push_comment(out: &mut String, name: &str, value: &str) {
    for part in [": ", name, " ", value, "\n"] {
        out.push_str(part);
    }
}
