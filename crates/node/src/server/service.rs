//! From a request of the HTTP library to a route, and back: limits on bodies, who asks, and
//! the connection's pulse.
//!
//! **Invariant**: a request carries a [`Peer`] if and only if it came over a connection whose
//! other side proved to hold that key.

use super::body::{Answer, Ending, Request as LimitedBody, StreamedAnswer};
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
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::ServiceExt;

/// The node that asks, by the key that it proved to hold: an extension of each request that
/// came from another node, and of no other, whatever its headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub PublicKey);

/// What answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Answering {
    pub router: Router,
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

    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let ending = Ending::begin(&self.pulse, self.between());
        if request.headers().len() > HEADERS_MAX {
            self.figures.count(Reason::HeadSize);
            return self.wrap(Reason::HeadSize.response(self.http2), ending);
        }
        let (mut head, body) = request.into_parts();
        if let Some(peer) = self.peer {
            head.extensions.insert(peer);
        }
        let (body, late) = LimitedBody::new(body, *self.pulse.limits());
        let request = Request::from_parts(head, Body::new(body));
        let mut response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if late.load(Ordering::Acquire) {
            self.figures.count(Reason::BodyTime);
            if response.status().is_client_error() || response.status().is_server_error() {
                response = Reason::BodyTime.response(self.http2);
            }
        }
        self.wrap(response, ending)
    }

    fn wrap(&self, response: Response<Body>, ending: Ending) -> Response<Body> {
        response.map(|body| {
            if self.http2 {
                Body::new(StreamedAnswer::new(body, ending, &self.pulse))
            } else {
                Body::new(Answer::new(body, ending))
            }
        })
    }
}

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.clone().answer(request).map(Ok).boxed()
    }
}
