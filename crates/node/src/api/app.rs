//! What the handlers share.

use super::gate::Gate;
use super::metrics::Metrics;
use crate::custody::Custody;
use crate::home::Home;
use crate::progress::Gauge;
use crate::server::Figures;
use crate::server::certificate::Shown;
use ambar_base::{Moment, NetworkId};
use ambar_compute::EngineOptions;
use ambar_consensus::{Clock, Consensus, system_clock};
use ambar_gateway::entrance::IN_HAND_MAX;
use ambar_gateway::{Gateway, Serving};
use ambar_index::Index;
use ambar_store::Store;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::Mutex;

/// A node's parts.
pub struct App {
    /// Its home.
    pub home: Home,
    /// The keys of sealed content that it keeps.
    pub custody: Custody,
    /// The network.
    pub network: NetworkId,
    /// Its number on the ledger.
    pub node: u64,
    /// The ledger's engine.
    pub consensus: Arc<dyn Consensus>,
    /// The blobs.
    pub store: Store,
    /// The index.
    pub index: Arc<Index>,
    /// What it serves.
    pub serving: Arc<Serving>,
    /// With what it opens embedded models: they share one budget of memory.
    pub engines: EngineOptions,
    /// The call path.
    pub gateway: Gateway,
    /// Whether it takes requests.
    pub ready: AtomicBool,
    /// What the port did.
    pub figures: Arc<Figures>,
    /// The certificate that the port shows, if it shows one.
    pub shown: Option<Arc<Shown>>,
    /// Whether prompts and answers are logged.
    pub log_contents: bool,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    /// How many calls are let in.
    pub(crate) gate: Gate,
    /// The faucet's next nonce belongs to one request at a time.
    pub(crate) faucet: Mutex<()>,
    /// One capsule at a time is prepared for serving, and one audit runs: a turn belongs to
    /// the work, which goes on when whoever asked for it is gone.
    pub(crate) kitchen: Arc<Mutex<()>>,
    pub(crate) auditing: Arc<Mutex<()>>,
    /// How far the two are.
    pub(crate) kitchen_gauge: Gauge,
    pub(crate) audit_gauge: Gauge,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    #[expect(clippy::too_many_arguments, reason = "each part once, and all in one place")]
    pub fn new(
        home: Home,
        custody: Custody,
        node: u64,
        consensus: Arc<dyn Consensus>,
        store: Store,
        index: Index,
        serving: Arc<Serving>,
        engines: EngineOptions,
        gateway: Gateway,
    ) -> Self {
        let network = home.genesis.network();
        Self {
            home,
            custody,
            network,
            node,
            consensus,
            store,
            index: Arc::new(index),
            serving,
            engines,
            gateway,
            ready: AtomicBool::new(false),
            figures: Arc::default(),
            shown: None,
            log_contents: false,
            clock: system_clock(),
            metrics: Metrics::default(),
            gate: Gate::new(IN_HAND_MAX),
            faucet: Mutex::new(()),
            kitchen: Arc::default(),
            auditing: Arc::default(),
            kitchen_gauge: Gauge::default(),
            audit_gauge: Gauge::default(),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        (self.clock)()
    }
}
