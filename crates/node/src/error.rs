//! Why a node does not start or stop as it should.

use crate::keys::KeyError;
use ambar_base::{Coded, ErrorCode};
use ambar_consensus::{OpenError, StoreError, SubmitError};
use ambar_gateway::GatewayError;
use ambar_index::IndexError;
use ambar_ledger::Refusal;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Another process uses the home.
    #[error("another process uses the home {}", .0.display())]
    HomeInUse(PathBuf),
    /// Another program listens there.
    #[error("{0} is in use")]
    AddressInUse(SocketAddr),
    /// Nothing can listen there.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// Off the loopback the port would have to speak TLS.
    #[error("{0} is off the loopback, where this node does not listen: its port speaks no TLS")]
    OffLoopback(SocketAddr),
    /// A file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The network's genesis cannot be read.
    #[error("the network's genesis is damaged: {0}")]
    Genesis(String),
    /// The network's genesis is none that a ledger can begin with.
    #[error("the network's genesis has unsound allocations, rules, council or validators")]
    GenesisUnsound,
    /// The configuration is wrong.
    #[error("{}: {reason}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The node is not on the ledger, and nobody can pay for its bond.
    #[error("the node's key is not registered on the ledger")]
    NotRegistered,
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The ledger does not open.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger refuses what the node needs of it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The ledger's state is not what it should be.
    #[error(transparent)]
    State(#[from] Refusal),
    /// The blobs cannot be opened.
    #[error(transparent)]
    Blobs(#[from] ambar_store::StoreError),
    /// The index does not open.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The gateway does not open.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl NodeError {
    pub(crate) fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }
}

impl Coded for NodeError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::HomeInUse(_) => ErrorCode::HomeInUse,
            Self::AddressInUse(_) => ErrorCode::AddressInUse,
            Self::Listen { .. } | Self::OffLoopback(_) => ErrorCode::RequestInvalid,
            Self::File { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                ErrorCode::DiskFull
            }
            Self::File { .. } => ErrorCode::FileUnreadable,
            Self::Genesis(_) | Self::GenesisUnsound => ErrorCode::LedgerCorrupt,
            Self::Config { .. } => ErrorCode::DocumentInvalid,
            Self::NotRegistered => ErrorCode::NotAuthorised,
            Self::Key(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Submit(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Blobs(error) => error.code(),
            Self::Index(error) => error.code(),
            Self::Gateway(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Key(error) => error.help(),
            Self::OffLoopback(_) => {
                Some("listen on 127.0.0.1 and put a TLS proxy before the port".into())
            }
            Self::NotRegistered => {
                Some("fund the operator's account and register the node's key".into())
            }
            _ => None,
        }
    }
}
