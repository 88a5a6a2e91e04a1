//! The fixture's chain: three epochs with four other validators each. The block that
//! settles is final through its child, by three votes of the third committee.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a test that fails")]

use ambar_base::finality::root_over;
use ambar_base::tree::{Tree, leaf_hash};
use ambar_base::{
    BlockHeader, Committee, Digest, FinalHeader, Handover, Height, Moment, NetworkId, OutcomeProof,
    Round, SecretKey, StateCommitment,
};

/// The epoch of the block that settles.
pub const EPOCH: u64 = 2;
/// How many of the four vote.
pub const VOTES: usize = 3;

pub fn keys(epoch: u64) -> Vec<SecretKey> {
    let seed = |seat: u8| [100 + seat + 4 * epoch as u8; 32];
    (0..4u8).map(|seat| SecretKey::from_seed(&seed(seat))).collect()
}

pub fn committee(epoch: u64) -> Committee {
    Committee::new(epoch, keys(epoch).iter().map(SecretKey::public).collect()).unwrap()
}

fn header(network: NetworkId, epoch: u64, outcomes: &[Vec<u8>]) -> BlockHeader {
    BlockHeader {
        network,
        protocol: 1,
        height: Height(312 + 300 * epoch),
        time: Moment(1_800_000_001_000),
        parent: Digest::of(b"parent"),
        round: Round { epoch, view: 15, parent_view: 13, leader: keys(epoch)[1].public() },
        outcomes: outcomes.len() as u32,
        transactions_root: Digest::of(b"transactions"),
        outcomes_root: root_over(outcomes.iter().map(Vec::as_slice)),
        writes_digest: Digest::of(b"writes"),
        state: StateCommitment {
            root: Digest::of(b"state"),
            operations_root: Digest::of(b"operations"),
            first: 3,
            end: 70_000,
        },
        next_committee: None,
    }
}

fn certified(header: BlockHeader, descendants: Vec<BlockHeader>) -> FinalHeader {
    let last = descendants.last().unwrap_or(&header);
    let (network, digest, epoch) = (last.network, last.digest(), last.round.epoch);
    let voters = &keys(epoch)[..VOTES];
    let certificate = committee(epoch).certify(network, &digest, (16, 15), voters);
    FinalHeader { header, descendants, certificate }
}

fn handover(network: NetworkId, epoch: u64) -> Handover {
    let next = committee(epoch + 1);
    let last = header(network, epoch, &[]);
    let last = BlockHeader { next_committee: Some(next.digest()), ..last };
    Handover { last: certified(last, Vec::new()), next }
}

/// The proof of the outcome at `index`, for whoever knows one of the three committees.
pub fn proof(network: NetworkId, outcomes: &[Vec<u8>], index: usize) -> OutcomeProof {
    let parent = header(network, EPOCH, outcomes);
    let child = header(network, EPOCH, &[]);
    let (digest, height) = (parent.digest(), parent.height.after(1));
    let child = BlockHeader { parent: digest, height, ..child };
    let tree = Tree::new(outcomes.iter().map(|outcome| leaf_hash(outcome)).collect());
    OutcomeProof {
        block: certified(parent, vec![child]),
        index: index as u64,
        path: tree.path(index),
        handovers: (0..EPOCH).map(|epoch| handover(network, epoch)).collect(),
    }
}
