//! The engine of a committee of one on this disk, with a state machine that only reads and writes keys.

use crate::plan::Plan;
use crate::table::Table;
use ambar_base::{Checkpoint, Committee, Digest, Height, NetworkId, SecretKey};
use ambar_chain::Chain;
use ambar_consensus::{
    Admission, Applied, BlockContext, Consensus, Execution, Item, ReadSet, Refusal, Rules,
    Settings, StateMachine, Step, seats_outcome, system_clock,
};
use anyhow::{Result, anyhow};
use futures::executor::block_on;
use futures::future::join_all;
use std::sync::Arc;
use std::time::Instant;

/// Keys that a small transaction reads and writes.
const SMALL: u64 = 4;
/// Keys that a large one does: about what a batch of 4096 calls touches.
const LARGE: u64 = 8_192;
/// Transactions submitted together.
const TOGETHER: u64 = 20_000;
/// Keys of two transactions whose nonces are this far apart do not meet.
const APART: u64 = 10_000;

/// Reads and writes as many keys as the transaction's second word says. One committee for ever.
struct Writer(Committee);

fn words(transaction: &[u8]) -> (u64, u64) {
    let word = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    (word(&transaction[..8]), word(&transaction[8..16]))
}

fn keys(nonce: u64, count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |i| Digest::of(&(nonce * 7 + i).to_le_bytes()).0.to_vec())
}

impl StateMachine for Writer {
    fn admit(&self, transactions: &[&[u8]]) -> Vec<Result<Admission, Refusal>> {
        let one = |transaction: &&[u8]| {
            let id = Digest::of(transaction);
            Ok(Admission { id, expiry: Height(u64::MAX), fee_per_byte: 0 })
        };
        transactions.iter().map(one).collect()
    }

    fn open<'a>(
        &self,
        block: &BlockContext,
        item: Item<'a>,
    ) -> Result<Box<dyn Execution + Send + 'a>, Refusal> {
        let words = match item {
            Item::End { .. } => return Ok(Box::new(Ending(seats_outcome(self.0.seats())))),
            Item::Begin => None,
            Item::Transaction(bytes) => Some(words(bytes)),
        };
        Ok(Box::new(Writing { height: block.height, words }))
    }
}

/// The end of an epoch: its outcome.
struct Ending(Vec<u8>);

impl Execution for Ending {
    fn step(&self, _: &ReadSet) -> Result<Step, Refusal> {
        Ok(Step::Done(Applied { writes: Vec::new(), outcome: self.0.clone() }))
    }
}

/// One transaction, or the beginning of a block, which writes nothing.
struct Writing {
    height: Height,
    words: Option<(u64, u64)>,
}

impl Execution for Writing {
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal> {
        let Some((nonce, count)) = self.words else { return Ok(Step::Done(Applied::default())) };
        if read.is_empty() {
            return Ok(Step::Need(keys(nonce, count).collect::<Vec<_>>().into()));
        }
        let value = [self.height.0.to_le_bytes().as_slice(), &[7; 92]].concat();
        let writes = keys(nonce, count).map(|key| (key, Some(value.clone()))).collect();
        Ok(Step::Done(Applied { writes, outcome: value }))
    }
}

fn transaction(nonce: u64, writes: u64) -> Vec<u8> {
    [nonce.to_le_bytes(), writes.to_le_bytes()].concat()
}

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let place = plan.directory()?;
    let network = NetworkId(Digest::of(b"speed"));
    let key = SecretKey::from_seed(&[1; 32]);
    let committee = Committee::new(0, vec![key.public()])?;
    let machine = Arc::new(Writer(committee.clone()));
    let settings = Settings::new(Rules::new(Checkpoint { network, committee }), key);
    let engine = Chain::open(place.path(), settings, machine, Vec::new(), system_clock())?;
    let mut table = Table::default();
    let small = (0..plan.pick(500, 50)).map(|nonce| transaction(nonce, SMALL));
    table.row("one transaction, submitted until final", "ms", timed(&engine, small)?);
    let rounds: Vec<f64> =
        (1..=plan.pick(5, 2)).map(|round| together(&engine, round)).collect::<Result<_>>()?;
    table.row(format!("{TOGETHER} transactions at once"), "1/s", rounds);
    let count = plan.pick(50, 5);
    for (what, first) in [("new", 100 * APART), ("most of them present", 100 * APART + 1)] {
        let large = (0..count).map(|i| transaction(first + i * APART, LARGE));
        let what = format!("one transaction of {LARGE} reads and writes, {what}");
        table.row(what, "ms", timed(&engine, large)?);
    }
    block_on(engine.shutdown());
    table.note(format!("transactions of {SMALL} reads and writes unless said otherwise"));
    Ok(table)
}

/// The time of each submission until it is final, ms.
fn timed(engine: &Chain, transactions: impl Iterator<Item = Vec<u8>>) -> Result<Vec<f64>> {
    let time = |transaction| {
        let started = Instant::now();
        block_on(engine.submit(transaction)).map_err(|error| anyhow!("{error}"))?;
        Ok(started.elapsed().as_secs_f64() * 1e3)
    };
    transactions.map(time).collect()
}

/// Transactions per second when all wait at once.
fn together(engine: &Chain, round: u64) -> Result<f64> {
    let started = Instant::now();
    let first = round * TOGETHER;
    let waits = (first..first + TOGETHER).map(|nonce| engine.submit(transaction(nonce, SMALL)));
    for answer in block_on(join_all(waits)) {
        answer.map_err(|error| anyhow!("{error}"))?;
    }
    Ok(TOGETHER as f64 / started.elapsed().as_secs_f64())
}
