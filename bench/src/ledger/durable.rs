//! The same batches through the engine of a committee of one on this disk: a batch counts when it is final.

use super::batches::Market;
use crate::plan::Plan;
use ambar_base::{Checkpoint, Committee, Moment, SecretKey};
use ambar_chain::Chain;
use ambar_consensus::{Clock, Consensus, Patience, Rules, Settings};
use ambar_ledger::transaction::TRANSACTION_BYTES_MAX;
use ambar_machine::LedgerMachine;
use anyhow::{Result, anyhow};
use futures::executor::block_on;
use futures::future::join_all;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The time between blocks when nothing happens: short, so that the new ledger soon has
/// passed the height at which the calls were admitted.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// The time in which a ledger on disk settles these batches, all submitted at once.
pub fn settle(plan: &Plan, market: &Market, batches: &[Vec<u8>]) -> Result<Duration> {
    let place = plan.directory()?;
    let world = &market.world;
    let entries = world.ledger.entries();
    let state = entries.map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    let key = SecretKey::from_seed(&[1; 32]);
    let committee = Committee::new(0, vec![key.public()])?;
    let settings = Settings::new(Rules::new(Checkpoint { network: world.network, committee }), key);
    let mut pool = settings.pool;
    pool.transaction_bytes_max = TRANSACTION_BYTES_MAX;
    let settings = Settings { patience: Patience::with_heartbeat(HEARTBEAT), pool, ..settings };
    let machine = Arc::new(LedgerMachine::new(world.network));
    let clock = clock(world.ledger.time());
    let engine = Chain::open(place.path(), settings, machine, state, clock)?;
    while engine.head().height <= world.ledger.height() {
        sleep(HEARTBEAT);
    }
    let started = Instant::now();
    let waits = batches.iter().map(|batch| engine.submit(batch.clone()));
    for answer in block_on(join_all(waits)) {
        answer.map_err(|error| anyhow!("{error}"))?;
    }
    let elapsed = started.elapsed();
    block_on(engine.shutdown());
    Ok(elapsed)
}

/// The machine's clock, moved to `start`.
fn clock(start: Moment) -> Clock {
    let began = Instant::now();
    Arc::new(move || start.after(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)))
}
