//! What an operator chooses. None of it changes what a block means.

use crate::epoch::Epochs;
use crate::machine::BlockContext;
use crate::protocol::Protocols;
use ambar_base::{Checkpoint, Height, Moment, NetworkId, PublicKey, SecretKey};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Heights of an epoch unless a network chooses otherwise: two hours and a quarter of an idle
/// network.
pub const EPOCH_BLOCKS_DEFAULT: u64 = 8_192;

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

/// What all nodes of a network agree upon: whoever has other rules refuses its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The ledger and the committee of epoch 0.
    pub genesis: Checkpoint,
    /// Heights of an epoch, at least [`EPOCH_BLOCKS_MIN`](crate::EPOCH_BLOCKS_MIN).
    pub epoch_blocks: u64,
    /// Which version of the ledger's rules holds from which height on.
    pub protocols: Protocols,
    /// The most that goes into a block.
    pub block: BlockLimits,
}

impl Rules {
    /// The usual rules: blocks of up to 10,000 transactions, the newest protocol from
    /// genesis on.
    #[must_use]
    pub fn new(genesis: Checkpoint) -> Self {
        let block =
            BlockLimits { transactions_max: 10_000, bytes_max: 16 << 20, writes_max: 65_536 };
        let protocols = Protocols::default();
        Self { genesis, epoch_blocks: EPOCH_BLOCKS_DEFAULT, protocols, block }
    }

    /// The ledger.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.genesis.network
    }

    /// How its heights fall into epochs.
    #[must_use]
    pub fn epochs(&self) -> Epochs {
        Epochs::of_length(self.epoch_blocks)
    }

    /// The context of the block at a height.
    pub fn context(&self, height: Height, time: Moment) -> BlockContext {
        let (network, protocol) = (self.network(), self.protocols.at(height));
        BlockContext { network, height, time, protocol }
    }
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
    /// What all nodes of the network agree upon.
    pub rules: Rules,
    /// The key with which this node votes, if it has a seat, and speaks to its peers.
    pub key: SecretKey,
    /// How long to wait for what.
    pub patience: Patience,
    /// The most that waits.
    pub pool: PoolLimits,
    /// Memory for the view's page cache, bytes.
    pub cache_bytes: usize,
    /// A new node that is further behind than this many blocks fetches its peers' state
    /// instead of their blocks, of which they keep some thousands.
    pub fetch_state_behind: u64,
    /// Final blocks that peers can fetch from here, at least.
    pub blocks_kept: usize,
    /// How many newest blocks the view keeps whole, at least one; nothing if all, for ever.
    pub bodies_kept: Option<u64>,
    /// The other validators; nothing for a committee of one.
    pub peers: Option<PeerSettings>,
    /// Where it is kept in which epochs the key has voted, apart from the votes themselves:
    /// a key whose votes were lost does not vote again in an epoch in which it may have.
    /// Without one, a file in the ledger's directory.
    pub vote_mark: Option<PathBuf>,
}

impl Settings {
    /// The usual settings: a heartbeat of one second.
    #[must_use]
    pub fn new(rules: Rules, key: SecretKey) -> Self {
        Self {
            rules,
            key,
            patience: Patience::with_heartbeat(Duration::from_secs(1)),
            pool: PoolLimits {
                transactions_max: 50_000,
                bytes_max: 64 << 20,
                transaction_bytes_max: 4 << 20,
                submitters_max: 64,
                refusals_max: 16_384,
            },
            cache_bytes: 128 << 20,
            fetch_state_behind: 2_048,
            blocks_kept: 4_096,
            bodies_kept: None,
            peers: None,
            vote_mark: None,
        }
    }
}
