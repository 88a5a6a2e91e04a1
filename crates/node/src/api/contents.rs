//! Prompts and answers in the log, where an operator asked for them: `ambar start
//! --log-prompts`. Otherwise none of this is on any request's way.
//!
//! It deliberately knows no dialect: it sees the bytes of a request and of its answer.
//!
//! **Invariant**: nothing is changed or held up, and at most [`LOGGED_BYTES_MAX`] of each body
//! are kept and logged.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Most bytes of a prompt, and of an answer, that are logged.
pub(crate) const LOGGED_BYTES_MAX: usize = 64 * 1024;

/// The target of these lines.
const TARGET: &str = "ambar::contents";

/// Answers a call, and logs its body and that of its answer when each is over.
pub(super) async fn answer<F: Future<Output = Response>>(
    path: &'static str,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let noted = |what| move |body| Body::new(Noted::new(body, path, what));
    answer(request.map(noted("prompt"))).await.map(noted("answer"))
}

/// A body that is noted as it passes.
struct Noted {
    inner: Body,
    path: &'static str,
    what: &'static str,
    bytes: Vec<u8>,
    /// How many bytes passed.
    all: usize,
}

impl Noted {
    const fn new(inner: Body, path: &'static str, what: &'static str) -> Self {
        Self { inner, path, what, bytes: Vec::new(), all: 0 }
    }

    fn note(&mut self, data: &[u8]) {
        let room = LOGGED_BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&data[..data.len().min(room)]);
        self.all += data.len();
    }
}

impl Drop for Noted {
    /// However the body ended: what passed until then is logged.
    fn drop(&mut self) {
        let (path, what, bytes) = (self.path, self.what, self.all);
        let text = String::from_utf8_lossy(&self.bytes);
        tracing::info!(target: TARGET, %path, what, bytes, %text, "the content of a call");
    }
}

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.note(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_noted_body_passes_as_it_is_and_is_kept_within_its_limit() {
        let long = "x".repeat(LOGGED_BYTES_MAX + 10);
        let mut noted = Noted::new(Body::from(long.clone()), "/", "prompt");
        assert_eq!(noted.size_hint().exact(), Some(long.len() as u64));
        let mut passed = Vec::new();
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut noted).poll_frame(context));
            let Some(frame) = frame.await else { break };
            passed.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert_eq!(passed, long.as_bytes());
        assert_eq!((noted.bytes.len(), noted.all), (LOGGED_BYTES_MAX, long.len()));
    }
}
