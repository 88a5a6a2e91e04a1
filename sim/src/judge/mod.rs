//! What may never happen, looked for after a run.
//!
//! **Invariant**: a verdict is one sentence for each promise that was broken; no promise is
//! skipped because another was broken.

mod agreement;
mod conduct;
mod evidence;
mod liveness;
mod money;

use crate::scenario::Scenario;
use crate::simulation::{Ended, Witness};
use crate::told::Record;

/// What there is to judge.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What was to happen.
    pub scenario: &'a Scenario,
    /// What validators hold.
    pub ended: &'a Ended,
    /// What clients were told.
    pub record: &'a Record,
}

/// What was broken: nothing, or a sentence each.
#[must_use]
pub fn judge(case: &Case<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    agreement::judge(case, &mut broken);
    liveness::judge(case, &mut broken);
    money::judge(case, &mut broken);
    evidence::judge(case, &mut broken);
    conduct::judge(case, &mut broken);
    broken
}

/// How many adversaries were ejected and have lost their seat.
#[must_use]
pub fn unseated(case: &Case<'_>) -> usize {
    evidence::unseated(case)
}

impl<'a> Case<'a> {
    /// The witness with the longest chain that begins at genesis.
    fn longest(&self) -> Option<&'a Witness> {
        self.ended.witnesses.iter().max_by_key(|witness| witness.blocks.len())
    }

    fn is_honest(&self, member: usize) -> bool {
        self.scenario.plan.members[member].is_honest()
    }
}
