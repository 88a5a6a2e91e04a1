//! Starting a node and stopping it.
//!
//! **Invariant**: whatever was started is stopped in the opposite order, and what a caller
//! was told is durable before the process may end.

use crate::accuse;
use crate::api::gate::Gate;
use crate::api::{self, App, Door};
use crate::background::Background;
use crate::config::Config;
use crate::custody::Custody;
use crate::endpoint;
use crate::error::NodeError;
use crate::follow;
use crate::home::Home;
use crate::keys::Passphrase;
use crate::ledger;
use crate::peers::{PeerLimits, Peers};
use crate::progress::Gauge;
use crate::register::node_number;
use crate::serve::Kitchen;
use crate::server::certificate::{self, CertificateFiles, Fingerprint, TLS_DIRECTORY};
use crate::server::{Exposure, Figures, Server, Tls, tls::RELOAD_INTERVAL};
use ambar_compute::EngineOptions;
use ambar_consensus::{Consensus, system_clock};
use ambar_gateway::view::LedgerView;
use ambar_gateway::{Gateway, GatewaySettings, Serving};
use ambar_index::Index;
use ambar_ledger::query::State as _;
use ambar_store::Store;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where a node listens unless told otherwise.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7700));
/// How long requests under way may still run when the node stops.
const DRAIN: Duration = Duration::from_secs(15);

/// How to start a node.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// Its home.
    pub home: PathBuf,
    /// Where to listen; otherwise what its configuration says, or [`LISTEN_DEFAULT`]. Port
    /// 0 takes any free one.
    pub listen: Option<SocketAddr>,
    /// The passphrase of the home's keys.
    pub passphrase: Option<Passphrase>,
    /// Whether a validator votes whose blocks are here and whose votes are not: somebody knows
    /// that no block is final that is newer than those here.
    pub resume: bool,
    /// Whether prompts and answers are logged: as a rule nothing of what callers say is.
    pub log_prompts: bool,
}

/// The node. Its futures come boxed: an `async fn` is compiled where it is awaited, and all of a
/// node's server would be, in every program that starts one.
pub struct Node;

/// A running node.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its URL.
    pub base_url: String,
    app: Arc<App>,
    tls: Tls,
    stop: CancellationToken,
    server: JoinHandle<()>,
    follower: JoinHandle<()>,
    background: Background,
}

impl Node {
    /// Starts a node and returns when it answers.
    #[must_use]
    pub fn start(given: NodeSettings) -> BoxFuture<'static, Result<Running, NodeError>> {
        async move { Self::start_telling(given, &Gauge::default()).await }.boxed()
    }

    /// The same, telling how far it is with what may take long: an index or a corpus that
    /// has to be built again, engines that are opened.
    #[must_use]
    pub fn start_telling(
        given: NodeSettings,
        gauge: &Gauge,
    ) -> BoxFuture<'_, Result<Running, NodeError>> {
        Self::start_all(given, gauge).boxed()
    }

    async fn start_all(given: NodeSettings, gauge: &Gauge) -> Result<Running, NodeError> {
        let home = Home::open(&given.home, given.passphrase)?;
        let config = home.config()?;
        let listen = given.listen.or(config.listen).unwrap_or(LISTEN_DEFAULT);
        // Bound before anything is built, so that a taken address costs nothing.
        let listener = listen_on(listen).await?;
        let address =
            listener.local_addr().map_err(|error| NodeError::Listen { address: listen, error })?;
        let exposure = exposure(&config, address);
        let tls = open_tls(&home, &config, address)?;
        let background = Background::start()?;
        let consensus = ledger::open(&home, &config, given.resume)?;
        let (door, peer_door) = (Door::new(gauge), Door::new(gauge));
        let (stop, figures) = (CancellationToken::new(), Arc::new(Figures::default()));
        let port = Server {
            routes: Arc::new(door.clone()),
            peer_routes: Arc::new(peer_door.clone()),
            tls: tls.clone(),
            exposure,
            limits: config.limits.within_descriptors(),
            figures: Arc::clone(&figures),
        };
        let server = tokio::spawn(port.serve(listener, stop.clone()));
        let app = match open_app(home, Arc::clone(&consensus), gauge, &background).await {
            Ok(app) => Arc::new(App {
                figures,
                shown: Some(Arc::clone(tls.shown())),
                log_contents: given.log_prompts,
                gate: Gate::new(config.queues.in_hand()),
                ..app
            }),
            Err(error) => {
                stop.cancel();
                consensus.shutdown().await;
                return Err(error);
            }
        };
        let follower =
            follow::follow(Arc::clone(&app.index), Arc::clone(&app.consensus), stop.clone());
        let follower = background.handle().spawn(follower);
        let accusing = accuse::accuse(app.network, Arc::clone(&app.consensus), stop.clone());
        tokio::spawn(accusing);
        tokio::spawn(app.gate.entrance.clone().keep(stop.clone()));
        tokio::spawn(tls.clone().follow(RELOAD_INTERVAL, stop.clone()));
        peer_door.open(Arc::new(api::peer_router(&app)));
        door.open(api::routes_of(Arc::clone(&app)));
        tokio::spawn(announced(&app, &config, address, stop.clone())?);
        app.ready.store(true, std::sync::atomic::Ordering::Release);
        let base_url = format!("{}://{address}", exposure.scheme());
        tracing::info!(%base_url, network = %app.network, "the node is ready");
        Ok(Running { address, base_url, app, tls, stop, server, follower, background })
    }
}

/// Says on the ledger where other nodes reach this one.
fn announced(
    app: &App,
    config: &Config,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + use<>, NodeError> {
    let rules = LedgerView::latest(&*app.consensus)?.governance()?;
    let said = endpoint::endpoint(config, address, rules.development);
    let (gateway, consensus) = (app.gateway.clone(), Arc::clone(&app.consensus));
    Ok(endpoint::announce(gateway, consensus, app.node, said, stop))
}

async fn listen_on(address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => NodeError::AddressInUse(address),
        _ => NodeError::Listen { address, error },
    })
}

async fn open_app(
    home: Home,
    consensus: Arc<dyn Consensus>,
    gauge: &Gauge,
    background: &Background,
) -> Result<App, NodeError> {
    let node = node_number(&home, &*consensus, gauge).await?;
    for name in ["blobs", "journal", "index"] {
        let directory = home.directory(name);
        crate::home::private_directory(&directory)
            .map_err(|error| NodeError::file(&directory, error))?;
    }
    let (engine, telling) = (Arc::clone(&consensus), gauge.clone());
    let prepared = tokio::task::spawn_blocking(move || prepare(home, &*engine, &telling)).await;
    let Prepared { home, custody, store, index, serving, engines } =
        prepared.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    let settings = GatewaySettings {
        directory: home.directory("journal"),
        network: home.genesis.network(),
        node,
        key: home.node_key.clone(),
        clock: system_clock(),
        peers: Arc::new(Peers::new(home.node_key.clone(), PeerLimits::default())),
        settling: background.handle().clone(),
        hedge_percentile: home.config()?.queues.hedge_percentile,
    };
    let gateway = Gateway::open(settings, Arc::clone(&consensus), Arc::clone(&serving)).await?;
    Ok(App::new(home, custody, node, consensus, store, index, serving, engines, gateway))
}

struct Prepared {
    home: Home,
    custody: Custody,
    store: Store,
    index: Index,
    serving: Arc<Serving>,
    engines: EngineOptions,
}

/// What takes long after a crash or with large datasets: done off the runtime.
fn prepare(home: Home, consensus: &dyn Consensus, gauge: &Gauge) -> Result<Prepared, NodeError> {
    let store = Store::open(&home.directory("blobs"))?;
    let index = follow::open(&home.directory("index"), &home.genesis, consensus, gauge)?;
    let config = home.config()?;
    let serving = Arc::new(Serving::with(config.queues.limits()));
    let view = LedgerView::latest(consensus)?;
    // The council may have widened the window since genesis.
    config.retention.check(view.governance()?.parameters.latest())?;
    let custody = Custody::of(&home);
    let engines = config.engines.options();
    let kitchen = Kitchen {
        home: &home,
        custody: &custody,
        store: &store,
        serving: &serving,
        view,
        gauge,
        engines: &engines,
    };
    kitchen.serve_all(&config.serving);
    Ok(Prepared { home, custody, store, index, serving, engines })
}

/// Who may speak plain HTTP to the port.
fn exposure(config: &Config, address: SocketAddr) -> Exposure {
    if config.tls.required { Exposure::Network } else { Exposure::of(address.ip()) }
}

/// The operator's certificate, or the home's own for every name that the node is known by.
fn open_tls(home: &Home, config: &Config, address: SocketAddr) -> Result<Tls, NodeError> {
    let files = match &config.tls.files {
        Some(files) => files.clone(),
        None => {
            let advertised = config.network.as_ref().map(|network| network.advertise.ip());
            let bound = Some(address.ip()).filter(|ip| !ip.is_unspecified());
            let mut names: Vec<String> =
                ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
            names.extend(advertised.into_iter().chain(bound).map(|ip| ip.to_string()));
            names.extend(config.tls.names.iter().cloned());
            certificate::own(&home.directory(TLS_DIRECTORY), &names)?
        }
    };
    Ok(Tls::open(files, &home.node_key)?)
}

impl Running {
    /// The node's parts, for programs that embed it.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The files of the certificate that clients are shown, and how it is told from others.
    #[must_use]
    pub fn certificate(&self) -> (&CertificateFiles, Fingerprint) {
        (self.tls.shown().files(), self.tls.shown().fingerprint())
    }

    /// Takes no more requests, finishes those under way, settles and closes.
    #[must_use]
    pub fn shutdown(self) -> BoxFuture<'static, ()> {
        self.end().boxed()
    }

    async fn end(self) {
        self.app.ready.store(false, std::sync::atomic::Ordering::Release);
        self.stop.cancel();
        let mut server = self.server;
        if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
            server.abort();
        }
        self.app.gateway.shutdown().await;
        let _ = self.follower.await;
        if let Err(error) = follow::catch_up(&self.app.index, &*self.app.consensus) {
            tracing::warn!(%error, "the index is not up to date");
        }
        if let Err(error) = self.app.index.flush() {
            tracing::warn!(%error, "the index is not durable");
        }
        self.app.consensus.shutdown().await;
        drop(self.background);
    }
}
