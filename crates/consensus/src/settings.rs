//! What an operator chooses. None of it changes what a block means.

use ambar_base::{Checkpoint, Moment, NetworkId, PublicKey, SecretKey};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where consensus time comes from; tests drive it.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// The machine's clock. Before 1970 it says 0.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// The most that goes into a block. Part of a network's rules: validators refuse a block
/// past them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of all transactions together.
    pub bytes_max: usize,
    /// Net writes after which no further transaction is added.
    pub writes_max: usize,
}

/// The most that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of all transactions together.
    pub bytes_max: usize,
    /// Longest transaction, bytes. At most the block's `bytes_max`.
    pub transaction_bytes_max: usize,
    /// Most submitters that wait for one and the same transaction.
    pub submitters_max: usize,
    /// Most refusals remembered.
    pub refusals_max: usize,
}

/// How long validators wait for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The longest time between blocks when nothing happens.
    pub heartbeat: Duration,
    /// How long a leader may take. More than the heartbeat.
    pub leader: Duration,
    /// How long a view may take. More than `leader`.
    pub view: Duration,
    /// After how long of silence a leader's turn is passed over. More than `view`.
    pub silence: Duration,
}

impl Patience {
    /// For a heartbeat of this length.
    #[must_use]
    pub fn with_heartbeat(heartbeat: Duration) -> Self {
        let leader = heartbeat.saturating_add(Duration::from_millis(1_000));
        let view = leader.saturating_add(Duration::from_millis(1_000));
        Self { heartbeat, leader, view, silence: view.saturating_add(Duration::from_secs(2)) }
    }
}

/// Where other validators are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where others reach this node.
    pub advertise: SocketAddr,
    /// Validators to dial at first; others are found through them.
    pub known: Vec<(PublicKey, SocketAddr)>,
}

/// An engine's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The ledger.
    pub network: NetworkId,
    /// The committee of epoch 0.
    pub committee: ambar_base::Committee,
    /// The key with which this node votes, if it has a seat, and speaks to its peers.
    pub key: SecretKey,
    /// How long to wait for what.
    pub patience: Patience,
    /// The most that goes into a block.
    pub block: BlockLimits,
    /// The most that waits.
    pub pool: PoolLimits,
    /// Memory for the view's page cache, bytes.
    pub cache_bytes: usize,
    /// The other validators; nothing for a committee of one.
    pub peers: Option<PeerSettings>,
}

impl Settings {
    /// The usual settings: a heartbeat of one second, blocks of up to 10,000 transactions.
    #[must_use]
    pub fn new(genesis: Checkpoint, key: SecretKey) -> Self {
        Self {
            network: genesis.network,
            committee: genesis.committee,
            key,
            patience: Patience::with_heartbeat(Duration::from_secs(1)),
            block: BlockLimits {
                transactions_max: 10_000,
                bytes_max: 16 << 20,
                writes_max: 65_536,
            },
            pool: PoolLimits {
                transactions_max: 50_000,
                bytes_max: 64 << 20,
                transaction_bytes_max: 4 << 20,
                submitters_max: 64,
                refusals_max: 16_384,
            },
            cache_bytes: 128 << 20,
            peers: None,
        }
    }

    /// The checkpoint of genesis.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { network: self.network, committee: self.committee.clone() }
    }
}
