//! Evidence against validators, as anybody may send it.
//!
//! What decodes is a pair of votes that contradict one another: cast anew by a key, it is
//! evidence against that key, in that round and on that network only.

use crate::sample::ledger::{recast, stage};
use crate::{Reach, Target, promise};
use ambar_base::finality::{Ballot, Evidence, Proposal, Statement};
use ambar_base::{Digest, Encode, NetworkId, SecretKey};

pub(super) const TARGET: Target = Target { name: "conflict", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let key = SecretKey::from_seed(&[1; 32]);
    let proposal = |block: &[u8]| Proposal { parent_view: 8, block: Digest::of(block) };
    let (one, other) = (proposal(b"one"), proposal(b"other"));
    let pairs = [
        (Statement::Notarize(one), Statement::Notarize(other)),
        (Statement::Finalize(one), Statement::Finalize(other)),
        (Statement::Nullify, Statement::Finalize(one)),
    ];
    let evidence = pairs.map(|(one, other)| {
        let cast = |statement| Ballot::cast(&key, stage().network, (3, 9), statement);
        Evidence::new(key.public(), (3, 9), cast(one), cast(other)).expect("they conflict")
    });
    evidence.iter().map(Encode::to_bytes).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(evidence) = promise::compact::<Evidence>(input) else { return Reach::Refused };
    let network = stage().network;
    let singly = evidence.signed(network).iter().all(|one| one.verify().is_ok());
    let meant = evidence.verify(network).is_ok();
    assert_eq!(meant, singly && evidence.key().is_sound(), "together as singly");
    let [first, second] = evidence.votes();
    assert!(first.statement < second.statement, "votes stand in order");
    let cast = recast(network, &evidence);
    assert!(cast.verify(network).is_ok(), "a conflict that is signed is evidence");
    assert!(cast.verify(NetworkId(Digest::ZERO)).is_err(), "on its network only");
    if meant { Reach::Used } else { Reach::Decoded }
}
