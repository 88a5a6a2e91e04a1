//! What can go wrong with the index.

use ambar_base::{Coded, ErrorCode, Height};
use ambar_ledger::Refusal;

/// Why the index does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// No space is left.
    #[error("the index's disk is full")]
    DiskFull,
    /// Another process has it open.
    #[error("another process uses this index")]
    InUse,
    /// It belongs to another network or was written by another version.
    #[error("the index belongs to another network or version")]
    Mismatch,
    /// It cannot be read or written, or is damaged. It can be removed: it is built again.
    #[error("the index failed: {0}")]
    Store(String),
    /// A block is not the next one.
    #[error("block {given} was given to the index; the next one is {next}")]
    Order {
        /// The block given.
        given: Height,
        /// The block that is due.
        next: Height,
    },
    /// The state no longer has the facts of a batch: the index is too far behind and has to
    /// be built again.
    #[error("the facts of batch {1} of gateway {0} are forgotten")]
    FactsForgotten(u64, u64),
    /// A block or the state is not what a ledger writes.
    #[error("block {height} cannot be indexed: {reason}")]
    Block {
        /// The block.
        height: Height,
        /// What is wrong.
        reason: String,
    },
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] Refusal),
}

impl From<redb::Error> for IndexError {
    fn from(error: redb::Error) -> Self {
        match &error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::UpgradeRequired(_) => Self::Mismatch,
            redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::DiskFull,
            _ => Self::Store(error.to_string()),
        }
    }
}

macro_rules! from_redb {
    ($($name:ident)*) => {$(
        impl From<redb::$name> for IndexError {
            fn from(error: redb::$name) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(StorageError TableError TransactionError CommitError DatabaseError SetDurabilityError);

impl Coded for IndexError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::DiskFull => ErrorCode::DiskFull,
            Self::InUse => ErrorCode::HomeInUse,
            Self::Mismatch => ErrorCode::HomeMismatch,
            Self::Store(_) => ErrorCode::DiskFailed,
            Self::Order { .. } | Self::FactsForgotten(..) => ErrorCode::Internal,
            Self::Block { .. } => ErrorCode::LedgerCorrupt,
            Self::State(refusal) => refusal.code,
        }
    }
}
