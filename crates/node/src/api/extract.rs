//! What handlers take of a request, refused in the API's own shape.

use super::failure::Failure;
use ambar_base::ErrorCode;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The parameters behind `?`.
pub(crate) struct Asked<T>(pub T);

/// A whole body within its limit.
pub(crate) struct Octets(pub Bytes);

/// A body of JSON.
pub(crate) struct Sent<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let asked = Query::from_request_parts(parts, state).await;
        let Query(asked) = asked.map_err(|error| Failure::invalid(error.body_text()))?;
        Ok(Self(asked))
    }
}

impl<S: Send + Sync> FromRequest<S> for Octets {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let refused = |error: axum::extract::rejection::BytesRejection| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Failure::new(ErrorCode::RequestTooLarge, error.body_text())
            }
            _ => Failure::invalid(error.body_text()),
        };
        Bytes::from_request(request, state).await.map(Self).map_err(refused)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let Octets(body) = Octets::from_request(request, state).await?;
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Failure::invalid(format!("the body: {error}")))
    }
}
