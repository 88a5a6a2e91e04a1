//! Why a node does not start or stop as it should.

use crate::config::RetentionError;
use crate::keys::KeyError;
use crate::server::TlsError;
use ambar_base::{Coded, ErrorCode, Height};
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
    /// The home's layout is of a version that is not known here.
    #[error(
        "the home {} was written by a newer version: its format is {found}, this version \
         knows {known}", .home.display()
    )]
    HomeTooNew {
        /// The home.
        home: PathBuf,
        /// Its format.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// Another program listens there.
    #[error("{0} is in use")]
    AddressInUse(SocketAddr),
    /// Another program listens where peers are to be heard.
    #[error("{0}, where this node listens for its peers, is in use")]
    PeerAddressInUse(SocketAddr),
    /// The configuration keeps too few blocks.
    #[error("[ledger] {0}")]
    Retention(#[from] RetentionError),
    /// What was asked needs blocks that are not here any more.
    #[error("blocks before {oldest} are not kept here: {what}")]
    NotKept {
        /// The oldest that is.
        oldest: Height,
        /// What needs them.
        what: &'static str,
    },
    /// The configuration names the node itself as a peer.
    #[error("[network] names this home's own key {0} among its peers")]
    OwnPeer(String),
    /// Nobody makes blocks for this node.
    #[error(
        "the committee of this network has {seats} seats, {}, and [network] names no peers",
        if *.seated { "one of them this home's" } else { "none of them this home's" }
    )]
    Unconnected {
        /// Its seats.
        seats: usize,
        /// Whether this home's key has one.
        seated: bool,
    },
    /// The view is there, and the engine's own blocks and votes are not.
    #[error("the ledger stands at block {0}, but the blocks and votes of its engine are missing")]
    EngineMissing(Height),
    /// Nothing can listen there.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// The system gives no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[source] io::Error),
    /// The port cannot speak TLS.
    #[error("the port cannot speak TLS: {0}")]
    Tls(#[from] TlsError),
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
            Self::HomeTooNew { .. } => ErrorCode::HomeTooNew,
            Self::AddressInUse(_) | Self::PeerAddressInUse(_) => ErrorCode::AddressInUse,
            Self::EngineMissing(_) => ErrorCode::HomeMismatch,
            Self::Listen { .. } => ErrorCode::RequestInvalid,
            Self::Thread(_) => ErrorCode::Internal,
            Self::File { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                ErrorCode::DiskFull
            }
            Self::File { .. } => ErrorCode::FileUnreadable,
            Self::Genesis(_) | Self::GenesisUnsound => ErrorCode::LedgerCorrupt,
            Self::Config { .. }
            | Self::Retention(_)
            | Self::OwnPeer(_)
            | Self::Unconnected { .. } => ErrorCode::DocumentInvalid,
            Self::NotKept { .. } => ErrorCode::HistoryMissing,
            Self::NotRegistered => ErrorCode::NotAuthorised,
            Self::Tls(error) => error.code(),
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
            Self::Ledger(error) => error.help(),
            Self::PeerAddressInUse(_) => {
                Some("stop the other program, or change `listen` in [network] of node.toml".into())
            }
            Self::Retention(RetentionError::Both) => Some("keep one of them in node.toml".into()),
            Self::Retention(RetentionError::TooFew { least, .. }) => {
                Some(format!("set bodies_kept = {least} or more in [ledger] of node.toml"))
            }
            Self::OwnPeer(_) => Some("take it out of `peers` in node.toml".into()),
            Self::Unconnected { .. } => Some(
                "add [network] with listen, advertise and peers to node.toml, as `ambar network \
                 init` and `ambar network join` write it"
                    .into(),
            ),
            Self::EngineMissing(_) => Some(
                "restore ledger/engine from a copy; a validator that has forgotten its votes \
                 must not vote again, unless no block is newer than those here: then start it \
                 with --resume"
                    .into(),
            ),
            Self::Tls(error) => error.help(),
            Self::NotRegistered => Some(
                "fund the operator's account first: `ambar account fund 100 --as operator` \
                     with the --home of this node and the --node of another"
                    .into(),
            ),
            _ => None,
        }
    }
}
