//! Block headers and the proofs of outcomes, as clients read them.
//!
//! Headers are signed anew, so that changed ones come further than their signature.

use crate::{Reach, Target, promise};
use ambar_base::finality::root_over;
use ambar_base::tree::{self, PATH_HASHES_MAX, Tree};
use ambar_base::{BlockHeader, Digest, Encode, Height, Moment, NetworkId, OutcomeProof, SecretKey};

pub(super) const TARGET: Target = Target { name: "block", seeds, attempt };

const OUTCOMES: [&[u8]; 5] = [b"", b"first", b"second", b"third", b"last"];

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn seeds() -> Vec<Vec<u8>> {
    let header = BlockHeader {
        network: NetworkId(Digest::of(b"network")),
        height: Height(912),
        time: Moment(1_800_000_001_000),
        parent: Digest::of(b"parent"),
        outcomes: OUTCOMES.len() as u32,
        transactions_root: Digest::of(b"transactions"),
        outcomes_root: root_over(OUTCOMES),
        writes_digest: Digest::of(b"writes"),
    };
    let tree = Tree::new(OUTCOMES.iter().map(|outcome| tree::leaf_hash(outcome)).collect());
    let block = header.sign(&key());
    let proof = |index: usize| OutcomeProof {
        block: block.clone(),
        index: index as u64,
        path: tree.path(index),
    };
    (0..OUTCOMES.len()).map(|index| proof(index).to_bytes()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(mut proof) = promise::compact::<OutcomeProof>(input) else { return Reach::Refused };
    let public = key().public();
    proof.block = proof.block.header.sign(&key());
    let mut reach = Reach::Decoded;
    for (index, outcome) in OUTCOMES.iter().enumerate() {
        if let Ok(header) = proof.verify(&public, outcome) {
            assert!(proof.index < u64::from(header.outcomes), "the outcome is beyond the block");
            assert!(proof.path.len() <= PATH_HASHES_MAX, "the path is too long");
            let same = header.outcomes_root == root_over(OUTCOMES)
                && header.outcomes == OUTCOMES.len() as u32;
            assert!(!same || proof.index == index as u64, "an outcome stands in two places");
            reach = Reach::Used;
        }
    }
    reach
}
