//! A ledger at rest: what a chain made is read, and made again in another place.

use super::toy::{Toy, account, genesis, origin, settings, transfer};
use ambar_base::{Encode, Height};
use ambar_chain::Chain;
use ambar_consensus::block::Block;
use ambar_consensus::database::VIEW;
use ambar_consensus::engine::Consensus;
use ambar_consensus::error::OpenError;
use ambar_consensus::replay::{Difference, ReplayError, audit};
use ambar_consensus::rest::AtRest;
use ambar_consensus::settings::system_clock;
use futures::executor::block_on;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A ledger that was closed: all its blocks, and the value of an account in the end.
fn closed(directory: &Path) -> (Vec<Block>, bytes::Bytes) {
    let machine = Arc::new(Toy::default());
    let chain = Chain::open(directory, settings(), machine, genesis(), system_clock()).unwrap();
    for nonce in 0..6 {
        block_on(chain.submit(transfer(nonce, 0, 1, 5).to_bytes())).unwrap();
    }
    let head = chain.head().height.0;
    let blocks = (0..=head).map(|height| chain.block(Height(height)).unwrap().unwrap());
    let blocks = blocks.collect();
    let value = chain.read().unwrap().get(&account(1)).unwrap().unwrap();
    block_on(chain.shutdown());
    (blocks, value)
}

fn at_rest(directory: &Path) -> AtRest {
    AtRest::open(directory, &settings().rules, genesis(), 1 << 20).unwrap()
}

#[test]
fn blocks_are_read_and_make_the_same_ledger_elsewhere() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (blocks, value) = closed(one.path());
    let read = at_rest(one.path());
    let last = blocks.last().unwrap().finality.header.height;
    assert_eq!((read.stored(), read.height().unwrap()), (last, last));
    for block in &blocks {
        let height = block.finality.header.height;
        assert_eq!(read.block(height).unwrap().as_ref(), Some(block));
    }
    let machine = Toy::default();
    let mut made = at_rest(two.path());
    let (half, rest) = blocks[1..].split_at(blocks.len() / 2);
    half.iter().for_each(|block| made.append(&origin(&machine), block).unwrap());
    made.flush().unwrap();
    drop(made);
    let mut made = at_rest(two.path());
    assert_eq!(made.stored().0, half.len() as u64, "what was flushed stays");
    rest.iter().for_each(|block| made.append(&origin(&machine), block).unwrap());
    assert_eq!(made.block(last).unwrap().as_ref(), blocks.last());
    assert_eq!(made.value(&account(1)).unwrap(), Some(value));
}

/// An engine that has nothing executes the blocks that the view has, and goes on after them.
#[test]
fn an_engine_follows_what_was_put_there() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (blocks, _) = closed(one.path());
    let machine = Arc::new(Toy::default());
    let mut made = at_rest(two.path());
    blocks[1..].iter().for_each(|block| made.append(&origin(&machine), block).unwrap());
    made.flush().unwrap();
    drop(made);
    let head = Height(blocks.len() as u64 - 1);
    for nonce in 10..13 {
        let clock = system_clock();
        let chain = Chain::open(two.path(), settings(), machine.clone(), genesis(), clock).unwrap();
        assert!(chain.head().height >= head);
        assert_eq!(chain.block(head).unwrap().as_ref(), blocks.last());
        let committed = block_on(chain.submit(transfer(nonce, 0, 1, 5).to_bytes())).unwrap();
        assert!(committed.height > head);
        assert!(audit(&origin(&machine), &chain).is_ok());
        block_on(chain.shutdown());
    }
}

#[test]
fn what_is_not_the_next_block_is_not_stored() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (blocks, _) = closed(one.path());
    let machine = Toy::default();
    let mut made = at_rest(two.path());
    made.append(&origin(&machine), &blocks[1]).unwrap();
    let mut refused = |block: &Block| match made.append(&origin(&machine), block).unwrap_err() {
        ReplayError::Differs { difference, .. } => difference,
        other => panic!("{other}"),
    };
    assert_eq!(refused(&blocks[1]), Difference::Time);
    assert!(matches!(refused(&blocks[3]), Difference::Chain | Difference::Outcome(_)));
    let mut changed = blocks[2].clone();
    changed.outcomes[1][0] ^= 1;
    assert_eq!(refused(&changed), Difference::Outcome(1));
    let mut unvoted = blocks[2].clone();
    unvoted.finality.certificate.votes.clear();
    assert_eq!(refused(&unvoted), Difference::Votes);
    let mut repeated = blocks[2].clone();
    repeated.transactions = blocks[1].transactions.clone();
    assert_eq!(refused(&repeated), Difference::Stale(0));
    made.append(&origin(&machine), &blocks[2]).unwrap();
    assert_eq!(made.stored(), Height(2));
}

#[test]
fn another_or_a_damaged_ledger_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let (_, _) = closed(directory.path());
    let open =
        |genesis| AtRest::open(directory.path(), &settings().rules, genesis, 1 << 20).map(drop);
    assert!(matches!(open(Vec::new()), Err(OpenError::HomeMismatch(_))));
    let one = at_rest(directory.path());
    assert_eq!(open(genesis()), Err(OpenError::HomeInUse));
    drop(one);
    fs::write(directory.path().join(VIEW), [7; 9000]).unwrap();
    assert!(matches!(open(genesis()), Err(OpenError::Store(_))));
}
