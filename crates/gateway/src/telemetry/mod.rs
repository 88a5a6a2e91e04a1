//! What is told of calls: one log line each, and figures of all of them.
//!
//! It deliberately knows no exporter: lines leave through the subscriber that the process has
//! set, figures are read by whoever prints them. Neither holds a prompt or an answer.
//!
//! **Invariant**: the number of figures is bounded by operations and error codes, whatever
//! callers send.

pub mod histogram;
pub mod names;
pub mod span;
pub mod stages;
#[cfg(test)]
mod tests;

pub use histogram::{Histogram, HistogramView};
pub use span::{CallSpan, Operation, Usage};
pub use stages::{Stage, StageTimer, Stages};

use stages::{TIME_BOUNDS_US, micros};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The target of the log line of each call: `AMBAR_LOG=ambar::call=info` shows them.
pub const CALLS_TARGET: &str = "ambar::call";

/// The bounds of numbers of tokens, as the conventions advise for `gen_ai.client.token.usage`.
pub static TOKEN_BOUNDS: [u64; 14] = {
    let mut bounds = [1; 14];
    let mut place = 1;
    while place < bounds.len() {
        bounds[place] = bounds[place - 1] * 4;
        place += 1;
    }
    bounds
};

/// Which calls a duration counts: what they did, and the error that ended them.
pub type Ended = (Operation, Option<&'static str>);

/// Everything that is measured of calls.
#[derive(Debug)]
pub struct Telemetry {
    /// How long each stage takes.
    pub stages: Stages,
    durations: Mutex<BTreeMap<Ended, Arc<Histogram>>>,
    input: [Histogram; Operation::ALL.len()],
    output: [Histogram; Operation::ALL.len()],
}

impl Default for Telemetry {
    fn default() -> Self {
        let tokens = || [const { Histogram::new(&TOKEN_BOUNDS) }; Operation::ALL.len()];
        Self {
            stages: Stages::default(),
            durations: Mutex::default(),
            input: tokens(),
            output: tokens(),
        }
    }
}

impl Telemetry {
    /// A call begins: `model` as the caller names it.
    #[must_use]
    pub fn call(self: &Arc<Self>, operation: Operation, model: &str, stream: bool) -> CallSpan {
        CallSpan::new(Arc::clone(self), operation, model.to_owned(), stream)
    }

    fn ended(
        &self,
        operation: Operation,
        error: Option<&'static str>,
        took: Duration,
        usage: Option<&Usage>,
    ) {
        let durations = {
            let mut all = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Histogram::new(&TIME_BOUNDS_US));
            Arc::clone(all.entry((operation, error)).or_insert_with(new))
        };
        durations.add(micros(took));
        if let Some(usage) = usage {
            self.input[operation as usize].add(usage.input_tokens);
            self.output[operation as usize].add(usage.output_tokens);
        }
    }

    /// How long calls took, microseconds.
    #[must_use]
    pub fn durations(&self) -> Vec<(Ended, HistogramView)> {
        let all = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(ended, histogram)| (*ended, histogram.view())).collect()
    }

    /// How many tokens calls used: `input`, then `output`.
    #[must_use]
    pub fn tokens(&self, operation: Operation) -> [(&'static str, HistogramView); 2] {
        let of = operation as usize;
        [("input", self.input[of].view()), ("output", self.output[of].view())]
    }
}
