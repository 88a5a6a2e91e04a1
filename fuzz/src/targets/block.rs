//! Block headers and the proofs of outcomes, as clients read them.
//!
//! Headers are voted on anew, so that changed ones come further than their votes.

use crate::{Reach, Target, promise};
use ambar_base::finality::root_over;
use ambar_base::tree::{self, PATH_HASHES_MAX, Tree};
use ambar_base::{
    BlockHeader, Checkpoint, Committee, Digest, Encode, FinalHeader, Height, Moment, NetworkId,
    OutcomeProof, Round, SecretKey, StateCommitment,
};

pub(super) const TARGET: Target = Target { name: "block", seeds, attempt };

const OUTCOMES: [&[u8]; 5] = [b"", b"first", b"second", b"third", b"last"];

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn trusted() -> Checkpoint {
    let committee = Committee::new(0, vec![key().public()]).expect("one sound key is a committee");
    Checkpoint { network: NetworkId(Digest::of(b"network")), committee }
}

/// The header, final by the committee's vote.
fn certified(header: BlockHeader) -> FinalHeader {
    let Checkpoint { network, committee } = trusted();
    let certificate = committee.certify(network, &header.digest(), (9, 8), &[key()]);
    FinalHeader { header, descendants: Vec::new(), certificate }
}

fn seeds() -> Vec<Vec<u8>> {
    let header = BlockHeader {
        network: trusted().network,
        protocol: 1,
        height: Height(912),
        time: Moment(1_800_000_001_000),
        parent: Digest::of(b"parent"),
        round: Round { epoch: 0, view: 9, parent_view: 8, leader: key().public() },
        outcomes: OUTCOMES.len() as u32,
        transactions_root: Digest::of(b"transactions"),
        outcomes_root: root_over(OUTCOMES),
        writes_digest: Digest::of(b"writes"),
        state: StateCommitment {
            root: Digest::of(b"state"),
            operations_root: Digest::of(b"operations"),
            first: 3,
            end: 70_000,
        },
        next_committee: None,
    };
    let tree = Tree::new(OUTCOMES.iter().map(|outcome| tree::leaf_hash(outcome)).collect());
    let block = certified(header);
    let proof = |index: usize| OutcomeProof {
        block: block.clone(),
        index: index as u64,
        path: tree.path(index),
        handovers: Vec::new(),
    };
    (0..OUTCOMES.len()).map(|index| proof(index).to_bytes()).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(mut proof) = promise::compact::<OutcomeProof>(input) else { return Reach::Refused };
    proof.block = certified(proof.block.header);
    let mut reach = Reach::Decoded;
    for (index, outcome) in OUTCOMES.iter().enumerate() {
        if let Ok(header) = proof.verify(&trusted(), outcome) {
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
