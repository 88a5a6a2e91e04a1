//! How long a node takes until it answers, and how much memory it holds at rest.

use crate::node::Node;
use crate::plan::Plan;
use crate::table::{Table, Target};
use crate::usage::resident_megabytes;
use anyhow::Result;
use std::thread::sleep;
use std::time::Duration;

/// How long a node rests before its memory is read.
const REST: Duration = Duration::from_secs(3);
/// Until a node answers, ms.
const READY_MS_MAX: f64 = 1_000.0;
/// Resident memory at rest, MB.
const RESIDENT_MB_MAX: f64 = 120.0;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    // Figures of the first start in a home, and of the second.
    let mut ready = [Vec::new(), Vec::new()];
    let mut resident = [Vec::new(), Vec::new()];
    for _ in 0..plan.pick(5, 2) {
        let home = plan.directory()?;
        for (ready, resident) in ready.iter_mut().zip(&mut resident) {
            let node = Node::start(home.path())?;
            ready.push(node.ready.as_secs_f64() * 1e3);
            sleep(REST);
            resident.push(resident_megabytes(node.pid())?);
            node.stop()?;
        }
    }
    let mut table = Table::default();
    let rest = REST.as_secs();
    for ((home, ready), resident) in ["new", "existing"].iter().zip(ready).zip(resident) {
        let what = format!("{home} home, until it answers");
        table.aimed(what, "ms", ready, Target::AtMost(READY_MS_MAX));
        let what = format!("{home} home, resident memory after {rest} s at rest");
        table.aimed(what, "MB", resident, Target::AtMost(RESIDENT_MB_MAX));
    }
    table.note("no model served; the program's file is in the page cache");
    Ok(table)
}
