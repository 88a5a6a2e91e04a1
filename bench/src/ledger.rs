//! How many calls a ledger settles per second on one core, everything included: decoding,
//! the signatures of submitter, gateway and node, both hash trees, every bill recomputed,
//! facts collected, postings. Each call has three lines (a prompt over a model and a
//! datanet) and pays six payees and eight contributors beside the network.

pub mod batches;
mod durable;

use crate::plan::Plan;
use crate::table::{Table, Target};
use crate::usage::thread_cpu;
use ambar_ledger::MemoryLedger;
use anyhow::{Result, anyhow};
use batches::Market;
use std::time::Duration;

/// Batches of one block.
const BATCHES_PER_BLOCK: usize = 4;
/// Channels that take turns.
const CHANNELS: u64 = 64;
/// Leaves per batch.
const BATCH_SIZES: [u64; 2] = [4096, 256];
/// Calls settled per second by one core in memory.
const CALLS_PER_S_MIN: f64 = 200_000.0;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let (calls, rounds) = (plan.pick(16, 4) * BATCH_SIZES[0], plan.pick(7, 2));
    let market = Market::new(1, CHANNELS, |_| {});
    let mut table = Table::default();
    for size in BATCH_SIZES {
        let batches = market.batches(0, 0..calls / size, size);
        let rate = |time: Duration| calls as f64 / time.as_secs_f64();
        let (mut memory, mut disk) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            memory.push(rate(in_memory(market.world.ledger.clone(), &batches)?));
            disk.push(rate(durable::settle(plan, &market, &batches)?));
        }
        let target = Target::AtLeast(CALLS_PER_S_MIN);
        table.aimed(format!("in memory, batches of {size}, one core"), "1/s", memory, target);
        table.row(format!("durable, batches of {size}, elapsed"), "1/s", disk);
        let bytes = batches.iter().map(Vec::len).sum::<usize>() as u64 / calls;
        table.note(format!("batches of {size}: {bytes} bytes per call"));
    }
    table.note(format!("{calls} calls a round over {CHANNELS} channels"));
    Ok(table)
}

/// The CPU time in which a ledger in memory applies these batches.
fn in_memory(mut ledger: MemoryLedger, batches: &[Vec<u8>]) -> Result<Duration> {
    let before = thread_cpu()?;
    for block in batches.chunks(BATCHES_PER_BLOCK) {
        ledger.begin(ledger.time().after(1))?;
        for batch in block {
            ledger.apply(batch)?;
        }
    }
    let used = thread_cpu()?.saturating_sub(before);
    ledger.check().map_err(|violation| anyhow!("{violation:?}"))?;
    Ok(used)
}
