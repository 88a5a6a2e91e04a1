//! Disputes are listed by what they are about, and both sides of their money are told.

use super::{World, assert_sums, index, settle, take};
use crate::{EntryKind, Index, Subject};
use ambar_base::{Amount, Digest, Price};
use ambar_ledger::Operation;
use ambar_ledger::object::Claim;
use ambar_ledger::transaction::{OpenDispute, ResolveDispute, Ruling};
use ambar_receipt::Leaf;

const PEOPLE: [&str; 4] = ["faucet", "alice", "bob", "carol"];

fn open(leaf: &Leaf, header: &ambar_receipt::BatchHeader, claim: Claim) -> Operation {
    Operation::OpenDispute(OpenDispute {
        header: header.clone(),
        leaf: leaf.clone(),
        index: 0,
        path: Vec::new(),
        claim,
        evidence: Digest::of(b"evidence"),
        statement: "statement".into(),
    })
}

fn rule(dispute: u64, ruling: Ruling) -> Operation {
    Operation::ResolveDispute(ResolveDispute { dispute, ruling, reason: "reason".into() })
}

/// Alice claims a breach and loses, bob claims what was counted and is paid back.
fn disputes() -> World {
    let mut world = super::market().0;
    let Operation::Settle(settled) = settle(&world) else { panic!("not a settlement") };
    world.block(vec![("carol", vec![Operation::Settle(settled.clone())])]);
    let (leaf, header) = (&settled.leaves[0], &settled.batch.header);
    let breach = open(leaf, header, Claim::Breach(0));
    let overstated = open(leaf, header, Claim::Overstated(0));
    world.block(vec![("alice", vec![breach]), ("bob", vec![overstated])]);
    world.block(vec![(
        "faucet",
        vec![rule(0, Ruling::Dismissed), rule(1, Ruling::Upheld(Price(5)))],
    )]);
    world
}

fn lists(index: &Index) -> [Vec<u64>; 4] {
    let subjects =
        [Subject::Receipt(0, 0), Subject::Grant(0), Subject::Node(0), Subject::Receipt(0, 1)];
    subjects.map(|subject| index.disputes(subject, 10).unwrap())
}

#[test]
fn disputes_are_listed_and_their_money_is_told() {
    let world = disputes();
    let directory = tempfile::tempdir().unwrap();
    let whole = index(directory.path(), &world);
    world.take_all(&whole);
    assert_eq!(lists(&whole), [vec![1, 0], vec![0], vec![1], vec![]]);
    assert_eq!(whole.disputes(Subject::Receipt(0, 0), 1).unwrap(), [1]);
    assert_sums(&world, &whole, &PEOPLE);
    let rows = whole.statement(&world.id("bob"), None, 100).unwrap().into_iter();
    let rows = rows.map(|row| row.entry).filter(|entry| entry.receipt.is_some());
    let rows: Vec<_> = rows.map(|entry| (entry.kind, entry.incoming, entry.amount)).collect();
    let deposit = Amount::from(Price::CREDIT);
    let kind = EntryKind::Deposit;
    let refund = (EntryKind::Refund, true, Amount::from(Price(5)));
    // Alice's deposit is his, and his own comes back.
    let expect = [(kind, false, deposit), (kind, true, deposit), (kind, true, deposit), refund];
    assert_eq!(rows, expect);
}

#[test]
fn an_index_that_begins_later_lists_the_same_disputes() {
    let world = disputes();
    for (at, made) in world.blocks.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let begun = Index::begin(directory.path(), &world.genesis, &made.after, 1 << 20).unwrap();
        for next in &world.blocks[at + 1..] {
            take(&begun, next, &next.after).unwrap();
        }
        assert_eq!(lists(&begun), [vec![1, 0], vec![0], vec![1], vec![]], "{at}");
        assert_sums(&world, &begun, &PEOPLE);
    }
}
