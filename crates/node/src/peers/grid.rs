//! Other nodes as the gateway asks them: over connections that both node keys open.

use super::{PeerError, Peers};
use ambar_gateway::{Peer, PeerBody, PeerFailure};
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode, header};
use futures::StreamExt as _;
use futures::future::BoxFuture;

impl From<PeerError> for PeerFailure {
    fn from(error: PeerError) -> Self {
        Self { message: error.to_string() }
    }
}

impl ambar_gateway::Peers for Peers {
    fn post(
        &self,
        to: &Peer,
        path: &'static str,
        body: Bytes,
    ) -> BoxFuture<'_, Result<PeerBody, PeerFailure>> {
        let Peer { address, key } = to.clone();
        Box::pin(async move {
            let request = Request::builder()
                .method(Method::POST)
                .uri(path)
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .body(body);
            let request = request.map_err(|error| PeerFailure { message: error.to_string() })?;
            let answer = self.request(&address, key, request).await?;
            match answer.status() {
                StatusCode::OK | StatusCode::NO_CONTENT => {
                    Ok(answer.into_body().map(|piece| piece.map_err(PeerFailure::from)).boxed())
                }
                status => {
                    let message = format!("the node at {address} answers {status}");
                    Err(PeerFailure { message })
                }
            }
        })
    }
}
