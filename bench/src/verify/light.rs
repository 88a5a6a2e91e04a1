//! What a light client does: it knows the committee of an old epoch and checks an outcome of
//! today. The chain is made here, as four validators would certify it: every block by three
//! votes, every epoch by another committee.

use crate::plan::Plan;
use crate::table::{Table, Target};
use ambar_base::codec::{self, Encode as _};
use ambar_base::finality::root_over;
use ambar_base::tree::{Tree, leaf_hash};
use ambar_base::{
    BlockHeader, Checkpoint, Committee, Digest, FinalHeader, FinalityError, Handover, Height,
    Moment, NetworkId, OutcomeProof, Round, SecretKey, StateCommitment,
};
use anyhow::Result;
use std::hint::black_box;
use std::time::Instant;

const NETWORK: NetworkId = NetworkId(Digest([7; 32]));
/// Validators of a committee.
const SEATS: u64 = 4;
/// How many of them vote.
const VOTES: usize = 3;
/// How much older the checkpoint is, epochs.
const AGES: [u64; 3] = [0, 10, 100];
/// The most that the design allows from the oldest of these, ms.
const MILLISECONDS_MAX: f64 = 10.0;
/// Outcomes of the block, a common number.
const OUTCOMES: usize = 256;

/// Measures and adds a row for each age.
pub(super) fn add(table: &mut Table, plan: &Plan) -> Result<()> {
    let outcomes: Vec<Vec<u8>> = (0..OUTCOMES).map(|n| vec![n as u8; 120]).collect();
    for age in AGES {
        let trusted = Checkpoint { network: NETWORK, committee: committee(0)? };
        let bytes = proof(age, &outcomes)?.to_bytes();
        let verify = || -> Result<f64> {
            let started = Instant::now();
            let proof: OutcomeProof = codec::decode(black_box(&bytes))?;
            black_box(proof.verify(&trusted, &outcomes[OUTCOMES / 2])?);
            Ok(started.elapsed().as_secs_f64() * 1e3)
        };
        let times = (0..plan.pick(200, 20)).map(|_| verify()).collect::<Result<Vec<f64>>>()?;
        let kilobytes = bytes.len() / 1_000;
        let what = format!("light verify, {age} epochs later, {kilobytes} kB");
        if age == AGES[AGES.len() - 1] {
            table.aimed(what, "ms", times, Target::AtMost(MILLISECONDS_MAX));
        } else {
            table.row(what, "ms", times);
        }
    }
    table.note(format!("light verify: decoded and checked, {VOTES} votes of {SEATS} per epoch"));
    Ok(())
}

fn keys(epoch: u64) -> Vec<SecretKey> {
    let seed = |seat: u64| Digest::of(&(epoch * SEATS + seat).to_be_bytes()).0;
    (0..SEATS).map(|seat| SecretKey::from_seed(&seed(seat))).collect()
}

fn committee(epoch: u64) -> Result<Committee, FinalityError> {
    Committee::new(epoch, keys(epoch).iter().map(SecretKey::public).collect())
}

fn header(epoch: u64, outcomes: &[Vec<u8>], next_committee: Option<Digest>) -> BlockHeader {
    let digest = Digest::of(b"something");
    BlockHeader {
        network: NETWORK,
        protocol: 1,
        height: Height(1 + epoch),
        time: Moment(1_800_000_000_000),
        parent: digest,
        round: Round { epoch, view: 90_000, parent_view: 89_999, leader: keys(epoch)[0].public() },
        outcomes: outcomes.len() as u32,
        transactions_root: digest,
        outcomes_root: root_over(outcomes.iter().map(Vec::as_slice)),
        writes_digest: digest,
        state: StateCommitment {
            root: digest,
            operations_root: digest,
            first: 1 << 20,
            end: 1 << 30,
        },
        next_committee,
    }
}

fn certified(header: BlockHeader) -> Result<FinalHeader, FinalityError> {
    let (epoch, digest) = (header.round.epoch, header.digest());
    let rounds = (header.round.view, header.round.parent_view);
    let voters = &keys(epoch)[..VOTES];
    let certificate = committee(epoch)?.certify(NETWORK, &digest, rounds, voters);
    Ok(FinalHeader { header, descendants: Vec::new(), certificate })
}

fn handover(epoch: u64) -> Result<Handover, FinalityError> {
    let next = committee(epoch + 1)?;
    let last = certified(header(epoch, &[], Some(next.digest())))?;
    Ok(Handover { last, next })
}

/// The proof of one outcome in a block of `epoch`, for whoever knows the first committee.
fn proof(epoch: u64, outcomes: &[Vec<u8>]) -> Result<OutcomeProof, FinalityError> {
    let tree = Tree::new(outcomes.iter().map(|outcome| leaf_hash(outcome)).collect());
    Ok(OutcomeProof {
        block: certified(header(epoch, outcomes, None))?,
        index: (OUTCOMES / 2) as u64,
        path: tree.path(OUTCOMES / 2),
        handovers: (0..epoch).map(handover).collect::<Result<_, _>>()?,
    })
}
