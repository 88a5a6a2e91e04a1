//! From a request of the HTTP library to a route, and back: limits on bodies, who asks, and
//! the connection's pulse.
//!
//! **Invariant**: a request carries a [`Peer`] if and only if it came over a connection whose
//! other side proved to hold that key.

use super::body::{Ending, Holding, Request as LimitedBody, StreamedAnswer};
use super::limits::HEADERS_MAX;
use super::pulse::{Phase, Pulse};
use super::refusal::{Figures, Reason};
use ambar_base::PublicKey;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::service::Service;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tower::ServiceExt;

/// What answers requests.
pub trait Answers: Send + Sync {
    /// Answers one; whoever drops the future leaves it.
    fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>>;
}

/// Shared by all connections.
pub type Routes = Arc<dyn Answers>;

impl Answers for Router {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Body>> {
        let answer = self.clone().oneshot(request);
        answer.map(|answered| answered.unwrap_or_else(|never| match never {})).boxed()
    }
}

/// The node that asks, by the key that it proved to hold: an extension of each request that
/// came from another node, and of no other, whatever its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub PublicKey);

/// What answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Answering {
    pub routes: Routes,
    pub pulse: Arc<Pulse>,
    pub figures: Arc<Figures>,
    pub peer: Option<Peer>,
    pub http2: bool,
}

impl Answering {
    /// What the connection waits for between requests.
    pub(super) const fn between(&self) -> Phase {
        match (self.http2, self.peer) {
            (true, Some(_)) => Phase::QuietPeer,
            (true, None) => Phase::Quiet,
            (false, _) => Phase::Idle,
        }
    }

    fn wrap(&self, response: Response<Body>, ending: Ending) -> Response<Body> {
        response.map(|body| {
            if self.http2 {
                Body::new(StreamedAnswer::new(body, ending, &self.pulse))
            } else {
                Body::new(Holding::new(body, ending))
            }
        })
    }
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answered;

    fn call(&self, request: Request<Incoming>) -> Answered {
        let ending = Ending::begin(&self.pulse, self.between());
        if request.headers().len() > HEADERS_MAX {
            self.figures.count(Reason::HeadSize);
            let refused = std::future::ready(Reason::HeadSize.response(self.http2)).boxed();
            return Answered {
                inner: refused,
                late: Arc::default(),
                ending: Some((ending, self.clone())),
            };
        }
        let (mut head, body) = request.into_parts();
        if let Some(peer) = self.peer {
            head.extensions.insert(peer);
        }
        let (body, late) = LimitedBody::new(body, *self.pulse.limits());
        let request = Request::from_parts(head, Body::new(body));
        let inner = self.routes.answer(request);
        Answered { inner, late, ending: Some((ending, self.clone())) }
    }
}

/// An answer to come.
pub(super) struct Answered {
    inner: BoxFuture<'static, Response<Body>>,
    /// Whether the request's body was too late.
    late: Arc<AtomicBool>,
    /// Taken when the answer is there.
    ending: Option<(Ending, Answering)>,
}

impl Future for Answered {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(self.inner.poll_unpin(context));
        let (ending, answering) = self.ending.take().expect("it is not polled once it was ready");
        if self.late.load(Ordering::Acquire) {
            answering.figures.count(Reason::BodyTime);
            if response.status().is_client_error() || response.status().is_server_error() {
                response = Reason::BodyTime.response(answering.http2);
            }
        }
        Poll::Ready(Ok(answering.wrap(response, ending)))
    }
}
