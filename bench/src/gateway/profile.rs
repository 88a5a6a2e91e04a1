//! Where the CPU time of a call goes in the gateway's process: `perf` (Debian's `linux-perf`)
//! samples its stacks while 16 clients call, and each sample is told by area.

use super::Stage;
use super::report::AMBAR;
use super::stacks::{Stacks, parse};
use crate::load::Load;
use crate::plan::Plan;
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::runtime::Builder;

/// Clients of the closed loop.
const CLIENTS: usize = 16;
/// Samples per second: not a divisor of anything periodic.
const SAMPLES_PER_SECOND: &str = "497";
/// Bytes of each stack that are kept: deeper frames are lost.
const STACK: &str = "dwarf,32768";
/// Functions that are listed.
const FUNCTIONS: usize = 40;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let stage = Stage::set(plan)?;
    let target = stage.ambar(AMBAR, plan.ambar())?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let time = Duration::from_secs(plan.pick(10, 3));
    let mut table = Table::default();
    for stream in [false, true] {
        let kind = if stream { "stream" } else { "call" };
        let calls = target.calls(stream);
        runtime.block_on(Load::closed(&calls, CLIENTS, time / 3))?.flawless()?;
        let file = stage.setting.work.join(kind);
        let mut perf = Command::new("perf");
        perf.args(["record", "-F", SAMPLES_PER_SECOND, "--call-graph", STACK, "-o"]).arg(&file);
        perf.args(["-p", &target.pid.to_string(), "--", "sleep", &time.as_secs().to_string()]);
        let perf = perf.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let mut perf = perf.context("perf is needed: apt-get install linux-perf")?;
        let before = target.cpu()?;
        let load = runtime.block_on(Load::closed(&calls, CLIENTS, time))?.flawless()?;
        let used = target.cpu()?.saturating_sub(before);
        ensure!(perf.wait()?.success(), "perf cannot sample the gateway");
        target.settle()?;
        let cpu = used.as_secs_f64() * 1e6 / load.calls() as f64;
        table.row(format!("{kind}s of {CLIENTS} clients"), "1/s", vec![load.rate()]);
        table.row(format!("{kind}: CPU"), "us", vec![cpu]);
        tell(&stacks(&file)?, kind, cpu, &mut table);
    }
    stage.notes(&mut table);
    table.note("an area has the samples whose innermost frame that tells is of it; sampling slows the gateway down");
    Ok(table)
}

fn stacks(file: &Path) -> Result<Stacks> {
    let mut script = Command::new("perf");
    script.args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"]).arg(file);
    let output = script.stderr(Stdio::null()).output()?;
    ensure!(output.status.success(), "perf cannot read what it wrote");
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn tell(stacks: &Stacks, kind: &str, cpu: f64, table: &mut Table) {
    let share = |count: u64| cpu * count as f64 / stacks.samples.max(1) as f64;
    for (area, count) in stacks.areas() {
        table.row(format!("{kind}: {area}"), "us", vec![share(count)]);
    }
    for (thread, count) in stacks.threads() {
        table.row(format!("{kind}: thread {thread}"), "us", vec![share(count)]);
    }
    table.note(format!("{kind}s, {} samples; by function, us of a {kind}:", stacks.samples));
    for (function, count) in stacks.functions().into_iter().take(FUNCTIONS) {
        table.note(format!("{:>8.2}  {function}", share(count)));
    }
}
