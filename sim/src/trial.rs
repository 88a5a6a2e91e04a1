//! One trial: a seed lived through and judged.

use crate::clients::clients;
use crate::judge::{Case, judge, unseated};
use crate::scenario::Scenario;
use crate::simulation::{Adversary, Ended, run};
use crate::told::Told;
use ambar_base::{Digest, Encode};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a trial's thread, bytes: the future that starts an engine is large.
const STACK_BYTES: usize = 32 << 20;

/// What a trial gave.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Its seed.
    pub seed: u64,
    /// Final blocks of the longest chain.
    pub blocks: usize,
    /// Final transactions.
    pub transactions: usize,
    /// Adversaries that were ejected and have lost their seat.
    pub unseated: usize,
    /// How long the run was, of its own time.
    pub lasted: Duration,
    /// How long after healing it went on, of its own time.
    pub recovered: Duration,
    /// How long it took.
    pub took: Duration,
    /// A digest of everything final and of everything that the runtime did.
    pub trace: Digest,
    /// What was broken.
    pub broken: Vec<String>,
}

/// Lives a seed through and judges it.
#[must_use]
pub fn try_seed(seed: u64, adversary: Option<Adversary>) -> Trial {
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let trial = thread.spawn(move || {
        let started = Instant::now();
        let trial = catch_unwind(AssertUnwindSafe(|| live(seed, adversary)));
        let mut trial = trial.unwrap_or_else(|panic| lost(seed, &*panic));
        trial.took = started.elapsed();
        trial
    });
    let trial = trial.map(thread::JoinHandle::join);
    match trial {
        Ok(Ok(trial)) => trial,
        Ok(Err(panic)) => lost(seed, &*panic),
        Err(error) => lost(seed, &error.to_string()),
    }
}

fn lost(seed: u64, panic: &(dyn std::any::Any + Send)) -> Trial {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let text = text.unwrap_or_else(|| "no reason".into());
    let zero = Duration::ZERO;
    Trial {
        seed,
        blocks: 0,
        transactions: 0,
        unseated: 0,
        lasted: zero,
        recovered: zero,
        took: zero,
        trace: Digest::ZERO,
        broken: vec![format!("the run itself ended: {text}")],
    }
}

fn live(seed: u64, adversary: Option<Adversary>) -> Trial {
    let scenario = Scenario::draw(seed, adversary);
    let told = Told::default();
    let ended = run(scenario.plan.clone(), clients(&scenario.cast, &told));
    let record = told.take();
    let case = Case { scenario: &scenario, ended: &ended, record: &record };
    let broken = judge(&case);
    let longest = ended.witnesses.iter().max_by_key(|witness| witness.blocks.len());
    let blocks = longest.map_or(&[][..], |witness| &witness.blocks);
    Trial {
        seed,
        blocks: blocks.len().saturating_sub(1),
        transactions: blocks.iter().map(|block| block.transactions.len()).sum(),
        unseated: unseated(&case),
        lasted: ended.lasted,
        recovered: ended.lasted.saturating_sub(scenario.plan.healing),
        took: Duration::ZERO,
        trace: trace(&ended),
        broken,
    }
}

/// Everything final at every witness, with its votes, and the runtime's own trace.
fn trace(ended: &Ended) -> Digest {
    let mut parts = vec![ended.trace.clone().into_bytes()];
    for witness in &ended.witnesses {
        parts.extend(witness.blocks.iter().map(Encode::to_bytes));
        parts.extend(witness.state.iter().map(|(key, value)| [key, value.as_ref()].concat()));
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Digest::of_parts(&parts)
}
