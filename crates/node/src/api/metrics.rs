//! What operators watch, in the OpenMetrics text format.
//!
//! Figures of calls are the gateway's own; heights and money are read from final blocks
//! when they are asked for, so nothing is counted twice.

use super::App;
use super::call_metrics;
use super::status::credits;
use crate::disk::LedgerBytes;
use crate::health::Health;
use crate::server::{Figures, Reason};
use ambar_base::Amount;
use ambar_consensus::Participation;
use ambar_gateway::entrance::EntranceFigures;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode, encode_registry};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Shortest and number of the doubling buckets of latencies, seconds: 0.5 ms to 16 s.
const LATENCY_FIRST_S: f64 = 0.000_5;
const LATENCY_BUCKETS: u16 = 16;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    method: Cow<'static, str>,
    path: Cow<'static, str>,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Code {
    code: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Part {
    part: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Why {
    reason: String,
}

type Latencies = Family<Route, Histogram, fn() -> Histogram>;

/// What is measured here.
#[derive(Debug)]
pub(crate) struct Metrics {
    latencies: Latencies,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets = || Histogram::new(exponential_buckets(LATENCY_FIRST_S, 2.0, LATENCY_BUCKETS));
        Self { latencies: Family::new_with_constructor(buckets) }
    }
}

impl Metrics {
    /// Notes an answer by its route, never by its ids.
    pub(super) fn answered(
        &self,
        (method, path): (Cow<'static, str>, Cow<'static, str>),
        start: Instant,
        response: &Response,
    ) {
        let route = Route { method, path, status: response.status().as_u16() };
        self.latencies.get_or_create(&route).observe(start.elapsed().as_secs_f64());
    }

    /// All figures as text.
    pub(super) fn render(&self, app: &App) -> String {
        let mut registry = Registry::with_prefix("ambar");
        registry.register("http_seconds", "Time to the head of an answer", self.latencies.clone());
        calls(&mut registry, app);
        port(&mut registry, &app.figures);
        state(&mut registry, app);
        let telemetry = app.gateway.figures().telemetry();
        call_metrics::stages(&mut registry, telemetry);
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = encode_registry(&mut text, &registry);
        let _ = encode(&mut text, &call_metrics::conventions(telemetry));
        text
    }
}

fn calls(registry: &mut Registry, app: &App) {
    let figures = app.gateway.figures().snapshot();
    let mut counter = |name, help, value: u64| {
        registry.register(name, help, ConstCounter::new(value));
    };
    counter("calls_accepted", "Calls accepted", figures.accepted);
    let EntranceFigures { limit, in_hand, waiting, shed, late_us } = app.gate.entrance.figures();
    counter("calls_shed", "Calls refused for want of room, before they were read", shed);
    counter("calls_charged", "Calls charged", figures.charged);
    counter("calls_hedged", "Calls for which a second node was asked", figures.hedged);
    counter("tokens_in", "Prompt tokens of charged calls", figures.tokens_in);
    counter("tokens_out", "Answer tokens of charged calls", figures.tokens_out);
    counter("price_nanocredits", "Price of charged calls, nano-credit", figures.price);
    let refused: Family<Code, prometheus_client::metrics::counter::Counter> = Family::default();
    for (code, count) in &figures.refused {
        refused.get_or_create(&Code { code: code.text().to_owned() }).inc_by(*count);
    }
    registry.register("calls_refused", "Calls refused, by code", refused);
    let mut gauge = |name, help, value: usize| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    gauge("calls_in_hand", "Calls that are in", in_hand);
    gauge("calls_in_hand_limit", "How many may be", limit);
    gauge("calls_waiting_for_room", "Calls that wait to be let in", waiting);
    let late_us = usize::try_from(late_us).unwrap_or(usize::MAX);
    gauge("threads_late_microseconds", "How long a task waits for a thread", late_us);
}

/// What the port accepted, refused and cut.
fn port(registry: &mut Registry, figures: &Figures) {
    let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
    let mut counter = |name, help, value: u64| {
        registry.register(name, help, ConstCounter::new(value));
    };
    counter("connections_accepted", "Connections accepted", read(&figures.accepted));
    counter("connections_of_nodes", "Of them those of other nodes", read(&figures.peers));
    counter("accept_pauses", "Rests for want of file descriptors", read(&figures.pauses));
    let open = i64::try_from(read(&figures.open)).unwrap_or(i64::MAX);
    registry.register("connections_open", "Connections open now", ConstGauge::new(open));
    let ended: Family<Why, prometheus_client::metrics::counter::Counter> = Family::default();
    for reason in Reason::ALL {
        let reason_label = Why { reason: reason.label().to_owned() };
        ended.get_or_create(&reason_label).inc_by(figures.ended(reason));
    }
    registry.register("port_refused", "Connections and requests refused or cut", ended);
}

fn state(registry: &mut Registry, app: &App) {
    let health = Health::of(&*app.consensus, app.now());
    let head = health.head;
    let mut gauge = |name, help, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    let lag = head.height.0.saturating_sub(app.index.cursor().0);
    gauge("ledger_height", "The newest final block", head.height.0);
    if let Ok(oldest) = app.consensus.oldest() {
        gauge("ledger_oldest_height", "The oldest block that is kept with all after it", oldest.0);
    }
    let kept = app.consensus.bodies_kept().unwrap_or_default();
    gauge("ledger_blocks_kept", "How many newest blocks are kept; 0 if all are", kept);
    gauge("ledger_age_milliseconds", "Age of the newest final block", health.age_ms);
    gauge("index_lag_blocks", "Blocks that the index has not taken in", lag);
    gauge("receipts_unsettled", "Receipts that wait to be final", app.gateway.unsettled() as u64);
    gauge("capsules_served", "Capsules served", app.serving.versions().len() as u64);
    gauge("process_memory_bytes", "Resident memory", resident_bytes().unwrap_or_default());
    consensus(registry, &health);
    disk(registry, app);
    let balance = operator_balance(app).unwrap_or_default();
    registry.register(
        "operator_credits",
        "What the operator can spend",
        ConstGauge::new(credits(balance)),
    );
}

fn consensus(registry: &mut Registry, health: &Health) {
    let mut gauge = |name, help, value: u64| {
        registry.register(name, help, ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)));
    };
    let Participation { epoch, seats, own, sits_out, finality_ms } = &health.participation;
    gauge("consensus_epoch", "The epoch of the next block", *epoch);
    gauge("consensus_seats", "Seats of its committee", seats.len() as u64);
    gauge("consensus_heard", "Seats whose votes were heard lately", health.heard_count() as u64);
    gauge("consensus_needed", "Votes that a block needs", health.needed() as u64);
    gauge("consensus_seated", "Whether this node has a seat", u64::from(own.is_some()));
    gauge("consensus_sits_out", "Whether it does not use it", u64::from(*sits_out));
    let stalled = u64::from(health.problem().is_some());
    gauge("consensus_stalled", "Whether no block of now is final here", stalled);
    if let Some((p50, p99)) = finality_ms {
        gauge("finality_p50_milliseconds", "Median time to finality, last minute", *p50);
        gauge("finality_p99_milliseconds", "99th percentile of it", *p99);
    }
}

fn disk(registry: &mut Registry, app: &App) {
    let bytes: Family<Part, Gauge> = Family::default();
    for (part, length) in LedgerBytes::of(&app.home.directory("ledger")).parts() {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        bytes.get_or_create(&Part { part: part.to_owned() }).set(length);
    }
    registry.register("ledger_disk_bytes", "What the ledger's parts take on the disk", bytes);
}

fn operator_balance(app: &App) -> Option<Amount> {
    use ambar_ledger::query::State;
    let view = super::views::ledger(app).ok()?;
    let key = ambar_ledger::Key::Node(app.node);
    let node: ambar_ledger::object::Node = view.object(&key).ok()??;
    let balance: ambar_ledger::object::Balance =
        view.object(&ambar_ledger::Key::Balance(node.owner)).ok()??;
    Some(balance.available_at(view.head().height))
}

/// Resident memory of this process, from `/proc`; nothing on other systems.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Measures each request by its route, never by its ids.
pub(super) async fn measure(
    axum::extract::State(app): axum::extract::State<Arc<App>>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let path = matched.map_or("other".into(), |path| path.as_str().to_owned().into());
    let (method, start) = (request.method().to_string().into(), Instant::now());
    let response = next.run(request).await;
    app.metrics.answered((method, path), start, &response);
    response
}
