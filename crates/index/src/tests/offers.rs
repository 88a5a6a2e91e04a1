//! Offers of terms: listed at their line and their account until they are gone.

use super::{START, World, index, take, terms, world};
use crate::Index;
use ambar_base::{AccountId, Cid, Moment};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{Accept, OfferTerms};

fn offer(version: Cid, to: Option<AccountId>, limit: Option<u64>) -> Operation {
    let expires = START.after(Moment::DAY_MS);
    let (terms, document, once) = (terms().id(), None, false);
    Operation::OfferTerms(OfferTerms { version, terms, document, to, expires, limit, once })
}

fn accept(version: Cid, offer: u64) -> Operation {
    let (terms, territory) = (terms().id(), None);
    Operation::Accept(Accept { version, terms, territory, offer: Some(offer) })
}

/// Offers 0 to anybody, 1 to bob, 2 to bob once; 2 is used up, 3 comes and goes in one block, and
/// 0 is withdrawn.
fn offers() -> World {
    let (mut world, version) = world();
    let bob = world.id("bob");
    let made = vec![offer(version, None, Some(2)), offer(version, Some(bob), None)];
    world.block(vec![("alice", made)]);
    world.block(vec![("alice", vec![offer(version, Some(bob), Some(1))])]);
    world.block(vec![("bob", vec![accept(version, 0), accept(version, 2)])]);
    let brief = vec![offer(version, Some(bob), None), Operation::WithdrawTerms(3)];
    world.block(vec![("alice", brief)]);
    world.block(vec![("alice", vec![Operation::WithdrawTerms(0)])]);
    world
}

fn listed(world: &World, index: &Index) -> (Vec<u64>, Vec<u64>) {
    (index.offers_of(0).unwrap(), index.offers_to(&world.id("bob")).unwrap())
}

#[test]
fn offers_are_listed_until_they_are_gone() {
    let world = offers();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    let mut seen = Vec::new();
    for made in &world.blocks {
        take(&index, made, &made.after).unwrap();
        seen.push(listed(&world, &index));
    }
    seen.dedup();
    let row = |line: &[u64], to: &[u64]| (line.to_vec(), to.to_vec());
    let expect = [
        row(&[], &[]),
        row(&[1, 0], &[1]),
        row(&[2, 1, 0], &[2, 1]),
        row(&[1, 0], &[1]),
        row(&[1], &[1]),
    ];
    assert_eq!(seen, expect);
}

#[test]
fn an_index_that_begins_later_lists_the_same() {
    let world = offers();
    for (at, made) in world.blocks.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let begun = Index::begin(directory.path(), &world.genesis, &made.after, 1 << 20).unwrap();
        for next in &world.blocks[at + 1..] {
            take(&begun, next, &next.after).unwrap();
        }
        assert_eq!(listed(&world, &begun), (vec![1], vec![1]), "{at}");
    }
}
