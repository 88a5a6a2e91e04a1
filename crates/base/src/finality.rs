//! Block headers, and the proof that an outcome is final.
//!
//! This module knows what a header commits to and how to check it offline. It does not
//! know how blocks are made, stored or agreed upon, nor what transactions and outcomes
//! mean: they are bytes.
//!
//! **Invariant**: a proof that verifies names one place (height, index) of one chain, and
//! no other outcome verifies at that place. The header therefore carries the number of
//! outcomes: RFC 9162 leaves it to the signed tree head to bind a tree's size.

use crate::codec::Encode;
use crate::digest::Digest;
use crate::domain::{Domain, NetworkId};
use crate::keys::{BadSignature, PublicKey, Signed, verify_batch};
use crate::moment::{Height, Moment};
use crate::record;
use crate::tree::{self, PATH_HASHES_MAX};

mod checkpoint;
mod committee;
mod evidence;
mod vote;

pub use checkpoint::{Checkpoint, HANDOVERS_MAX, Handover};
pub use committee::{Certificate, Committee, SEATS_MAX, Vote};
pub use evidence::{Ballot, Evidence, EvidenceError};
pub use vote::{Proposal, Statement, vote_message, vote_namespace};

/// Most headers between a block and the later one that was voted final.
pub const DESCENDANTS_MAX: usize = 256;

record! {
    /// What a block commits to; its digest is what validators vote on.
    pub struct BlockHeader {
        /// The ledger this block belongs to.
        pub network: NetworkId,
        /// The version of the rules by which it was executed.
        pub protocol: u32,
        /// Its place in the chain; genesis has height 0.
        pub height: Height,
        /// Consensus time; strictly later than the parent's. Genesis has time 0.
        pub time: Moment,
        /// The digest of the parent's header; [`Digest::ZERO`] for genesis.
        pub parent: Digest,
        /// Where in consensus it was proposed.
        pub round: Round,
        /// The number of outcomes: one for the beginning of the block and one for each
        /// transaction. Genesis has none.
        pub outcomes: u32,
        /// RFC 9162 root over the transactions' bytes, in the order of execution.
        pub transactions_root: Digest,
        /// RFC 9162 root over the outcomes' bytes: the beginning's first, then each
        /// transaction's.
        pub outcomes_root: Digest,
        /// The digest of the block's net writes in ascending order of keys.
        pub writes_digest: Digest,
        /// The state after it.
        pub state: StateCommitment,
        /// On the last block of an epoch, the digest of the next epoch's committee.
        pub next_committee: Option<Digest>,
    }
}

record! {
    /// Where in consensus a block was proposed.
    pub struct Round {
        /// The epoch.
        pub epoch: u64,
        /// The view within the epoch, at least 1. Genesis has 0.
        pub view: u64,
        /// The view of the parent.
        pub parent_view: u64,
        /// Who proposed it.
        pub leader: PublicKey,
    }
}

record! {
    /// The authenticated state after a block.
    pub struct StateCommitment {
        /// The root from which presence and absence of keys are proved.
        pub root: Digest,
        /// The root over the log of operations, against which a new node fetches state.
        pub operations_root: Digest,
        /// The first operation that the state still needs.
        pub first: u64,
        /// The number of operations.
        pub end: u64,
    }
}

record! {
    /// A header and what makes it final.
    pub struct FinalHeader {
        /// The header.
        pub header: BlockHeader,
        /// If consensus finalized it through a later block: the headers from its child to
        /// the one that was voted final, each the child of the one before.
        pub descendants: Vec<BlockHeader>,
        /// The votes for the last of these headers.
        pub certificate: Certificate,
    }
}

record! {
    /// The proof that an outcome is the one at `index` of a final block. Index 0 is the
    /// outcome of the block's beginning, the first transaction's is 1.
    pub struct OutcomeProof {
        /// The block.
        pub block: FinalHeader,
        /// The outcome's place in the block.
        pub index: u64,
        /// The hashes beside the way from the outcome to `outcomes_root`, lowest first.
        pub path: Vec<Digest>,
        /// How committees gave way to one another from an earlier epoch to the block's.
        pub handovers: Vec<Handover>,
    }
}

/// Why a block or an outcome is not shown to be final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
    /// A vote is not its validator's over this block.
    #[error("a vote for the block is not its validator's")]
    Signature,
    /// Too few validators voted, or their seats do not ascend.
    #[error("{votes} distinct votes are shown; {needed} are needed")]
    Quorum {
        /// The votes shown.
        votes: usize,
        /// The votes needed.
        needed: usize,
    },
    /// The votes are another epoch's than that of the known committee.
    #[error("the block is of epoch {voted}; the committee of epoch {known} is known")]
    Epoch {
        /// The epoch of the votes.
        voted: u64,
        /// The epoch of the committee.
        known: u64,
    },
    /// A committee has no seat, too many, one twice or one of an unsound key.
    #[error("the committee is not sound")]
    Committee,
    /// The block is another network's.
    #[error("the block is another network's")]
    Network,
    /// A header is not the child of the one before.
    #[error("the headers do not follow one another")]
    Chain,
    /// More descendants than any proof needs.
    #[error("the block is followed by {0} headers; at most {DESCENDANTS_MAX} are accepted")]
    DescendantsTooMany(usize),
    /// The end of an epoch does not name the committee that is shown.
    #[error("the end of epoch {epoch} does not name the next committee that is shown")]
    Handover {
        /// The epoch that ends.
        epoch: u64,
    },
    /// More handovers than any proof may have.
    #[error("the proof leads through {0} epochs; at most {HANDOVERS_MAX} are accepted")]
    HandoversTooMany(usize),
    /// The path is longer than any tree's.
    #[error("the path has {0} hashes; at most {PATH_HASHES_MAX} are accepted")]
    PathTooLong(usize),
    /// The path does not lead from the outcome to the header's root.
    #[error("the path does not lead from the outcome to the block's root")]
    Path,
}

impl From<BadSignature> for FinalityError {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

impl BlockHeader {
    /// The header's digest, by which its child and its votes name it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Block.digest(&self.to_bytes())
    }

    /// Whether `child` directly follows this header.
    fn precedes(&self, child: &Self) -> bool {
        child.parent == self.digest()
            && child.network == self.network
            && self.height.0.checked_add(1) == Some(child.height.0)
    }
}

impl FinalHeader {
    /// The header, if the checkpoint's committee made it final.
    pub fn verify(&self, trusted: &Checkpoint) -> Result<&BlockHeader, FinalityError> {
        let mut votes = Vec::new();
        let header = self.gather(trusted, &mut votes)?;
        verify_batch(&votes)?;
        Ok(header)
    }

    /// The header, if the votes that are added to `votes` are good.
    fn gather(
        &self,
        trusted: &Checkpoint,
        votes: &mut Vec<Signed>,
    ) -> Result<&BlockHeader, FinalityError> {
        if self.header.network != trusted.network {
            return Err(FinalityError::Network);
        }
        if self.descendants.len() > DESCENDANTS_MAX {
            return Err(FinalityError::DescendantsTooMany(self.descendants.len()));
        }
        let mut last = &self.header;
        for child in &self.descendants {
            if !last.precedes(child) {
                return Err(FinalityError::Chain);
            }
            last = child;
        }
        trusted.committee.gather(trusted.network, &last.digest(), &self.certificate, votes)?;
        Ok(&self.header)
    }
}

impl OutcomeProof {
    /// The header of the block in which `outcome` is final at this proof's index.
    pub fn verify(
        &self,
        trusted: &Checkpoint,
        outcome: &[u8],
    ) -> Result<&BlockHeader, FinalityError> {
        if self.path.len() > PATH_HASHES_MAX {
            return Err(FinalityError::PathTooLong(self.path.len()));
        }
        let epoch = self.block.certificate.epoch;
        // All votes on the way are checked at once: nothing is believed before that.
        let mut votes = Vec::new();
        let reached = trusted.clone().follow(epoch, &self.handovers, &mut votes)?;
        let header = self.block.gather(&reached, &mut votes)?;
        verify_batch(&votes)?;
        let (leaf, size) = (tree::leaf_hash(outcome), u64::from(header.outcomes));
        let leads = tree::includes(&header.outcomes_root, &leaf, self.index, size, &self.path);
        if leads { Ok(header) } else { Err(FinalityError::Path) }
    }
}

/// The root over items in order, as the header commits to transactions and outcomes.
pub fn root_over<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    tree::root_of(items.into_iter().map(tree::leaf_hash).collect())
}

#[cfg(test)]
mod tests;
