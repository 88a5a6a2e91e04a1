//! What validators say and sign: the three votes of simplex consensus.
//!
//! It knows the bytes that the engine signs, and no engine. It does not know who may vote,
//! nor which votes go together.
//!
//! **Invariant**: two different statements, rounds or networks have different messages.

use crate::codec::{Encode, Writer};
use crate::digest::Digest;
use crate::domain::{Domain, NetworkId};
use crate::finality::Certificate;
use crate::{choice, record};

/// What the engine appends to the namespace of a vote that a block may be built on.
const NOTARIZE: &[u8] = b"_NOTARIZE";
/// What the engine appends to the namespace of a vote that nothing came of a view.
const NULLIFY: &[u8] = b"_NULLIFY";
/// What the engine appends to the namespace of a vote that finalizes.
const FINALIZE: &[u8] = b"_FINALIZE";

record! {
    /// A block on a parent, proposed in one view.
    #[derive(Copy, PartialOrd, Ord)]
    pub struct Proposal {
        /// The view of the parent.
        pub parent_view: u64,
        /// The digest of the block's header.
        pub block: Digest,
    }
}

choice! {
    /// What one vote says of its view.
    #[derive(Copy, PartialOrd, Ord)]
    pub enum Statement {
        /// The proposal is good.
        Notarize(Proposal) = 1,
        /// Nothing came of the view.
        Nullify = 2,
        /// The proposal is final.
        Finalize(Proposal) = 3,
    }
}

/// The namespace in which validators of a network vote, before the engine's own suffix.
#[must_use]
pub fn vote_namespace(network: NetworkId) -> Vec<u8> {
    Domain::Vote.message(network, b"")
}

/// What a finalizing vote of a certificate signs.
#[must_use]
pub fn vote_message(network: NetworkId, certificate: &Certificate, block: &Digest) -> Vec<u8> {
    let Certificate { epoch, view, parent_view, .. } = *certificate;
    let proposal = Proposal { parent_view, block: *block };
    Statement::Finalize(proposal).message(network, (epoch, view))
}

impl Statement {
    /// What a vote for it signs in a round, which is epoch and view: `length ‖ namespace ‖
    /// epoch ‖ view`, and of a proposal `parent view ‖ block` after that, with integers as
    /// LEB128.
    #[must_use]
    pub fn message(&self, network: NetworkId, (epoch, view): (u64, u64)) -> Vec<u8> {
        let (suffix, proposal) = match self {
            Self::Notarize(proposal) => (NOTARIZE, Some(proposal)),
            Self::Nullify => (NULLIFY, None),
            Self::Finalize(proposal) => (FINALIZE, Some(proposal)),
        };
        let mut writer = Writer::new();
        [&vote_namespace(network), suffix].concat().encode(&mut writer);
        (epoch, view).encode(&mut writer);
        if let Some(proposal) = proposal {
            proposal.encode(&mut writer);
        }
        writer.into_bytes()
    }
}
