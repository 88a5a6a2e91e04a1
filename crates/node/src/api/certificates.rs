//! Ending certificates by those who hold them. Their payers sign a transaction instead.

use super::App;
use super::dto::{CertificateRevoked, RevokeCertificate};
use super::extract::Sent;
use super::failure::Answer;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;

/// Revokes the last block of a certificate for this gateway, and with it every certificate
/// narrowed from it. Whoever can show a certificate may end it.
#[utoipa::path(post, path = "/api/v1/certificates/revoke",
    operation_id = "revoke_certificate", tag = "receipts",
    request_body = RevokeCertificate,
    responses((status = 200, body = CertificateRevoked)))]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Sent(request): Sent<RevokeCertificate>,
) -> Answer<CertificateRevoked> {
    let from = app.gateway.revoke(&request.certificate).await?;
    Ok(Json(CertificateRevoked { from: from.0 }))
}
