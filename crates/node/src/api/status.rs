//! How the node is, and whose votes make its blocks final.

use super::App;
use super::dto::{self, DiskPart, Finality, NodeView, Seat, Status};
use super::failure::{Answer, Failure};
use super::views::{account_id, corrupt, ledger, time};
use crate::disk::LedgerBytes;
use crate::health::Health;
use ambar_base::{Amount, Checkpoint, Committee, ErrorCode, Height, Moment, PublicKey};
use ambar_consensus::{Participation, SeatStatus};
use ambar_ledger::Key;
use ambar_ledger::object::Node;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How the node and its network are.
#[utoipa::path(get, path = "/api/v1/status",
    operation_id = "status", tag = "node",
    responses((status = 200, body = Status)))]
pub(super) async fn status(State(app): State<Arc<App>>) -> Answer<Status> {
    let view = ledger(&app)?;
    let head = view.head();
    let node: Node = view.must("node", app.node, &Key::Node(app.node))?;
    let genesis = &app.home.genesis;
    let health = Health::of(&*app.consensus, app.now());
    let seats = seats(&app, &health);
    let validators: Vec<_> = seats.iter().map(|seat| seat.validator.clone()).collect();
    let others = seats.iter().filter(|seat| seat.heard && !seat.own);
    Ok(Json(Status {
        network: app.network.to_string(),
        name: genesis.name.clone(),
        development: view.governance()?.development,
        network_key: validators.first().filter(|_| validators.len() == 1).cloned(),
        epoch: health.participation.epoch,
        validators,
        height: head.height.0,
        time: time(head.time),
        oldest: app.consensus.oldest()?.0,
        blocks_kept: app.consensus.bodies_kept(),
        indexed: app.index.cursor().0,
        node: NodeView {
            number: app.node.to_string(),
            did: node.key.did(),
            owner: account_id(&view, node.owner)?.to_string(),
            ask: ask(&node, head.height),
        },
        certificate: app.shown.as_ref().map(|shown| shown.fingerprint().to_string()),
        version: env!("CARGO_PKG_VERSION").into(),
        roles: roles(&health),
        peers: count(others.count()),
        consensus: health.word().into(),
        problem: health.problem(),
        age_ms: health.age_ms,
        heard: count(health.heard_count()),
        needed: count(health.needed()),
        sits_out: health.participation.sits_out,
        finality: finality(&health),
        disk: disk(&app),
        seats,
        serving: app.serving.versions().iter().map(ToString::to_string).collect(),
    }))
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn seats(app: &App, health: &Health) -> Vec<Seat> {
    let (own, now) = (health.participation.own.map(usize::from), app.now());
    let seats = health.participation.seats.iter().enumerate();
    let seat = |(index, seat): (usize, &SeatStatus)| Seat {
        validator: seat.key.did(),
        own: own == Some(index),
        heard: health.heard(seat),
        view: seat.voted.map(|(view, _)| view),
        ago_ms: last(seat).map(|at| now.0.saturating_sub(at.0)),
    };
    seats.map(seat).collect()
}

/// When a seat was last heard; this node's own by its votes alone.
fn last(seat: &SeatStatus) -> Option<Moment> {
    seat.heard.max(seat.voted.map(|(_, at)| at))
}

fn roles(health: &Health) -> Vec<String> {
    let votes = health.participation.own.map(|_| "validator");
    votes.into_iter().chain(["gateway", "index", "store"]).map(str::to_owned).collect()
}

fn finality(health: &Health) -> Option<Finality> {
    health.participation.finality_ms.map(|(p50_ms, p99_ms)| Finality { p50_ms, p99_ms })
}

fn disk(app: &App) -> Vec<DiskPart> {
    let parts = LedgerBytes::of(&app.home.directory("ledger")).parts();
    parts.map(|(part, bytes)| DiskPart { part: part.into(), bytes }).to_vec()
}

/// Whose votes make blocks final. It is only as good as this node's word: compare it with
/// what others say.
#[utoipa::path(get, path = "/api/v1/checkpoint",
    operation_id = "checkpoint", tag = "ledger",
    responses((status = 200, body = dto::Checkpoint)))]
pub(super) async fn checkpoint(State(app): State<Arc<App>>) -> Answer<dto::Checkpoint> {
    let Checkpoint { network, committee } = trusted(&app)?;
    Ok(Json(dto::Checkpoint {
        network: network.to_string(),
        epoch: committee.epoch(),
        validators: dids(&committee),
    }))
}

/// The committee of the next block's epoch.
fn trusted(app: &App) -> Result<Checkpoint, Failure> {
    let Participation { epoch, seats, .. } = app.consensus.participation();
    let committee = Committee::new(epoch, seats.iter().map(|seat| seat.key).collect());
    let committee = committee.map_err(|_| corrupt("the validators of now are no committee"))?;
    Ok(Checkpoint { network: app.network, committee })
}

fn dids(committee: &Committee) -> Vec<String> {
    committee.seats().iter().map(PublicKey::did).collect()
}

fn ask(node: &Node, height: Height) -> String {
    node.ask.at(height).map_or(*node.ask.latest(), |(ask, _)| *ask).to_string()
}

/// The process answers.
#[utoipa::path(get, path = "/healthz",
    operation_id = "healthy", tag = "operation",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn healthy() -> &'static str {
    "ok\n"
}

/// The node takes calls: it is started, and blocks are made.
#[utoipa::path(get, path = "/readyz",
    operation_id = "ready", tag = "operation",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Failure> {
    let health = Health::of(&*app.consensus, app.now());
    if health.problem().is_none() && app.ready.load(Ordering::Acquire) {
        return Ok("ready\n");
    }
    let why = health.problem().unwrap_or_else(|| "the node is not ready".into());
    Err(Failure::new(ErrorCode::LedgerStale, why))
}

/// What operators watch, in the format of Prometheus.
#[utoipa::path(get, path = "/metrics",
    operation_id = "metrics", tag = "operation",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<String, Failure> {
    Ok(app.metrics.render(&app))
}

/// A sum in credits for a gauge: exact enough for a graph.
pub(super) fn credits(amount: Amount) -> f64 {
    amount.0 as f64 / Amount::CREDIT.0 as f64
}
