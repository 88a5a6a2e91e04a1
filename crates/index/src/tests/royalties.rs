//! Royalty lines that change hands: lists of holders, and both sides of the price.

use super::{START, World, assert_sums, index, take, world};
use crate::index::put_number;
use crate::tables::OWN_ROYALTIES;
use crate::{EntryKind, Index};
use ambar_base::{Amount, Cid, Moment, Price};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{BuyRoyalty, OfferRoyalty, TransferRoyalty};

const PRICE: Price = Price(7 * Price::CREDIT.0);
const PEOPLE: [&str; 4] = ["faucet", "alice", "bob", "carol"];

fn offer() -> Operation {
    let expires = START.after(Moment::DAY_MS);
    Operation::OfferRoyalty(OfferRoyalty { royalty: 0, price: PRICE, to: None, expires })
}

fn buy() -> Operation {
    Operation::BuyRoyalty(BuyRoyalty { royalty: 0, price: PRICE })
}

/// Alice sells to bob, who sells to carol in the same block; carol gives the line back.
fn sales() -> (World, Cid) {
    let (mut world, version) = world();
    world.block(vec![("alice", vec![offer()]), ("bob", vec![buy(), offer()])]);
    world.block(vec![("carol", vec![buy()])]);
    let give = TransferRoyalty { royalty: 0, to: world.id("alice") };
    world.block(vec![("carol", vec![Operation::TransferRoyalty(give)])]);
    world.block(vec![]);
    (world, version)
}

/// Who holds the line, as the index says.
fn holders(world: &World, index: &Index) -> Vec<&'static str> {
    let holds = |name: &&str| index.royalties(&world.id(name)).unwrap() == [0];
    PEOPLE.into_iter().filter(holds).collect()
}

#[test]
fn lines_are_listed_at_their_holder() {
    let (world, version) = sales();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    let mut seen = Vec::new();
    for made in &world.blocks {
        take(&index, made, &made.after).unwrap();
        seen.push(holders(&world, &index));
    }
    seen.dedup();
    assert_eq!(seen, [vec![], vec!["alice"], vec!["bob"], vec!["carol"], vec!["alice"]]);
    assert_sums(&world, &index, &PEOPLE);
    let rows = index.statement(&world.id("bob"), None, 100).unwrap().into_iter();
    let sales = rows.map(|row| row.entry).filter(|entry| entry.kind == EntryKind::Sale);
    let sales: Vec<_> = sales
        .map(|entry| (entry.incoming, entry.amount, entry.counterpart, entry.capsule))
        .collect();
    let row = |incoming, name| (incoming, Amount::from(PRICE), Some(world.id(name)), Some(version));
    assert_eq!(sales, [row(false, "alice"), row(true, "carol")]);
}

#[test]
fn an_index_that_begins_later_lists_the_same() {
    let (world, _) = sales();
    for (at, made) in world.blocks.iter().enumerate() {
        let directory = tempfile::tempdir().unwrap();
        let begun = Index::begin(directory.path(), &world.genesis, &made.after, 1 << 20).unwrap();
        for next in &world.blocks[at + 1..] {
            take(&begun, next, &next.after).unwrap();
        }
        assert_eq!(holders(&world, &begun), ["alice"], "{at}");
        assert_sums(&world, &begun, &PEOPLE);
    }
}

/// An index of the format before is filled from the state of the head, which may be later than
/// its last block.
#[test]
fn an_older_index_is_upgraded() {
    let (world, _) = sales();
    for known in 0..world.blocks.len() {
        let directory = tempfile::tempdir().unwrap();
        let older = index(directory.path(), &world);
        for made in &world.blocks[..known] {
            take(&older, made, &made.after).unwrap();
        }
        older
            .tables
            .write(|write| {
                write.delete_table(OWN_ROYALTIES)?;
                put_number(write, "format", 1)
            })
            .unwrap();
        drop(older);
        let upgraded = index(directory.path(), &world);
        upgraded.upgrade(&world.ledger).unwrap();
        for made in &world.blocks[known..] {
            take(&upgraded, made, &made.after).unwrap();
        }
        assert_eq!(holders(&world, &upgraded), ["alice"], "{known}");
        // It is done once.
        upgraded.flush().unwrap();
        upgraded.upgrade(&world.blocks[0].after).unwrap();
        assert_eq!(holders(&world, &upgraded), ["alice"]);
    }
}
