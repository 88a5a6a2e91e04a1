//! How long each stage of a call takes.

use super::histogram::{Histogram, HistogramView};
use std::time::{Duration, Instant};

/// The bounds of times, microseconds: doubling from 0.05 ms to 7 min.
pub static TIME_BOUNDS_US: [u64; 24] = {
    let mut bounds = [50; 24];
    let mut place = 1;
    while place < bounds.len() {
        bounds[place] = bounds[place - 1] * 2;
        place += 1;
    }
    bounds
};

/// A stage of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the request to its hold: certificate, route, price, decision.
    Admit,
    /// From the hold until an engine takes the job.
    Queue,
    /// From the request to the first piece of the answer.
    FirstPiece,
    /// From the engine's begin to its end.
    Produce,
    /// Counting, lines and shares.
    Meter,
    /// Until the receipt is durable.
    Durable,
    /// From the receipt until its batch is final on the ledger.
    Settle,
}

impl Stage {
    /// All of them, in the order of a call.
    pub const ALL: [Self; 7] = [
        Self::Admit,
        Self::Queue,
        Self::FirstPiece,
        Self::Produce,
        Self::Meter,
        Self::Durable,
        Self::Settle,
    ];

    /// Its name in figures.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Queue => "queue",
            Self::FirstPiece => "first_piece",
            Self::Produce => "produce",
            Self::Meter => "meter",
            Self::Durable => "durable",
            Self::Settle => "settle",
        }
    }
}

/// The recorder of stages.
#[derive(Debug)]
pub struct Stages([Histogram; Stage::ALL.len()]);

impl Default for Stages {
    fn default() -> Self {
        Self([const { Histogram::new(&TIME_BOUNDS_US) }; Stage::ALL.len()])
    }
}

/// Whole microseconds of a time.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Stages {
    /// A stage took so long.
    pub fn record(&self, stage: Stage, took: Duration) {
        self.0[stage as usize].add(micros(took));
    }

    /// A stage that begins now, and ends when the result is dropped or stopped.
    pub fn begin(&self, stage: Stage) -> StageTimer<'_> {
        StageTimer { stages: self, stage, begin: Instant::now() }
    }

    /// How long a stage took, microseconds.
    #[must_use]
    pub fn view(&self, stage: Stage) -> HistogramView {
        self.0[stage as usize].view()
    }
}

/// A stage under way.
#[must_use = "a stage is recorded when this is dropped"]
#[derive(Debug)]
pub struct StageTimer<'a> {
    stages: &'a Stages,
    stage: Stage,
    begin: Instant,
}

impl StageTimer<'_> {
    /// Ends the stage.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for StageTimer<'_> {
    fn drop(&mut self) {
        self.stages.record(self.stage, self.begin.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_recorded_apart() {
        let stages = Stages::default();
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, place);
            for _ in 0..place {
                stages.record(stage, Duration::from_micros(50));
            }
        }
        stages.begin(Stage::Admit).stop();
        for (place, stage) in Stage::ALL.into_iter().enumerate() {
            let view = stages.view(stage);
            assert_eq!(view.count, place.max(1) as u64, "{stage:?}");
            assert_eq!(view.up_to[0].0, 50);
            if place > 0 {
                assert_eq!((view.up_to[0].1, view.sum), (place as u64, 50 * place as u64));
            }
        }
        assert_eq!(TIME_BOUNDS_US[23], 50 << 23);
    }
}
