//! What a run of all gateways shows over time.

use super::BATCH;
use super::load::Load;
use crate::table::percentile;
use std::time::Duration;

/// When each batch was submitted and final.
pub struct Run {
    batches: Vec<(Duration, Duration)>,
    whole: Duration,
}

impl Run {
    pub fn new(mut batches: Vec<(Duration, Duration)>, _: &Load) -> Self {
        batches.sort_by_key(|(_, settled)| *settled);
        let whole = batches.last().map_or(Duration::ZERO, |(_, settled)| *settled);
        Self { batches, whole }
    }

    /// Batches that were final in each of `parts` equal stretches. The first and the last are
    /// left out: in them not all gateways run.
    fn stretches(&self, parts: u32) -> impl Iterator<Item = (f64, Vec<f64>)> {
        let stretch = self.whole / (parts + 2);
        (1..=parts).map(move |part| {
            let (from, until) = (stretch * part, stretch * (part + 1));
            let within =
                self.batches.iter().filter(|(_, settled)| *settled > from && *settled <= until);
            let latencies = within.map(|(begun, settled)| (*settled - *begun).as_secs_f64() * 1e3);
            (stretch.as_secs_f64(), latencies.collect())
        })
    }

    /// Calls settled per second, stretch by stretch.
    pub fn rates(&self, parts: u32) -> Vec<f64> {
        self.stretches(parts)
            .map(|(seconds, all)| (all.len() as u64 * BATCH) as f64 / seconds)
            .collect()
    }

    /// A percentile of the time from submission until final, stretch by stretch, ms.
    pub fn latency(&self, parts: u32, percent: usize) -> Vec<f64> {
        self.stretches(parts).filter_map(|(_, all)| percentile(&all, percent)).collect()
    }
}
