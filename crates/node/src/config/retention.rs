//! `[ledger]` of `node.toml`: how much of the past a node keeps.
//!
//! It deliberately knows no disk: how many bytes a block takes is what the network does.
//!
//! **Invariant**: what is read is a number of blocks above zero, or all of them.

use ambar_ledger::object::Parameters;
use serde::{Deserialize, Serialize};

/// How many newest blocks a node keeps unless told otherwise: 18 hours of an idle network.
pub const BODIES_KEPT_DEFAULT: u64 = 65_536;
/// Blocks that are kept besides those in which a batch may still settle: the index, which
/// reads them, is made durable every 64 blocks.
pub const BODIES_KEPT_MARGIN: u64 = 128;

/// Which final blocks a node keeps whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// All, for ever.
    Archive,
    /// The newest.
    Newest(u64),
}

/// Why `[ledger]` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// Both are said.
    #[error("bodies_kept and archive = true exclude each other")]
    Both,
    /// Fewer than the node itself needs.
    #[error(
        "bodies_kept = {kept} is too few: this network's window of settlement needs at least {least}"
    )]
    TooFew {
        /// What is said.
        kept: u64,
        /// The fewest that work.
        least: u64,
    },
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    bodies_kept: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<bool>,
}

impl Default for Retention {
    fn default() -> Self {
        Self::Newest(BODIES_KEPT_DEFAULT)
    }
}

impl Retention {
    /// The number of newest blocks; nothing if all.
    #[must_use]
    pub fn blocks(self) -> Option<u64> {
        match self {
            Self::Archive => None,
            Self::Newest(kept) => Some(kept),
        }
    }

    /// That the node finds in what it keeps what it needs of it: where its batches settled, and
    /// what its index has not taken in.
    pub fn check(self, rules: &Parameters) -> Result<(), RetentionError> {
        let least = rules.settlement_window.saturating_add(BODIES_KEPT_MARGIN);
        match self {
            Self::Newest(kept) if kept < least => Err(RetentionError::TooFew { kept, least }),
            _ => Ok(()),
        }
    }

    pub(super) fn read(written: Option<&Written>) -> Result<Self, RetentionError> {
        let Some(Written { bodies_kept, archive }) = written else { return Ok(Self::default()) };
        match (bodies_kept, archive.unwrap_or_default()) {
            (Some(_), true) => Err(RetentionError::Both),
            (None, true) => Ok(Self::Archive),
            (Some(kept), false) => Ok(Self::Newest(*kept)),
            (None, false) => Ok(Self::default()),
        }
    }

    pub(super) fn written(self) -> Option<Written> {
        match self {
            Self::Archive => Some(Written { bodies_kept: None, archive: Some(true) }),
            Self::Newest(BODIES_KEPT_DEFAULT) => None,
            Self::Newest(kept) => Some(Written { bodies_kept: Some(kept), archive: None }),
        }
    }
}
