//! How the node is, and whose votes make its blocks final.

use super::App;
use super::dto::{self, NodeView, Status};
use super::failure::{Answer, Failure};
use super::views::{account_id, corrupt, ledger, time};
use ambar_base::{Amount, Checkpoint, Committee, ErrorCode, Height, PublicKey};
use ambar_consensus::Status as Engine;
use ambar_ledger::Key;
use ambar_ledger::object::Node;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How the node and its network are.
#[utoipa::path(get, path = "/api/v1/status", responses((status = 200, body = Status)))]
pub(super) async fn status(State(app): State<Arc<App>>) -> Answer<Status> {
    let view = ledger(&app)?;
    let head = view.head();
    let node: Node = view.must("node", app.node, &Key::Node(app.node))?;
    let genesis = &app.home.genesis;
    let committee = trusted(&app)?.committee;
    let validators = dids(&committee);
    Ok(Json(Status {
        network: app.network.to_string(),
        name: genesis.name.clone(),
        development: view.governance()?.development,
        network_key: validators.first().filter(|_| validators.len() == 1).cloned(),
        epoch: committee.epoch(),
        validators,
        height: head.height.0,
        time: time(head.time),
        indexed: app.index.cursor().0,
        node: NodeView {
            number: app.node.to_string(),
            did: node.key.did(),
            owner: account_id(&view, node.owner)?.to_string(),
            ask: ask(&node, head.height),
        },
        version: env!("CARGO_PKG_VERSION").into(),
        roles: ["validator", "gateway", "index", "store"].map(str::to_owned).to_vec(),
        // One machine orders this network: there is nobody to connect to.
        peers: 0,
        consensus: engine(&app.consensus.status()).into(),
        serving: app.serving.versions().iter().map(ToString::to_string).collect(),
    }))
}

/// Whose votes make blocks final. It is only as good as this node's word: compare it with
/// what others say.
#[utoipa::path(get, path = "/api/v1/checkpoint",
    responses((status = 200, body = dto::Checkpoint)))]
pub(super) async fn checkpoint(State(app): State<Arc<App>>) -> Answer<dto::Checkpoint> {
    let Checkpoint { network, committee } = trusted(&app)?;
    Ok(Json(dto::Checkpoint {
        network: network.to_string(),
        epoch: committee.epoch(),
        validators: dids(&committee),
    }))
}

/// The committee of the next block.
fn trusted(app: &App) -> Result<Checkpoint, Failure> {
    let now = app.consensus.participation();
    let seats = now.seats.iter().map(|seat| seat.key).collect();
    let unsound = |_| corrupt("the validators of this epoch are no committee");
    let committee = Committee::new(now.epoch, seats).map_err(unsound)?;
    Ok(Checkpoint { network: app.network, committee })
}

fn dids(committee: &Committee) -> Vec<String> {
    committee.seats().iter().map(PublicKey::did).collect()
}

fn ask(node: &Node, height: Height) -> String {
    node.ask.at(height).map_or(*node.ask.latest(), |(ask, _)| *ask).to_string()
}

fn engine(status: &Engine) -> &'static str {
    match status {
        Engine::Running => "running",
        Engine::Stalled(_) => "stalled",
        Engine::Halted(_) => "halted",
        Engine::Stopped => "stopped",
    }
}

/// The process answers.
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// The node takes calls: it is started, and blocks are made.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Failure> {
    let running = app.consensus.status() == Engine::Running;
    if running && app.ready.load(Ordering::Acquire) {
        return Ok("ready\n");
    }
    Err(Failure::new(ErrorCode::LedgerStale, "the node is not ready"))
}

/// What operators watch, in the format of Prometheus.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<String, Failure> {
    Ok(app.metrics.render(&app))
}

/// A sum in credits for a gauge: exact enough for a graph.
pub(super) fn credits(amount: Amount) -> f64 {
    amount.0 as f64 / Amount::CREDIT.0 as f64
}
