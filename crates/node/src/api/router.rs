//! The routes of the one port: the own API, the foreign dialects, and what operators ask.

use super::failure::{Failure, shaped};
use super::{
    App, accounts, blobs, blocks, capsules, certificates, chain, contents, datanets, disputes,
    faucet, keys, lineage, metrics, offers, openapi, receipts, royalties, serving, statements,
    status, transactions, validators,
};
use ambar_gateway::dialect;
use ambar_ledger::transaction::TRANSACTION_BYTES_MAX;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::routing::{any, get, post, put};
use std::sync::Arc;

/// Largest body of a request without a limit of its own, bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Everything that the port answers.
pub fn router(app: Arc<App>) -> Router {
    let mut dialects = dialect::router(Arc::new(app.gateway.clone()));
    if app.log_contents {
        dialects = dialects.layer(from_fn(contents::log));
    }
    own(&app).merge(dialects).layer(from_fn_with_state(app, metrics::measure))
}

fn own(app: &Arc<App>) -> Router {
    let submit = post(transactions::submit).layer(DefaultBodyLimit::max(TRANSACTION_BYTES_MAX));
    let routes = Router::new()
        .route("/healthz", get(status::healthy))
        .route("/readyz", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/api/v1/openapi.json", get(openapi::serve))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/checkpoint", get(status::checkpoint))
        .route("/api/v1/validators", get(validators::list))
        .route("/api/v1/genesis", get(chain::genesis))
        .route("/api/v1/chain", get(chain::chain))
        .route("/api/v1/transactions", submit)
        .route("/api/v1/faucet", post(faucet::faucet))
        .route("/api/v1/accounts/{account}", get(accounts::account))
        .route("/api/v1/accounts/{account}/statement", get(statements::statement))
        .route("/api/v1/grants", get(accounts::grants))
        .route("/api/v1/disputes", get(disputes::list))
        .route("/api/v1/disputes/{dispute}", get(disputes::one))
        .route("/api/v1/royalties", get(royalties::list))
        .route("/api/v1/royalties/{royalty}", get(royalties::one))
        .route("/api/v1/channels", get(accounts::channels))
        .route("/api/v1/channels/{channel}", get(accounts::channel))
        .route("/api/v1/certificates/revoke", post(certificates::revoke))
        .route("/api/v1/blocks", get(blocks::list))
        .route("/api/v1/blocks/{height}", get(blocks::one))
        .route("/api/v1/audit", get(blocks::audit))
        .route("/api/v1/audit/progress", get(blocks::audit_progress));
    let routes = with_content(routes).route("/api/{*rest}", any(unknown));
    let routes = routes.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).layer(map_response(shaped));
    routes.with_state(Arc::clone(app))
}

fn with_content(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let upload = put(blobs::put).layer(DefaultBodyLimit::disable());
    routes
        .route("/api/v1/capsules", get(capsules::list))
        .route("/api/v1/capsules/{capsule}", get(capsules::one))
        .route("/api/v1/capsules/{capsule}/manifest", get(capsules::octets))
        .route("/api/v1/capsules/{capsule}/lineage", get(lineage::lineage))
        .route("/api/v1/capsules/{capsule}/build", get(serving::build))
        .route(
            "/api/v1/capsules/{capsule}/key",
            get(keys::offer).put(keys::keep).post(keys::release),
        )
        .route("/api/v1/offers", get(offers::list))
        .route("/api/v1/search", get(capsules::search))
        .route("/api/v1/catalogue/changes", get(capsules::changes))
        .route("/api/v1/terms/{id}", get(capsules::terms))
        .route("/api/v1/blobs", upload)
        .route("/api/v1/blobs/{root}", get(blobs::get))
        .route("/api/v1/serving/{capsule}", put(serving::serve))
        .route("/api/v1/receipts", get(receipts::list))
        .route("/api/v1/receipts/{receipt}", get(receipts::one))
        .route("/api/v1/receipts/{receipt}/proof", get(receipts::proof::proof))
        .route("/api/v1/datanets", get(datanets::list))
        .route("/api/v1/datanets/{datanet}", get(datanets::one))
        .route("/api/v1/trace", post(datanets::trace))
}

async fn unknown(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at {}", uri.path()))
}
