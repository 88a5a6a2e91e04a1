//! What other nodes ask: work for one call, its end, and signatures. Only connections that are
//! authenticated by node keys come here.

use super::App;
use super::failure::Failure;
use super::status;
use crate::server::Peer;
use ambar_base::Encode as _;
use ambar_gateway::errand::{CANCEL_PATH, REQUEST_BYTES_MAX, SIGN_PATH, WORK_PATH};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use futures::StreamExt as _;
use futures::stream::unfold;
use std::convert::Infallible;
use std::sync::Arc;

/// The routes for other nodes.
pub fn peer_router(app: &Arc<App>) -> Router {
    Router::new()
        .route(WORK_PATH, post(work))
        .route(CANCEL_PATH, post(cancel))
        .route(SIGN_PATH, post(sign))
        .route("/healthz", get(status::healthy))
        .route("/readyz", get(status::ready))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(map_response(super::failure::shaped))
        .with_state(Arc::clone(app))
}

async fn unknown(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing for nodes at {}", uri.path()))
}

fn octets(body: Body) -> Response {
    let mut response = Response::new(body);
    let octets = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, octets);
    response
}

async fn work(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Bytes,
) -> Response {
    let frames = app.gateway.errands().run(peer, body.to_vec());
    let frames = unfold(frames, async |mut frames| {
        let frame: Bytes = frames.recv().await?;
        Some((Ok::<_, Infallible>(frame), frames))
    });
    octets(Body::from_stream(frames.boxed()))
}

async fn cancel(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Bytes,
) -> StatusCode {
    app.gateway.errands().cancel(&peer, &body);
    StatusCode::NO_CONTENT
}

async fn sign(
    State(app): State<Arc<App>>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Bytes,
) -> Response {
    let errands = app.gateway.errands().clone();
    let signing = tokio::task::spawn_blocking(move || errands.sign(&peer, &body).to_bytes());
    match signing.await {
        Ok(answer) => octets(Body::from(answer)),
        Err(_) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}
