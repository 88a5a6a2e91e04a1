//! The body of another node's answer, as it comes.
//!
//! **Invariant**: whoever drops it before its end tells the other node at once: the stream is
//! reset, and what produces the answer there is dropped.

use super::Turn;
use super::error::{PeerError, Wait};
use super::link::cause;
use axum::body::{Bytes, HttpBody};
use futures::Stream;
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// The body: a stream of pieces as the other node sent them. After an error it is over.
pub struct PeerBody {
    inner: Option<Incoming>,
    address: String,
    silence: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    _turn: Turn,
}

impl PeerBody {
    pub(super) const fn new(
        inner: Incoming,
        address: String,
        silence: Duration,
        turn: Turn,
    ) -> Self {
        Self { inner: Some(inner), address, silence, timer: None, _turn: turn }
    }

    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let silence = self.silence;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(silence)));
        timer.as_mut().poll(context).is_ready()
    }

    fn over(&mut self, error: Option<PeerError>) -> Poll<Option<Result<Bytes, PeerError>>> {
        self.inner = None;
        Poll::Ready(error.map(Err))
    }
}

impl std::fmt::Debug for PeerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerBody").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Stream for PeerBody {
    type Item = Result<Bytes, PeerError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            match Pin::new(inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.timer = None;
                    // Trailers say nothing here.
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    let (address, reason) = (self.address.clone(), cause(&error));
                    return self.over(Some(PeerError::ResetInBody { address, reason }));
                }
                Poll::Ready(None) => return self.over(None),
                Poll::Pending if self.is_late(context) => {
                    let (address, wait) = (self.address.clone(), Wait::Piece);
                    return self.over(Some(PeerError::Timeout { address, wait }));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
