//! How many calls a ledger in memory settles per second on one core, everything included:
//! decoding, the signatures of submitter, gateway and node, both hash trees, every bill
//! recomputed, facts collected, postings. Each call has three lines (a prompt over a model
//! and a datanet) and pays six payees and eight contributors beside the network.
//!
//! `cargo run --release -p ambar-ledger --example ledger_bench`

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has no figures")]

#[path = "../tests/world/mod.rs"]
mod world;

use ambar_base::{Cid, Digest, Encode, Moment, Price};
use ambar_ledger::transaction::{Actor, Envelope, Settle, TRANSACTION_VERSION};
use ambar_ledger::{MemoryLedger, Operation};
use ambar_licence::Right;
use ambar_receipt::{BatchHeader, Counter, Leaf, Line, SignedBatch, call_id};
use std::time::{Duration, Instant};
use world::{World, contributors, dataset, derived, key, model, prompt, shares, terms};

/// Channels that take turns.
const CHANNELS: u64 = 64;
/// Calls of one run.
const CALLS: u64 = 16 * 4096;
/// Batches of one block.
const BATCHES_PER_BLOCK: usize = 4;
/// Runs, of which the median is printed.
const RUNS: usize = 7;
/// Leaves per batch.
const BATCH_SIZES: [u64; 2] = [4096, 256];
/// Credits of one channel: more than its calls cost.
const CHANNEL_CREDITS: Price = Price(1_400_000_000);

const CONTRIBUTORS: [&str; 8] = ["Ada", "Ben", "Cleo", "Dov", "Eva", "Finn", "Gil", "Hana"];

/// A network with everything that a call refers to.
struct Bench {
    world: World,
    node: u64,
    channels: Vec<u64>,
    /// A call's lines: they are the same for each call.
    lines: Vec<Line>,
}

/// The CPU time of this thread, from `/proc/thread-self/schedstat` (Linux), so that other
/// work on the machine does not count; elsewhere the time since `start`.
fn cpu_time(start: Instant) -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = stat.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// A model derived from two others: its plan pays three royalty lines.
fn derived_model(world: &mut World) -> (u64, Cid) {
    let rights = [Right::Call, Right::Compose];
    let mut parents = Vec::new();
    for name in ["pretrainer", "tuner"] {
        let holder = world.id(name);
        let (_, id) =
            world.publish(name, model(holder), &terms(&rights, 1, 0), None, vec![]).unwrap();
        parents.push((id, 200_000_000));
    }
    let manifest = derived(world.id("developer"), &parents);
    world.publish("developer", manifest, &terms(&rights, 200_000, 0), None, vec![]).unwrap()
}

fn datanet(world: &mut World) -> (u64, Cid) {
    let table = contributors(&CONTRIBUTORS);
    let rule = terms(&[Right::Call, Right::Compose], 9_000, 0);
    let manifest = dataset(world.id("curator"), &table);
    world.publish("curator", manifest, &rule, Some(&table), vec![]).unwrap()
}

fn bench() -> Bench {
    let mut world = World::new();
    let people = ["author", "caller", "curator", "developer", "operator", "pretrainer", "tuner"];
    for name in people {
        world.person(name);
    }
    let node = world.node("operator");
    let ((llm, llm_id), (data, data_id)) = (derived_model(&mut world), datanet(&mut world));
    let llm_grant = world.accept("author", llm_id).unwrap();
    let data_grant = world.accept("author", data_id).unwrap();
    let manifest = prompt(world.id("author"), llm_id, data_id);
    let rule = terms(&[Right::Call], 0, 100_000);
    let (ask, ask_id) =
        world.publish("author", manifest, &rule, None, vec![llm_grant, data_grant]).unwrap();
    for (owner, id) in [("author", ask_id), ("developer", llm_id), ("curator", data_id)] {
        world.serve(owner, id, "operator");
    }
    let grant = world.accept("caller", ask_id).unwrap();
    let channels = (0..CHANNELS)
        .map(|_| world.channel("caller", "operator", vec![grant], CHANNEL_CREDITS))
        .collect();
    world.block(1000);
    let tokens = [(Counter::TokensIn, 256), (Counter::TokensOut, 64)];
    let mut lines = vec![
        world.line(ask, grant, node, &[]),
        world.line(llm, llm_grant, node, &tokens),
        world.line(data, data_grant, node, &[(Counter::RetrievedBytes, 700)]),
    ];
    let weights: Vec<_> = (0..8).map(|index| (index, 112_500_000)).collect();
    lines[2].shares = vec![shares(data, 1, &weights)];
    Bench { world, node, channels, lines }
}

impl Bench {
    /// Call number `index` of a run: channels take turns.
    fn leaf(&self, index: u64) -> Leaf {
        let channel = self.channels[(index % CHANNELS) as usize];
        let n = index / CHANNELS;
        let call = call_id(channel, &Digest::of(b"holder"), &n.to_string());
        let details = Digest::of(&call.0);
        Leaf { call, details, ..self.world.leaf(channel, n, self.lines.clone()) }
    }

    /// The encoded transaction that settles batch `number` of a run.
    fn batch(&self, number: u64, leaves: Vec<Leaf>) -> Vec<u8> {
        let (network, secret) = (self.world.network, key("operator's node"));
        let header = BatchHeader::of(self.node, number, &leaves).unwrap();
        let sign =
            |lines: &ambar_receipt::NodeLines| lines.sign(network, (self.node, number), &secret);
        let nodes = header.nodes.iter().map(sign).collect();
        let signature = header.sign(network, &secret);
        let batch = SignedBatch { header, signature, nodes };
        let envelope = Envelope {
            network,
            version: TRANSACTION_VERSION,
            actor: Actor::Node(self.node),
            nonce: number,
            expires: self.world.ledger.height().after(CALLS),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations: vec![Operation::Settle(Settle { batch, leaves })],
        };
        envelope.sign(&secret).to_bytes()
    }

    fn batches(&self, size: u64) -> Vec<Vec<u8>> {
        (0..CALLS / size)
            .map(|number| {
                let leaves = (number * size..(number + 1) * size).map(|index| self.leaf(index));
                self.batch(number, leaves.collect())
            })
            .collect()
    }
}

/// The CPU time in which a ledger applies these batches, and what it becomes.
fn run(mut ledger: MemoryLedger, batches: &[Vec<u8>]) -> (Duration, MemoryLedger) {
    let start = Instant::now();
    let before = cpu_time(start);
    for block in batches.chunks(BATCHES_PER_BLOCK) {
        ledger.begin(ledger.time().after(1)).unwrap();
        for batch in block {
            ledger.apply(batch).unwrap();
        }
    }
    (cpu_time(start).saturating_sub(before), ledger)
}

fn measure(bench: &Bench, size: u64) {
    let batches = bench.batches(size);
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let (time, ledger) = run(bench.world.ledger.clone(), &batches);
            ledger.check().unwrap();
            time
        })
        .collect();
    times.sort_unstable();
    let rate = |time: Duration| CALLS as f64 / time.as_secs_f64();
    let bytes: usize = batches.iter().map(Vec::len).sum();
    println!(
        "{size:>5} leaves per batch: {:>9.0} calls/s per core (median of {RUNS}; {:.0} to {:.0}), \
         {:.2} us and {} bytes per call",
        rate(times[RUNS / 2]),
        rate(times[RUNS - 1]),
        rate(times[0]),
        1e6 / rate(times[RUNS / 2]),
        bytes as u64 / CALLS,
    );
}

fn main() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    println!(
        "ambar-ledger {}, {}, CPU {cpu}, {CHANNELS} channels, {CALLS} calls a run",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
    );
    let bench = bench();
    assert!(bench.world.ledger.time() > Moment(0), "blocks have begun");
    for size in BATCH_SIZES {
        measure(&bench, size);
    }
}
