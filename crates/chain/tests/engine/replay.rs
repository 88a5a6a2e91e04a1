//! Replays agree with the chain, whatever the batching, and see every change.

use super::toy::{
    Act, Toy, Transaction, account, checkpoint, fill, genesis, key, origin, passing, settings,
    transfer,
};
use ambar_base::finality::{BlockHeader, Certificate, FinalHeader, Round};
use ambar_base::{Digest, Encode, Height, Moment, SecretKey};
use ambar_consensus::block::genesis_writes;
use ambar_consensus::block::{Block, Writes};
use ambar_consensus::draft::{self, Draft, Placing, at_once};
use ambar_consensus::engine::Consensus;
use ambar_consensus::execute::Local;
use ambar_consensus::listing::Listing;
use ambar_consensus::machine::StateMachine as _;
use ambar_consensus::replay::{Difference, ReplayError, compare, replay};
use ambar_consensus::state::{MemoryState, State, StateView};
use bytes::Bytes;
use futures::executor::block_on;
use proptest::prelude::*;
use std::sync::Arc;

fn certified(header: BlockHeader, secret: &SecretKey) -> FinalHeader {
    let trusted = checkpoint();
    let rounds = (header.round.view, header.round.parent_view);
    let votes = trusted.committee.certify(
        trusted.network,
        &header.digest(),
        rounds,
        std::slice::from_ref(secret),
    );
    FinalHeader { header, descendants: Vec::new(), certificate: votes }
}

fn founded(state: &mut MemoryState) -> Block {
    let writes = genesis_writes(genesis());
    writes.iter().for_each(|(key, value)| state.write(key.clone(), value.clone()));
    let header = draft::genesis(&settings().rules, &writes);
    let votes = Vec::new();
    let certificate = Certificate { epoch: 0, view: 0, parent_view: 0, votes };
    let finality = FinalHeader { header, descendants: Vec::new(), certificate };
    Block { finality, transactions: Vec::new(), outcomes: Vec::new() }
}

async fn next(parent: &BlockHeader, batch: &[Transaction], state: &mut MemoryState) -> Block {
    let machine = Toy::default();
    let (height, time) = (parent.height.after(1), parent.time.after(5));
    let rules = settings().rules;
    let context = rules.context(height, time);
    let executed = {
        let listing = Listing::of(machine.lists(), state).unwrap();
        let base = Local { state, listing: &listing };
        let first = height == Height(1);
        let writes = if first { genesis_writes(genesis()) } else { Writes::new() };
        let mut draft = Draft::begin(&machine, context, &base, writes).await.unwrap();
        for transaction in batch {
            // What does not apply is not in the block.
            let _ = draft.push(Bytes::from(transaction.to_bytes())).await;
        }
        draft.finish(rules.epochs()).await.unwrap()
    };
    let round =
        Round { epoch: 0, view: height.0, parent_view: height.0 - 1, leader: key().public() };
    let placing = Placing { parent: parent.digest(), round, state: draft::STATE_BEFORE };
    let finality = certified(executed.header(placing), &key());
    executed.writes.iter().for_each(|(key, value)| state.write(key.clone(), value.clone()));
    let transactions = executed.transactions.iter().map(|bytes| bytes.to_vec()).collect();
    Block { finality, transactions, outcomes: executed.outcomes }
}

/// A chain of blocks with these transactions, and the state after it.
fn chain(batches: &[Vec<Transaction>]) -> (Vec<Block>, MemoryState) {
    let mut state = MemoryState::default();
    let mut blocks = vec![founded(&mut state)];
    for batch in batches {
        let parent = blocks.last().unwrap().finality.header.clone();
        blocks.push(at_once(next(&parent, batch, &mut state)).unwrap());
    }
    (blocks, state)
}

fn run(blocks: &[Block]) -> Result<ambar_consensus::replay::Replayed, ReplayError> {
    replay(&origin(&Toy::default()), blocks.iter().cloned().map(Ok))
}

fn sample() -> Vec<Vec<Transaction>> {
    vec![
        vec![transfer(1, 0, 1, 5), transfer(2, 1, 2, 7)],
        vec![],
        vec![fill(3, 4), transfer(4, 2, 2, 1), Transaction::new(5, Act::Rounds(3))],
        vec![transfer(6, 3, 0, 9)],
    ]
}

#[test]
fn a_change_of_any_block_is_seen_at_its_height() {
    let (blocks, state) = chain(&sample());
    assert_eq!(run(&blocks).unwrap().state, state);
    let check = |at: usize, expect: Difference, change: fn(&mut Block)| {
        let mut blocks = blocks.clone();
        change(&mut blocks[at]);
        let Err(ReplayError::Differs { height, difference }) = run(&blocks) else { panic!() };
        assert_eq!((height, difference), (Height(at as u64), expect));
    };
    check(0, Difference::Chain, |block| block.finality.header.writes_digest = Digest::ZERO);
    check(1, Difference::Outcome(2), |block| block.outcomes[2][0] ^= 1);
    check(1, Difference::Outcome(0), |block| block.outcomes.clear());
    check(1, Difference::Outcome(1), |block| block.transactions.swap(0, 1));
    check(1, Difference::Writes, |block| block.finality.header.writes_digest = Digest::ZERO);
    check(2, Difference::Votes, |block| block.finality.certificate.votes[0].signature.0[9] ^= 1);
    check(2, Difference::Votes, |block| block.finality.header.time = Moment(12));
    check(2, Difference::Votes, |block| block.finality.header.state.end += 1);
    check(2, Difference::Roots, |block| block.finality.header.protocol += 1);
    check(2, Difference::Time, |block| block.finality.header.time = Moment(5));
    check(3, Difference::Roots, |block| block.finality.header.transactions_root = Digest::ZERO);
    check(3, Difference::Roots, |block| block.finality.header.outcomes_root = Digest::ZERO);
    check(3, Difference::Roots, |block| block.finality.header.outcomes += 1);
    check(3, Difference::Chain, |block| block.finality.header.parent = Digest::ZERO);
    check(3, Difference::Chain, |block| block.finality.header.height = Height(4));
    check(4, Difference::Stale(0), |block| block.transactions[0] = transfer(1, 0, 1, 5).to_bytes());
    check(4, Difference::Stale(0), |block| {
        block.transactions[0] =
            Transaction { expiry: Height(3), ..transfer(9, 0, 1, 5) }.to_bytes();
    });
}

#[test]
fn a_stranger_cannot_sign_and_a_stored_value_cannot_change() {
    let (mut blocks, state) = chain(&sample());
    let replayed = run(&blocks).unwrap();
    let view = |state: MemoryState| StateView::new(replayed.head, Arc::new(state));
    assert_eq!(compare(&replayed, &view(state.clone())), Ok(()));
    for value in [None, Some(Bytes::from_static(b"12345678"))] {
        for key in [account(0), account(7), b"zzz".to_vec(), b"0".to_vec()] {
            let mut changed = state.clone();
            changed.write(key.clone(), value.clone());
            let expect = Err(ReplayError::State { height: Height(4), key });
            let unchanged = changed == state;
            assert_eq!(compare(&replayed, &view(changed)), if unchanged { Ok(()) } else { expect });
        }
    }
    let last = blocks.last_mut().unwrap();
    last.finality = certified(last.finality.header.clone(), &SecretKey::from_seed(&[9; 32]));
    let difference = Difference::Votes;
    assert_eq!(run(&blocks).unwrap_err(), ReplayError::Differs { height: Height(4), difference });
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let transfers = (0u64..1000, 0u16..8, 0u16..8, 0u64..800_000);
    let transfers =
        transfers.prop_map(|(nonce, from, to, amount)| transfer(nonce, from, to, amount));
    let fills = (0u64..1000, 0u64..20).prop_map(|(nonce, count)| fill(nonce, count));
    prop_oneof![8 => transfers, 1 => fills]
}

fn split(transactions: &[Transaction], cuts: &[usize]) -> Vec<Vec<Transaction>> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (transactions.len() + 1)).collect();
    cuts.extend([0, transactions.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| transactions[pair[0]..pair[1]].to_vec()).collect()
}

fn money_and_fills(state: &MemoryState) -> Vec<(Vec<u8>, Bytes)> {
    [b"a".as_slice(), b"fill"].iter().flat_map(|p| state.scan(p, None, 10_000).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn batching_does_not_change_the_state(
        mut transactions in prop::collection::vec(any_transaction(), 0..60),
        left in prop::collection::vec(any::<usize>(), 0..10),
        right in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        transactions.sort_by_key(|transaction| transaction.nonce);
        transactions.dedup_by_key(|transaction| transaction.nonce);
        let (blocks, state) = chain(&split(&transactions, &left));
        let (_, other) = chain(&split(&transactions, &right));
        prop_assert_eq!(money_and_fills(&state), money_and_fills(&other));
        let replayed = run(&blocks).unwrap();
        prop_assert_eq!(&replayed.state, &state);
        let total: u64 = state.scan(b"a", None, 100).unwrap().iter()
            .map(|(_, value)| u64::from_be_bytes(value.as_ref().try_into().unwrap())).sum();
        prop_assert_eq!(total, 8_000_000);
    }

    #[test]
    fn the_engine_and_a_replay_of_its_blocks_agree(
        transactions in prop::collection::vec(any_transaction(), 1..40),
    ) {
        let engine = passing(settings());
        let answers: Vec<_> = transactions.iter().map(|one| engine.submit(one.to_bytes())).collect();
        for answer in answers {
            // Some are too poor; both sides must agree on who.
            let _ = block_on(answer);
        }
        let machine = Toy::default();
        prop_assert!(ambar_consensus::replay::audit(&origin(&machine), &*engine).is_ok());
    }
}
