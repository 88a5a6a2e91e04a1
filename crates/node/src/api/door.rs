//! The port's door: it answers from the moment that the port is open. Until the node has
//! started it says what is waited for; then everything goes through.
//!
//! **Invariant**: a request waits for no start: it is answered, or refused at once.

use super::failure::Failure;
use crate::progress::{Gauge, Phase};
use crate::server::{Answers, Routes};
use ambar_base::ErrorCode;
use ambar_gateway::dialect;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::{Arc, OnceLock};

/// The door, and how far the node is behind it.
#[derive(Clone)]
pub(crate) struct Door {
    inside: Arc<OnceLock<Routes>>,
    gauge: Gauge,
}

impl Door {
    /// A closed door of a node that tells by `gauge` how far it is.
    pub(crate) fn new(gauge: &Gauge) -> Self {
        Self { inside: Arc::default(), gauge: gauge.clone() }
    }

    /// Lets everything through from now on.
    pub(crate) fn open(&self, inside: Routes) {
        // A node starts once.
        let _ = self.inside.set(inside);
    }
}

impl Answers for Door {
    fn answer(&self, request: Request) -> BoxFuture<'static, Response> {
        match self.inside.get() {
            Some(inside) => inside.answer(request),
            None => std::future::ready(closed(self, request.uri().path())).boxed(),
        }
    }
}

fn closed(door: &Door, path: &str) -> Response {
    if path == "/healthz" {
        return "ok\n".into_response();
    }
    let phase = door.gauge.work().phase;
    let message = format!("the node starts: {}", why(phase));
    if dialect::covers(path) {
        return dialect::refusal(ErrorCode::LedgerStale, &message);
    }
    let failure = Failure::new(ErrorCode::LedgerStale, message);
    let help = match phase {
        Phase::Network => "start the other validators, and name this node among their `peers`",
        _ => "try again in a moment",
    };
    Failure { help: Some(help.to_owned()), ..failure }.into_response()
}

fn why(phase: Phase) -> &'static str {
    match phase {
        Phase::Network => "no new block comes: too few validators run, or none knows this node",
        Phase::Index => "the index takes in the blocks",
        _ => "its parts are opened",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;

    async fn ask(door: &Door, path: &str) -> (u16, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = door.answer(request).await;
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_closed_door_says_why_and_an_open_one_lets_through() {
        let gauge = Gauge::default();
        let door = Door::new(&gauge);
        assert_eq!(ask(&door, "/healthz").await, (200, "ok\n".into()));
        let (status, body) = ask(&door, "/api/v1/status").await;
        assert!(status == 503 && body.contains("its parts are opened"), "{status} {body}");
        gauge.begin(None).at(Phase::Network, 0, 0);
        let busy = gauge.begin(None);
        busy.at(Phase::Network, 0, 0);
        let (_, body) = ask(&door, "/v1/models").await;
        assert!(body.contains("too few validators") && body.contains("ledger_stale"), "{body}");
        assert!(body.contains("\"type\":\"server_error\""), "the dialect's own shape: {body}");
        door.open(Arc::new(Router::new().route("/inside", get(|| async { "in" }))));
        assert_eq!(ask(&door, "/inside").await, (200, "in".into()));
        assert_eq!(ask(&door, "/outside").await.0, 404);
    }
}
