//! The routes of the one port: the own API, the foreign dialects, and what operators ask.
//!
//! **Invariant**: every route stands once, in [`routes`] or in those of a dialect, and the
//! document describes each.

use super::failure::{Failure, shaped};
use super::{
    App, accounts, blobs, blocks, capsules, certificates, chain, contents, datanets, disputes,
    document, faucet, gate, keys, lineage, metrics, offers, pools, receipts, royalties, serving,
    statements, status, transactions, validators,
};
use crate::server::{Answers, Routes};
use ambar_gateway::dialect::{self, Dialect};
use ambar_ledger::transaction::TRANSACTION_BYTES_MAX;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::Uri;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, any, get, post, put};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Instant;

/// Largest body of a request without a limit of its own, bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

type Route = (&'static str, MethodRouter<Arc<App>>);

/// Everything that the port answers.
pub fn routes_of(app: Arc<App>) -> Routes {
    let dialect = Dialect::new(Arc::new(app.gateway.clone()));
    let measured = from_fn_with_state(Arc::clone(&app), metrics::measure);
    let router = own(&app).merge(dialect.router()).layer(measured);
    Arc::new(Port { app, dialect, router })
}

/// What the port answers: calls go through the gate and by the shortest way, everything else
/// through the router and its layers.
struct Port {
    app: Arc<App>,
    dialect: Dialect,
    router: Router,
}

impl Answers for Port {
    fn answer(&self, request: Request) -> BoxFuture<'static, Response> {
        let Some(path) = Dialect::called(&request) else { return self.router.answer(request) };
        let (app, dialect, start) = (Arc::clone(&self.app), self.dialect.clone(), Instant::now());
        let answer = async move {
            let response = call(&app, dialect, path, request).await;
            app.metrics.answered(("POST".into(), path.into()), start, &response);
            response
        };
        answer.boxed()
    }
}

async fn call(app: &App, dialect: Dialect, path: &'static str, request: Request) -> Response {
    let permit = match gate::enter(app, request.headers()).await {
        Ok(permit) => permit,
        Err(refused) => return refused,
    };
    let response = if app.log_contents {
        contents::answer(path, request, |request| dialect.answer(request)).await
    } else {
        dialect.answer(request).await
    };
    gate::keep(response, permit)
}

/// The paths of all routes, as the document writes them.
pub fn paths() -> Vec<String> {
    let own = routes().into_iter().map(|(path, _)| path);
    let all = own.chain(dialect::routes().map(|(path, _)| path));
    all.map(|path| path.replace("{*", "{")).collect()
}

fn own(app: &Arc<App>) -> Router {
    let known = routes().into_iter();
    known
        .fold(Router::new(), |router, (path, methods)| router.route(path, methods))
        .route("/api/{*rest}", any(unknown))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(shaped))
        .with_state(Arc::clone(app))
}

/// The own routes, each once.
fn routes() -> Vec<Route> {
    [of_the_node(), of_the_ledger(), of_parties(), of_capsules()].into_iter().flatten().collect()
}

fn of_the_node() -> Vec<Route> {
    vec![
        ("/healthz", get(status::healthy)),
        ("/readyz", get(status::ready)),
        ("/metrics", get(status::metrics)),
        ("/api/v1/openapi.json", get(document::serve)),
        ("/api/v1/status", get(status::status)),
        ("/api/v1/serving/{capsule}", put(serving::serve)),
        ("/api/v1/capsules/{capsule}/build", get(serving::build)),
    ]
}

fn of_the_ledger() -> Vec<Route> {
    let submit = post(transactions::submit).layer(DefaultBodyLimit::max(TRANSACTION_BYTES_MAX));
    vec![
        ("/api/v1/checkpoint", get(status::checkpoint)),
        ("/api/v1/validators", get(validators::list)),
        ("/api/v1/genesis", get(chain::genesis)),
        ("/api/v1/chain", get(chain::chain)),
        ("/api/v1/transactions", submit),
        ("/api/v1/blocks", get(blocks::list)),
        ("/api/v1/blocks/{height}", get(blocks::one)),
        ("/api/v1/audit", get(blocks::audit)),
        ("/api/v1/audit/progress", get(blocks::audit_progress)),
    ]
}

fn of_parties() -> Vec<Route> {
    vec![
        ("/api/v1/faucet", post(faucet::faucet)),
        ("/api/v1/accounts/{account}", get(accounts::account)),
        ("/api/v1/accounts/{account}/statement", get(statements::statement)),
        ("/api/v1/grants", get(accounts::grants)),
        ("/api/v1/disputes", get(disputes::list)),
        ("/api/v1/disputes/{dispute}", get(disputes::one)),
        ("/api/v1/royalties", get(royalties::list)),
        ("/api/v1/royalties/{royalty}", get(royalties::one)),
        ("/api/v1/channels", get(accounts::channels)),
        ("/api/v1/channels/{channel}", get(accounts::channel)),
        ("/api/v1/certificates/revoke", post(certificates::revoke)),
        ("/api/v1/receipts", get(receipts::list)),
        ("/api/v1/receipts/{receipt}", get(receipts::one)),
        ("/api/v1/receipts/{receipt}/proof", get(receipts::proof::proof)),
    ]
}

fn of_capsules() -> Vec<Route> {
    let upload = put(blobs::put).layer(DefaultBodyLimit::disable());
    let key = get(keys::offer).put(keys::keep).post(keys::release);
    vec![
        ("/api/v1/capsules", get(capsules::list)),
        ("/api/v1/capsules/{capsule}", get(capsules::one)),
        ("/api/v1/capsules/{capsule}/manifest", get(capsules::octets)),
        ("/api/v1/capsules/{capsule}/lineage", get(lineage::lineage)),
        ("/api/v1/capsules/{capsule}/key", key),
        ("/api/v1/offers", get(offers::list)),
        ("/api/v1/search", get(capsules::search)),
        ("/api/v1/catalogue/changes", get(capsules::changes)),
        ("/api/v1/terms/{id}", get(capsules::terms)),
        ("/api/v1/blobs", upload),
        ("/api/v1/blobs/{root}", get(blobs::get)),
        ("/api/v1/datanets", get(datanets::list)),
        ("/api/v1/datanets/{datanet}", get(datanets::one)),
        ("/api/v1/trace", post(datanets::trace)),
        ("/api/v1/pools", get(pools::list)),
        ("/api/v1/pools/{pool}", get(pools::one)),
        ("/api/v1/pools/{pool}/submissions", get(pools::submissions)),
        ("/api/v1/pools/{pool}/submissions/{submission}/content", get(pools::content)),
        ("/api/v1/pools/{pool}/proposals", get(pools::proposals)),
    ]
}

async fn unknown(uri: Uri) -> Failure {
    Failure::not_found(format!("there is nothing at {}", uri.path()))
}
