//! Measures the local orderer on this disk: `cargo run --release -p ambar-consensus
//! --example commit_speed [DIR]`. DIR defaults to the current directory, because a
//! temporary directory may be memory.

use ambar_base::{Digest, Height, NetworkId, SecretKey};
use ambar_consensus::{
    Admission, Applied, BlockContext, Consensus, Execution, Item, LocalOrderer, ReadSet, Refusal,
    Settings, StateMachine, Step, system_clock,
};
use futures::executor::block_on;
use futures::future::join_all;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reads and writes as many keys as the transaction's second word says.
struct Writer;

fn words(transaction: &[u8]) -> (u64, u64) {
    let word = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    (word(&transaction[..8]), word(&transaction[8..16]))
}

fn keys(nonce: u64, count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |i| Digest::of(&(nonce * 7 + i).to_le_bytes()).0.to_vec())
}

impl StateMachine for Writer {
    fn admit(&self, transaction: &[u8]) -> Result<Admission, Refusal> {
        let id = Digest::of(transaction);
        Ok(Admission { id, expiry: Height(u64::MAX), fee_per_byte: 0 })
    }

    fn open<'a>(
        &self,
        block: &BlockContext,
        item: Item<'a>,
    ) -> Result<Box<dyn Execution + 'a>, Refusal> {
        let words = match item {
            Item::Begin => None,
            Item::Transaction(bytes) => Some(words(bytes)),
        };
        Ok(Box::new(Writing { height: block.height, words }))
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
            return Ok(Step::Need(keys(nonce, count).collect()));
        }
        let value = [self.height.0.to_le_bytes().as_slice(), &[7; 92]].concat();
        let writes = keys(nonce, count).map(|key| (key, Some(value.clone()))).collect();
        Ok(Step::Done(Applied { writes, outcome: value }))
    }
}

fn transaction(nonce: u64, writes: u64) -> Vec<u8> {
    [nonce.to_le_bytes(), writes.to_le_bytes()].concat()
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{what}: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms", at(50), at(90), at(99));
}

fn timed(engine: &LocalOrderer, transactions: impl Iterator<Item = Vec<u8>>) -> Vec<Duration> {
    let time = |transaction| {
        let start = Instant::now();
        block_on(engine.submit(transaction)).expect("this machine refuses nothing");
        start.elapsed()
    };
    transactions.map(time).collect()
}

fn main() {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let dir = tempfile::tempdir_in(parent).expect("the directory is writable");
    let network = NetworkId(Digest::of(b"speed"));
    let settings = Settings::new(network, SecretKey::from_seed(&[1; 32]));
    let machine = Arc::new(Writer);
    let engine = LocalOrderer::open(dir.path(), settings, machine, Vec::new(), system_clock())
        .expect("a new ledger opens");

    let start = Instant::now();
    let times = timed(&engine, (0..500).map(|nonce| transaction(nonce, 4)));
    println!("{:.0} blocks/s of one transaction, 4 writes", 500.0 / start.elapsed().as_secs_f64());
    report("submit to committed, one at a time", times);

    let (start, before) = (Instant::now(), engine.head().height.0);
    let waits = (0..20_000).map(|nonce| engine.submit(transaction(1_000 + nonce, 4)));
    let answers = block_on(join_all(waits));
    assert!(answers.iter().all(Result::is_ok));
    let (seconds, blocks) = (start.elapsed().as_secs_f64(), engine.head().height.0 - before);
    println!("{:.0} transactions/s at once, in {blocks} blocks", 20_000.0 / seconds);

    let times = timed(&engine, (0..50).map(|i| transaction(1_000_000 + i * 10_000, 8_192)));
    report("one transaction of 8192 reads and writes, new keys", times);
    let times = timed(&engine, (0..50).map(|i| transaction(1_000_001 + i * 10_000, 8_192)));
    report("one transaction of 8192 reads and writes, most keys present", times);

    let view = engine.read().expect("an open ledger is read");
    let start = Instant::now();
    let found = keys(1_000_000, 100_000).filter(|key| matches!(view.get(key), Ok(Some(_)))).count();
    let nanoseconds = start.elapsed().as_nanos() / 100_000;
    println!("state read: {nanoseconds} ns ({found} of 100000 found), with hashing of the key");
}
