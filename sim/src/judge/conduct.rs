//! Engines end when they are stopped or their disk fails, and otherwise not; no ledger waits
//! for a person.

use super::Case;
use crate::simulation::{DiskFaults, Event};
use std::time::Duration;

/// How long after a disk's fault an engine may still end of it.
const AFTERMATH: Duration = Duration::from_secs(5);

/// No honest member's engine ended by itself while disks were sound, and none has halted.
pub(super) fn judge(case: &Case<'_>, broken: &mut Vec<String>) {
    for member in &case.ended.halted {
        broken.push(format!("conduct: member {member}'s ledger halted"));
    }
    let faulty = faulty(case);
    for end in &case.ended.ends {
        let excused = faulty.iter().any(|(from, until)| *from <= end.at && end.at <= *until);
        if case.is_honest(end.member) && !excused {
            let (member, at) = (end.member, end.at.as_millis());
            broken.push(format!("conduct: member {member}'s engine ended by itself at {at} ms"));
        }
    }
}

/// When disks failed.
fn faulty(case: &Case<'_>) -> Vec<(Duration, Duration)> {
    let plan = &case.scenario.plan;
    let (mut spans, mut since) = (Vec::new(), None);
    for (at, event) in &plan.events {
        if let Event::Disks(faults) = event {
            if *faults == DiskFaults::default() {
                spans.extend(since.take().map(|since| (since, *at + AFTERMATH)));
            } else {
                since.get_or_insert(*at);
            }
        }
    }
    spans.extend(since.map(|since| (since, plan.healing + AFTERMATH)));
    spans
}
