//! Bodies with their limits: a request's, which must come in time, and an answer's, which
//! somebody must read.
//!
//! It deliberately knows no length limit: how much a body may hold is for its route.
//!
//! **Invariant**: when an answer is over, or nobody wants it any more, whatever produces it is
//! dropped; a connection learns of each answer's end exactly once.

use super::limits::{BODY_BYTES_PER_SECOND_MIN, Limits};
use super::pulse::{Phase, Pulse, Stream};
use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::Sleep;

/// Why a body ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    #[error("the request's body took too long")]
    Late,
    #[error("nobody read the answer")]
    Stalled,
}

type Failed = axum::BoxError;

/// A request's body.
pub(super) struct Request<B> {
    inner: B,
    limits: Limits,
    begin: Instant,
    bytes: u64,
    /// Made when a piece is waited for: most bodies come with their head.
    timer: Option<Pin<Box<Sleep>>>,
    late: Arc<AtomicBool>,
}

impl<B> Request<B> {
    /// The body, and whether it was too late.
    pub(super) fn new(inner: B, limits: Limits) -> (Self, Arc<AtomicBool>) {
        let late = Arc::new(AtomicBool::new(false));
        let begin = Instant::now();
        (Self { inner, limits, begin, bytes: 0, timer: None, late: Arc::clone(&late) }, late)
    }

    /// When the next piece must be there.
    fn deadline(&self) -> Instant {
        let earned = Duration::from_secs(self.bytes / BODY_BYTES_PER_SECOND_MIN);
        let whole = self.begin + self.limits.body + earned;
        whole.min(Instant::now() + self.limits.body_gap)
    }

    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let deadline = self.deadline();
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(context).is_ready()
    }
}

impl<B> HttpBody for Request<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Failed>,
{
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.timer = None;
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(other) => Poll::Ready(other.map(|read| read.map_err(Into::into))),
            Poll::Pending if self.is_late(context) => {
                self.late.store(true, Ordering::Release);
                Poll::Ready(Some(Err(BodyError::Late.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Tells a connection that a request is over.
pub(super) struct Ending {
    pulse: Arc<Pulse>,
    then: Phase,
}

impl Ending {
    /// A request begins; it is over when this is dropped, and then the connection waits for
    /// `then`.
    pub(super) fn begin(pulse: &Arc<Pulse>, then: Phase) -> Self {
        pulse.begin();
        Self { pulse: Arc::clone(pulse), then }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.pulse.end(self.then);
    }
}

/// An answer's body with what is held until it is over: on an HTTP/1 connection that is enough,
/// where the socket itself says whether anybody reads.
pub(crate) struct Holding<T> {
    inner: Body,
    _held: T,
}

impl<T> Holding<T> {
    pub(crate) const fn new(inner: Body, held: T) -> Self {
        Self { inner, _held: held }
    }
}

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body on an HTTP/2 connection. A reader that lets its own stream's window run
/// out holds up no socket: the piece that was handed out last is not asked to be followed.
pub(super) struct StreamedAnswer(Arc<Kept>);

struct Kept(Mutex<Held>);

struct Held {
    /// Gone when the answer is over, or was ended because nobody read it.
    body: Option<(Body, Ending)>,
    /// When a piece was handed out after which none was asked for.
    handed: Option<Instant>,
}

impl StreamedAnswer {
    pub(super) fn new(body: Body, ending: Ending, pulse: &Pulse) -> Self {
        let held = Held { body: Some((body, ending)), handed: None };
        let kept = Arc::new(Kept(Mutex::new(held)));
        let watched: Arc<dyn Stream> = Arc::clone(&kept) as _;
        pulse.watch(Arc::downgrade(&watched));
        Self(kept)
    }

    fn held<T>(&self, look: impl FnOnce(&mut Held) -> T) -> T {
        look(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Stream for Kept {
    fn end_if_stalled(&self, limit: Duration) -> bool {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stalled = held.handed.is_some_and(|at| at.elapsed() >= limit) && held.body.is_some();
        let body = if stalled { held.body.take() } else { None };
        drop(held);
        // Whatever produces the answer ends here, outside of the lock.
        drop(body);
        stalled
    }
}

impl HttpBody for StreamedAnswer {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        self.held(|held| {
            held.handed = None;
            let Some((body, _)) = &mut held.body else {
                return Poll::Ready(Some(Err(BodyError::Stalled.into())));
            };
            let polled = Pin::new(body).poll_frame(context);
            if matches!(polled, Poll::Ready(Some(Ok(_)))) {
                held.handed = Some(Instant::now());
            }
            polled.map_err(Into::into)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.held(|held| held.body.as_ref().is_some_and(|(body, _)| body.is_end_stream()))
    }

    fn size_hint(&self) -> SizeHint {
        let hint = |(body, _): &(Body, Ending)| body.size_hint();
        self.held(|held| held.body.as_ref().map_or_else(SizeHint::default, hint))
    }
}
