//! What the rest of Ambar sees of an engine: the trait that every engine stands behind.

use crate::block::Block;
use crate::error::{Fault, StoreError, SubmitError};
use crate::history::History;
use crate::machine::Refusal;
use crate::participation::Participation;
use crate::state::StateView;
use ambar_base::finality::{BlockHeader, Evidence, Handover, OutcomeProof};
use ambar_base::{Digest, Height, Moment};
use futures::future::BoxFuture;
use tokio::sync::watch;

/// An engine that orders transactions into final blocks.
pub trait Consensus: Send + Sync {
    /// Queues a transaction at once and yields its outcome when it is final and durable.
    /// Submitting a waiting transaction again waits for the same outcome; submitting a
    /// final one yields the outcome it had. Dropping the future does not withdraw it.
    /// Admission, with its signature checks, runs on the caller's thread before this
    /// returns, so that callers share the work.
    fn submit(&self, transaction: Vec<u8>) -> BoxFuture<'static, Result<Committed, SubmitError>>;

    /// The newest final block.
    fn head(&self) -> Head;

    /// Follows [`Consensus::head`].
    fn watch(&self) -> watch::Receiver<Head>;

    /// The state as of the newest final block. Views are for short use: an open one keeps
    /// the space of what has changed since.
    fn read(&self) -> Result<StateView, StoreError>;

    /// The final block at a height, `None` above the head and below [`Consensus::oldest`].
    fn block(&self, height: Height) -> Result<Option<Block>, StoreError>;

    /// The lowest height from which on every block is here, whole; 0 if all blocks are.
    fn oldest(&self) -> Result<Height, StoreError>;

    /// How many newest blocks are kept; nothing if all are.
    fn bodies_kept(&self) -> Option<u64>;

    /// What is here as of the newest final block, while blocks are made and forgotten. For
    /// short use, as [`Consensus::read`].
    fn history(&self) -> Result<History, StoreError>;

    /// The proof of an outcome, `None` if there is none at this place. It has no handovers:
    /// see [`Consensus::handovers`].
    fn proof(&self, height: Height, index: u64) -> Result<Option<OutcomeProof>, StoreError>;

    /// What became of a transaction. One whose block is not here any more is unknown.
    fn fate(&self, id: &Digest) -> Result<Fate, StoreError>;

    /// How the engine is.
    fn status(&self) -> Status;

    /// Who takes part in ordering, as this node hears it.
    fn participation(&self) -> Participation;

    /// Evidence that validators voted against themselves, one for a key, since the start. Its
    /// votes are checked.
    fn conflicts(&self) -> watch::Receiver<Vec<Evidence>>;

    /// How the committees of the epochs from `since` up to `until` gave way to one another,
    /// as far as it is known here. It is kept when the blocks are not.
    fn handovers(&self, since: u64, until: u64) -> Result<Vec<Handover>, StoreError>;

    /// Refuses what waits, stops, and resolves when the store is closed.
    fn shutdown(&self) -> BoxFuture<'static, ()>;
}

/// A final transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its block.
    pub height: Height,
    /// Its block's consensus time.
    pub time: Moment,
    /// Its place among the block's outcomes, at least 1.
    pub index: u64,
    /// Its outcome.
    pub outcome: Vec<u8>,
}

/// The newest final block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: Height,
    /// Its consensus time.
    pub time: Moment,
    /// The digest of its header.
    pub digest: Digest,
}

impl From<&BlockHeader> for Head {
    fn from(header: &BlockHeader) -> Self {
        Self { height: header.height, time: header.time, digest: header.digest() }
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It waits, or its block waits for space on the disk.
    Waiting,
    /// It is final.
    Final {
        /// Its block.
        height: Height,
        /// Its place among the block's outcomes.
        index: u64,
    },
    /// It was refused not long ago.
    Refused(Refusal),
    /// Never seen, or refused or final too long ago to remember.
    Unknown,
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It makes blocks.
    Running,
    /// It cannot make a block durable, and tries again at each submission and heartbeat.
    Stalled(StoreError),
    /// It has stopped for good; reads go on.
    Halted(Fault),
    /// It was shut down.
    Stopped,
}
