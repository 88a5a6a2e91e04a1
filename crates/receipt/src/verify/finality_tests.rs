//! Proofs of finality that do not hold, each with the reason that the report gives.

use super::fixture::World;
use super::tests::failed;
use super::verify;
use ambar_base::{Digest, Encode, Height, OutcomeProof, codec};

/// What the report says of finality after a change that the gateway sealed, to somebody who
/// knows the committee of `epoch`.
fn said(epoch: u64, change: fn(&mut OutcomeProof)) -> String {
    let world = World::new();
    let mut document = world.document();
    let settlement = document.settlement.as_mut().unwrap();
    let mut proof: OutcomeProof = codec::decode(&settlement.proof).unwrap();
    change(&mut proof);
    settlement.proof = proof.to_bytes();
    let report = verify(&document.seal(world.gateway_key()), Some(&world.checkpoint(epoch)));
    let finality = report.checks.iter().find(|check| check.name == "finality").unwrap();
    let failed = failed(&report);
    assert!(finality.ok || failed.contains(&"finality") && !report.ok, "{report:#?}");
    finality.detail.clone()
}

#[test]
fn the_reason_is_named() {
    let check = |epoch, change: fn(&mut OutcomeProof), expect: &str| {
        let detail = said(epoch, change);
        assert!(detail.contains(expect), "{detail}");
    };
    check(0, |_| {}, "block 912, final by 3 votes in epoch 2");
    check(2, |proof| proof.handovers.clear(), "final by 3 votes in epoch 2");
    check(1, |proof| drop(proof.handovers.remove(0)), "final by 3 votes in epoch 2");
    check(
        0,
        |proof| proof.block.certificate.votes.truncate(2),
        "2 distinct votes are shown; 3 are needed",
    );
    check(
        0,
        |proof| proof.block.certificate.votes[2].signature.0[9] ^= 1,
        "vote for the block is not its validator's",
    );
    check(0, |proof| proof.block.certificate.view += 1, "is not its validator's");
    check(
        0,
        |proof| proof.block.descendants[0].height = Height(914),
        "headers do not follow one another",
    );
    check(0, |proof| proof.block.descendants.clear(), "is not its validator's");
    check(
        0,
        |proof| proof.handovers.truncate(1),
        "block is of epoch 2; the committee of epoch 1 is known",
    );
    check(3, |_| {}, "block is of epoch 2; the committee of epoch 3 is known");
    check(
        0,
        |proof| proof.handovers[1].next = super::chain_fixture::committee(3),
        "end of epoch 1 does not name the next committee",
    );
    check(0, |proof| proof.path[0] = Digest::ZERO, "path does not lead from the outcome");
}
