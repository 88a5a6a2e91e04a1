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
use crate::keys::{BadSignature, PublicKey, SecretKey, Signature};
use crate::moment::{Height, Moment};
use crate::record;
use crate::tree::{self, PATH_HASHES_MAX};

record! {
    /// What the signature over a block covers.
    pub struct BlockHeader {
        /// The ledger this block belongs to.
        pub network: NetworkId,
        /// Its place in the chain; genesis has height 0.
        pub height: Height,
        /// Consensus time; strictly later than the parent's. Genesis has time 0.
        pub time: Moment,
        /// The digest of the parent's header; [`Digest::ZERO`] for genesis.
        pub parent: Digest,
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
    }
}

record! {
    /// A header and the signature that makes it final.
    pub struct SignedHeader {
        /// The header.
        pub header: BlockHeader,
        /// The signature over the header's encoding in [`Domain::Block`].
        pub signature: Signature,
    }
}

record! {
    /// The proof that an outcome is the one at `index` of a final block. Index 0 is the
    /// outcome of the block's beginning, the first transaction's is 1.
    pub struct OutcomeProof {
        /// The block.
        pub block: SignedHeader,
        /// The outcome's place in the block.
        pub index: u64,
        /// The hashes beside the way from the outcome to `outcomes_root`, lowest first.
        pub path: Vec<Digest>,
    }
}

/// Why a block or an outcome is not shown to be final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalityError {
    /// The signature is not the network key's over this header.
    #[error("the block's signature is not the network key's")]
    Signature,
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
    /// The header's digest, by which its child names it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Domain::Block.digest(&self.to_bytes())
    }

    /// Signs the header for its own network.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> SignedHeader {
        let signature = key.sign(Domain::Block, self.network, &self.to_bytes());
        SignedHeader { header: self, signature }
    }
}

impl SignedHeader {
    /// The header, if `network_key` signed it. The network it names is the one the key
    /// signed for; compare it with the one that was meant.
    pub fn verify(&self, network_key: &PublicKey) -> Result<&BlockHeader, FinalityError> {
        let header = &self.header;
        let bytes = header.to_bytes();
        network_key.verify(Domain::Block, header.network, &bytes, &self.signature)?;
        Ok(header)
    }
}

impl OutcomeProof {
    /// The header of the block in which `outcome` is final at this proof's index.
    pub fn verify(
        &self,
        network_key: &PublicKey,
        outcome: &[u8],
    ) -> Result<&BlockHeader, FinalityError> {
        if self.path.len() > PATH_HASHES_MAX {
            return Err(FinalityError::PathTooLong(self.path.len()));
        }
        let header = self.block.verify(network_key)?;
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
mod tests {
    use super::*;
    use crate::codec::decode;
    use crate::tree::Tree;
    use proptest::prelude::*;

    fn key() -> SecretKey {
        SecretKey::from_seed(&[7; 32])
    }

    fn header(outcomes: &[Vec<u8>]) -> BlockHeader {
        BlockHeader {
            network: NetworkId(Digest::of(b"network")),
            height: Height(300),
            time: Moment(1_700_000_000_000),
            parent: Digest::of(b"parent"),
            outcomes: outcomes.len() as u32,
            transactions_root: Digest::of(b"transactions"),
            outcomes_root: root_over(outcomes.iter().map(Vec::as_slice)),
            writes_digest: Digest::of(b"writes"),
        }
    }

    fn outcomes(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|i| format!("outcome {i}").into_bytes()).collect()
    }

    fn proof(outcomes: &[Vec<u8>], index: usize) -> OutcomeProof {
        let tree = Tree::new(outcomes.iter().map(|outcome| tree::leaf_hash(outcome)).collect());
        let block = header(outcomes).sign(&key());
        OutcomeProof { block, index: index as u64, path: tree.path(index) }
    }

    /// Changing these bytes changes what every signature over a block covers.
    #[test]
    fn conformance() {
        let block = header(&outcomes(3)).sign(&key());
        let check = |bytes: &[u8], expect: &str| assert_eq!(Digest::of(bytes).to_string(), expect);
        check(
            &block.header.to_bytes(),
            "88456a56aee80f1f9d477c766702cbc9cc86a82ba9f98f977ab1729427c537bd",
        );
        check(
            &block.to_bytes(),
            "48ab4e91fcc21ae17cae7b05294b38c291e391b537f6d2038e749a01366959a9",
        );
        check(
            &proof(&outcomes(3), 2).to_bytes(),
            "f6ac60bd5ac5194ba6bf0132769e260347ca257a57ac0418aad8817db0d44b78",
        );
        assert_eq!(
            block.header.digest().to_string(),
            "c7da65345f67b6506279a9a86a29c3f9e5ec944130e6cda923f674db2ad50841"
        );
    }

    #[test]
    fn every_outcome_verifies_at_its_own_place_only() {
        for count in 1..12 {
            let outcomes = outcomes(count);
            for (index, outcome) in outcomes.iter().enumerate() {
                let mut proof = proof(&outcomes, index);
                let found = proof.verify(&key().public(), outcome);
                assert_eq!(found, Ok(&header(&outcomes)));
                assert_eq!(proof.verify(&key().public(), b"other"), Err(FinalityError::Path));
                proof.index += 1;
                assert_eq!(proof.verify(&key().public(), outcome), Err(FinalityError::Path));
            }
        }
    }

    #[test]
    fn other_keys_and_long_paths_are_refused() {
        let outcomes = outcomes(2);
        let mut proof = proof(&outcomes, 1);
        let stranger = SecretKey::from_seed(&[8; 32]).public();
        assert_eq!(proof.verify(&stranger, &outcomes[1]), Err(FinalityError::Signature));
        proof.path = vec![Digest::ZERO; PATH_HASHES_MAX + 1];
        let expect = Err(FinalityError::PathTooLong(PATH_HASHES_MAX + 1));
        assert_eq!(proof.verify(&key().public(), &outcomes[1]), expect);
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(count in 1usize..40, pick: usize, at: usize, bit in 0u8..8) {
            let outcomes = outcomes(count);
            let index = pick % count;
            let mut bytes = proof(&outcomes, index).to_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let verified = decode::<OutcomeProof>(&bytes)
                .is_ok_and(|proof| proof.verify(&key().public(), &outcomes[index]).is_ok());
            prop_assert!(!verified);
        }
    }
}
