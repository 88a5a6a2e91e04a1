//! Restoring a ledger from a chain file: every block is executed again and checked, and the
//! home has what it computed, never what the file says.
//!
//! It deliberately knows nothing of the engine's own blocks and votes, which no file holds.
//!
//! **Invariant**: whatever ends it, the home has a ledger that is right up to some block; the
//! same file again goes on from there.

use crate::chain_file::{ChainFileError, ChainReader, Damage};
use crate::engine::LEDGER_CACHE_BYTES;
use crate::error::NodeError;
use crate::home::Home;
use crate::ledger::{self, ENGINE};
use crate::progress::{Gauge, Phase};
use ambar_base::{Coded, Digest, ErrorCode, Height, NetworkId};
use ambar_consensus::AtRest;
use ambar_consensus::replay::{Origin, ReplayError};
use ambar_ledger::Genesis;
use ambar_machine::{LedgerMachine, genesis_state, rules};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a ledger is not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The file is damaged, or cannot be read.
    #[error(transparent)]
    File(#[from] ChainFileError),
    /// The home belongs to another network.
    #[error("the file is of network {file}, the home {} of {own}", .home.display())]
    OtherNetwork {
        /// The home.
        home: PathBuf,
        /// Its network.
        own: NetworkId,
        /// The file's.
        file: NetworkId,
    },
    /// A node ran in the home: its engine has blocks of its own.
    #[error("a node has run in the home {}", .0.display())]
    HasRun(PathBuf),
    /// Blocks between the home's and the file's are missing.
    #[error("the home stands at block {stored}, and the file begins at {first}")]
    Gap {
        /// The home's newest block.
        stored: Height,
        /// The file's first.
        first: Height,
    },
    /// The home or its ledger does not open.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for RestoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::File(error) => error.code(),
            Self::OtherNetwork { .. } => ErrorCode::WrongNetwork,
            Self::HasRun(_) => ErrorCode::HomeMismatch,
            Self::Gap { .. } => ErrorCode::RequestInvalid,
            Self::Node(error) => error.code(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::OtherNetwork { .. } => Some("choose another --home".into()),
            Self::HasRun(_) => Some("import into a new home: name one with --home".into()),
            Self::Gap { .. } => Some("import a file with the blocks between first".into()),
            Self::File(error) => error.help(),
            Self::Node(error) => error.help(),
        }
    }
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The newest block.
    pub height: Height,
    /// The digest of its header.
    pub digest: Digest,
    /// The root of the authenticated state that it commits to.
    pub state_root: Digest,
    /// Blocks that were executed this time.
    pub blocks: u64,
    /// Their transactions.
    pub transactions: u64,
}

/// Executes the blocks of `file` into a home in which no node has run.
pub fn restore<R: Read>(
    home: &Home,
    file: &mut ChainReader<R>,
    gauge: &Gauge,
) -> Result<Restored, RestoreError> {
    if home.genesis != file.genesis {
        let (own, file) = (home.genesis.network(), file.genesis.network());
        return Err(RestoreError::OtherNetwork { home: home.root().to_owned(), own, file });
    }
    let directory = ledger::directory(home)?;
    if directory.join(ENGINE).exists() {
        return Err(RestoreError::HasRun(home.root().to_owned()));
    }
    execute(&directory, file, gauge)
}

/// Executes the blocks of `file` into the ledger in `directory`, where nobody's keys are.
pub fn execute<R: Read>(
    directory: &Path,
    file: &mut ChainReader<R>,
    gauge: &Gauge,
) -> Result<Restored, RestoreError> {
    let mut ledger = at_rest(directory, &file.genesis)?;
    let stored = ledger.stored();
    if file.first > stored.after(1) {
        return Err(RestoreError::Gap { stored, first: file.first });
    }
    let executed = execute_all(&mut ledger, file, gauge);
    // What was right stays, whatever came after it.
    ledger.flush().map_err(NodeError::from)?;
    let (blocks, transactions) = executed?;
    let height = ledger.height().map_err(NodeError::from)?;
    let newest = ledger.block(height).map_err(NodeError::from)?;
    let header = newest.map(|block| block.finality.header);
    let header = header.ok_or_else(|| missing(height))?;
    let (digest, state_root) = (header.digest(), header.state.root);
    Ok(Restored { height, digest, state_root, blocks, transactions })
}

/// Blocks and transactions that were executed.
fn execute_all<R: Read>(
    ledger: &mut AtRest,
    file: &mut ChainReader<R>,
    gauge: &Gauge,
) -> Result<(u64, u64), RestoreError> {
    let genesis = file.genesis.clone();
    let machine = LedgerMachine::new(genesis.network());
    let origin = origin(&genesis, &machine)?;
    let (busy, stored) = (gauge.begin(None), ledger.stored());
    let (mut blocks, mut transactions) = (0, 0);
    while let Some(block) = file.next_block()? {
        let height = block.finality.header.height;
        busy.at(Phase::Blocks, height.0, file.last.0);
        if height <= stored {
            continue;
        }
        ledger.append(&origin, &block).map_err(|error| differs(file, error))?;
        blocks += 1;
        transactions += block.transactions.len() as u64;
    }
    Ok((blocks, transactions))
}

fn missing(height: Height) -> RestoreError {
    let what = format!("block {height} is missing");
    RestoreError::Node(ambar_consensus::StoreError::Corrupt(what).into())
}

fn differs<R: Read>(file: &ChainReader<R>, error: ReplayError) -> RestoreError {
    match error {
        // The disk failed, not the file.
        ReplayError::Store(error) => RestoreError::Node(error.into()),
        other => file.damaged(Damage::Differs(other)).into(),
    }
}

/// The ledger in `directory`, without its engine.
pub(crate) fn at_rest(directory: &Path, genesis: &Genesis) -> Result<AtRest, NodeError> {
    let rules = rules(genesis).ok_or(NodeError::GenesisUnsound)?;
    let state = genesis_state(genesis).ok_or(NodeError::GenesisUnsound)?;
    Ok(AtRest::open(directory, &rules, state, LEDGER_CACHE_BYTES)?)
}

fn origin<'a>(genesis: &Genesis, machine: &'a LedgerMachine) -> Result<Origin<'a>, NodeError> {
    let rules = rules(genesis).ok_or(NodeError::GenesisUnsound)?;
    let genesis = genesis_state(genesis).ok_or(NodeError::GenesisUnsound)?;
    Ok(Origin { rules, machine, genesis })
}
