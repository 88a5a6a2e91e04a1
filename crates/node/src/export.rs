//! Where the blocks of a chain file come from: a running node, or the ledger of a home in
//! which no node runs.
//!
//! **Invariant**: a file ends with a block that was voted on itself, so that it proves its
//! last block.

use crate::chain_file::{ChainFileError, ChainWriter, Opening};
use crate::client::{Client, ClientError};
use crate::error::NodeError;
use crate::home::Home;
use crate::{ledger, restore};
use ambar_base::finality::DESCENDANTS_MAX;
use ambar_base::{Coded, Encode, ErrorCode, Height};
use ambar_consensus::{AtRest, Block};
use ambar_ledger::Genesis;
use std::collections::VecDeque;
use std::path::Path;

/// Why a chain is not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] ChainFileError),
    /// The node fails.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The home fails.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The heights are none.
    #[error("blocks {from} to {to} cannot be exported: the newest is {newest}")]
    Range {
        /// The first.
        from: Height,
        /// The last.
        to: Height,
        /// The newest final block.
        newest: Height,
    },
    /// Blocks are not kept any more.
    #[error(
        "the chain cannot be exported from block {from}: the oldest that is kept here is {oldest}"
    )]
    NotKept {
        /// The first that was asked for.
        from: Height,
        /// The oldest that is there.
        oldest: Height,
    },
    /// A block is not there.
    #[error("block {0} is not kept here")]
    Missing(Height),
}

impl Coded for ExportError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::File(error) => error.code(),
            Self::Client(error) => error.code(),
            Self::Node(error) => error.code(),
            Self::Range { .. } => ErrorCode::RequestInvalid,
            Self::NotKept { .. } => ErrorCode::HistoryMissing,
            Self::Missing(_) => ErrorCode::NotFound,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::File(error) => error.help(),
            Self::Client(error) => error.help(),
            Self::Node(error) => error.help(),
            Self::Range { .. } => None,
            Self::NotKept { oldest, .. } => Some(format!(
                "export from an archive node, or a part of the chain with --from {oldest}"
            )),
            Self::Missing(_) => Some("export from a node that has followed since genesis".into()),
        }
    }
}

/// Where blocks are read.
pub enum Blocks {
    /// From a running node, whose answers hold many at once.
    Node {
        /// The node.
        client: Client,
        /// Blocks of the last answer.
        read: VecDeque<Block>,
    },
    /// From a home at rest.
    Home {
        /// Kept locked.
        home: Box<Home>,
        /// Its ledger.
        ledger: AtRest,
    },
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The first block.
    pub first: Height,
    /// The last.
    pub last: Height,
    /// The file's length, bytes.
    pub bytes: u64,
}

impl Blocks {
    /// Of a running node.
    #[must_use]
    pub fn of_node(client: Client) -> Self {
        Self::Node { client, read: VecDeque::new() }
    }

    /// Of a home in which no node runs.
    pub fn of_home(home: Home) -> Result<Self, NodeError> {
        let ledger = restore::at_rest(&ledger::directory(&home)?, &home.genesis)?;
        Ok(Self::Home { home: Box::new(home), ledger })
    }

    /// The network.
    pub async fn genesis(&self) -> Result<Genesis, ExportError> {
        match self {
            Self::Node { client, .. } => Ok(client.genesis().await?),
            Self::Home { home, .. } => Ok(home.genesis.clone()),
        }
    }

    async fn newest(&self) -> Result<Height, ExportError> {
        match self {
            Self::Node { client, .. } => Ok(Height(client.status().await?.height)),
            Self::Home { ledger, .. } => Ok(ledger.height().map_err(NodeError::from)?),
        }
    }

    async fn oldest(&self) -> Result<Height, ExportError> {
        match self {
            Self::Node { client, .. } => Ok(Height(client.status().await?.oldest)),
            Self::Home { ledger, .. } => Ok(ledger.oldest().map_err(NodeError::from)?),
        }
    }

    async fn block(&mut self, height: Height) -> Result<Block, ExportError> {
        let found = match self {
            Self::Home { ledger, .. } => ledger.block(height).map_err(NodeError::from)?,
            Self::Node { client, read } => {
                if read.front().is_none_or(|block| block.finality.header.height != height) {
                    *read = client.chain(height.0).await?.into();
                }
                read.pop_front()
            }
        };
        let right = |block: &Block| block.finality.header.height == height && block.body_agrees();
        found.filter(right).ok_or(ExportError::Missing(height))
    }

    /// The first block from `height` on that was voted on itself.
    async fn voted(&mut self, height: Height) -> Result<Height, ExportError> {
        for further in 0..=DESCENDANTS_MAX as u64 {
            let height = height.after(further);
            if self.block(height).await?.finality.descendants.is_empty() {
                return Ok(height);
            }
        }
        Err(ExportError::Missing(height))
    }

    /// Writes the blocks from `from` to `to` into a file, or to the newest; `told` hears after
    /// each how many are written, and of how many. The last is the first from `to` on that was
    /// voted on itself.
    pub async fn export(
        &mut self,
        path: &Path,
        (from, to): (Height, Option<Height>),
        mut told: impl FnMut(u64, u64),
    ) -> Result<Exported, ExportError> {
        let (genesis, newest) = (self.genesis().await?.to_bytes(), self.newest().await?);
        let to = to.unwrap_or(newest);
        if from > to || to > newest {
            return Err(ExportError::Range { from, to, newest });
        }
        let oldest = self.oldest().await?;
        if from < oldest {
            return Err(ExportError::NotKept { from, oldest });
        }
        let last = self.voted(to).await?;
        let mut file = ChainWriter::create(path, &Opening { genesis, first: from, last })?;
        for height in from.0..=last.0 {
            file.add(&self.block(Height(height)).await?)?;
            told(height - from.0 + 1, last.0 - from.0 + 1);
        }
        Ok(Exported { first: from, last, bytes: file.finish()? })
    }
}
