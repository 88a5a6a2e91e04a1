//! What can go wrong, one enum for each operation.

use crate::machine::Refusal;
use ambar_base::{Coded, ErrorCode, Height};
use std::io;

/// The store failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No space is left.
    #[error("the ledger's disk is full")]
    DiskFull,
    /// Reading or writing failed.
    #[error("the ledger's store failed: {0}")]
    Io(String),
    /// What is stored is not what was written.
    #[error("the ledger's store is damaged: {0}")]
    Corrupt(String),
    /// The engine was shut down.
    #[error("the ledger is closed")]
    Closed,
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        (&error).into()
    }
}

impl From<&io::Error> for StoreError {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(what) => Self::Corrupt(what),
            redb::Error::DatabaseClosed => Self::Closed,
            other => Self::Io(other.to_string()),
        }
    }
}

macro_rules! from_redb {
    ($($name:ident)*) => {$(
        impl From<redb::$name> for StoreError {
            fn from(error: redb::$name) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(StorageError TableError TransactionError CommitError DatabaseError SetDurabilityError);

impl Coded for StoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::DiskFull => ErrorCode::DiskFull,
            Self::Io(_) => ErrorCode::Internal,
            Self::Corrupt(_) => ErrorCode::LedgerCorrupt,
            Self::Closed => ErrorCode::ShuttingDown,
        }
    }
}

/// Why an engine stopped for good. No block follows until a person has looked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The beginning of a block was refused, which must never happen.
    #[error("the beginning of block {height} was refused: {refusal}")]
    Begin {
        /// The block that could not begin.
        height: Height,
        /// What the machine said.
        refusal: Refusal,
    },
    /// The end of an epoch was refused or named no committee, which must never happen.
    #[error("epoch {epoch} cannot end: {reason}")]
    End {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        reason: Refusal,
    },
    /// The one validator may have voted in this epoch and its votes are lost: voting again
    /// could make two blocks of one height final.
    #[error("the votes of epoch {epoch} are lost, and the one validator votes no more in it")]
    VotesLost {
        /// The epoch.
        epoch: u64,
    },
    /// The store could not be read.
    #[error("the ledger halted: {0}")]
    Store(#[from] StoreError),
}

impl Coded for Fault {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Begin { .. } | Self::End { .. } => ErrorCode::Internal,
            Self::VotesLost { .. } => ErrorCode::LedgerCorrupt,
            Self::Store(error) => error.code(),
        }
    }
}

/// Why a transaction is not final.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The machine refused it, before or while executing it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many transactions wait.
    #[error("too many transactions wait")]
    Overloaded,
    /// It is longer than the engine accepts.
    #[error("the transaction has {bytes} bytes; at most {bytes_max} are accepted")]
    TransactionTooLarge {
        /// Its length.
        bytes: usize,
        /// The most accepted.
        bytes_max: usize,
    },
    /// The next block is past its expiry.
    #[error("the transaction expired at height {expiry}; the next block is {next}")]
    TransactionExpired {
        /// The last height at which it could be final.
        expiry: Height,
        /// The next block's.
        next: Height,
    },
    /// The block could not be made durable. It is retried: the transaction may yet become
    /// final, and submitting it again waits for that.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine has halted.
    #[error(transparent)]
    Halted(#[from] Fault),
    /// The engine is stopping.
    #[error("the ledger is shutting down")]
    ShuttingDown,
}

impl Coded for SubmitError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Overloaded => ErrorCode::Overloaded,
            Self::TransactionTooLarge { .. } => ErrorCode::TransactionTooLarge,
            Self::TransactionExpired { .. } => ErrorCode::TransactionExpired,
            Self::Store(error) => error.code(),
            Self::Halted(fault) => fault.code(),
            Self::ShuttingDown => ErrorCode::ShuttingDown,
        }
    }
}

/// Why a ledger does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process uses this ledger")]
    HomeInUse,
    /// It holds another network, another key's chain, another genesis or a format of
    /// another version.
    #[error("this ledger is another's: {0}")]
    HomeMismatch(&'static str),
    /// A newer version of the program wrote it.
    #[error("this ledger has format {format} and this program knows formats up to {known}")]
    TooNew {
        /// Its format.
        format: u64,
        /// The newest known.
        known: u64,
    },
    /// The store failed or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::HomeInUse,
            redb::Error::UpgradeRequired(_) => Self::HomeMismatch("its store's version"),
            other => Self::Store(other.into()),
        }
    }
}

impl Coded for OpenError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::HomeInUse => ErrorCode::HomeInUse,
            Self::HomeMismatch(_) => ErrorCode::HomeMismatch,
            Self::TooNew { .. } => ErrorCode::HomeTooNew,
            Self::Store(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        let mismatch = "put back the genesis that belongs to this ledger, use the version that \
                        wrote it, or choose another --home";
        matches!(self, Self::HomeMismatch(_)).then(|| mismatch.into())
    }
}
