//! Ten times the load that the gateway sustains: it must stay within its memory, refuse by
//! name, go on serving what it accepts about as fast as before, and lose no receipt.
//!
//! A call for which no connection is free when it is due is not sent: the load generator does
//! not queue for the gateway. Latency counts from when a call was sent.
//!
//! **Invariant**: a refusal without a public code, an answer without a receipt and a receipt
//! without an answer break the bench; how fast it was does not.

use super::Stage;
use super::report::AMBAR;
use super::target::Target;
use crate::load::{Load, Open};
use crate::plan::Plan;
use crate::table::{Table, Target as Aim};
use ambar_base::ErrorCode;
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How many times the sustainable rate is offered.
const TIMES: f64 = 10.0;
/// The part of it at which a gateway is not loaded.
const UNLOADED: f64 = 0.3;
/// Connections: as many calls can be under way at once.
const CONNECTIONS: usize = 1_024;
/// What an operator says whose upstream is as loaded as this one: the gateway's own threads are not
/// what is short here.
const ROOM: &str = "gateway.calls_at_once = 64";
/// How late a call may be sent.
const PATIENCE: Duration = Duration::from_millis(5);
/// Clients of the closed loop that finds what is sustainable.
const CLIENTS: usize = 16;
/// Most that the 99th percentile of accepted calls grows.
const GROWTH_MAX: f64 = 3.0;
/// Most memory, MB.
const PEAK_MB_MAX: f64 = 256.0;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let stage = Stage::set(plan)?;
    let target = stage.ambar(AMBAR, Some(plan.ambar().unwrap_or(ROOM)))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (calls, short) = (target.calls(false), Duration::from_secs(plan.pick(5, 1)));
    runtime.block_on(Load::closed(&calls, CLIENTS, short))?.flawless()?;
    let mut answered = count(&target)?;
    let sustained = runtime.block_on(Load::closed(&calls, CLIENTS, short))?.flawless()?;
    let rest_peak = target.peak()?;
    eprintln!("16 clients get {:.0} calls per second", sustained.rate());
    let unloaded = offered(&runtime, &target, sustained.rate() * UNLOADED, short)?;
    let time = Duration::from_secs(plan.pick(60, 10));
    eprintln!("ten times as many");
    let loaded = offered(&runtime, &target, sustained.rate() * TIMES, time)?;
    answered += sustained.calls() + unloaded.calls() + loaded.calls();
    let peak = target.peak()?;
    typed(&loaded)?;
    let mut table = Table::default();
    let rates = [("sustained, 16 clients", &sustained), ("accepted under overload", &loaded)];
    rates.into_iter().for_each(|(what, load)| table.row(what, "1/s", vec![load.rate()]));
    table.row("offered", "1/s", vec![sustained.rate() * TIMES]);
    table.row("refused", "calls", vec![loaded.refusals() as f64]);
    for (code, count) in loaded.refused() {
        table.row(format!("refused: {code}"), "calls", vec![*count as f64]);
    }
    table.row("not sent, no connection was free", "calls", vec![loaded.unsent() as f64]);
    let (before, under) = (unloaded.served(99.0)? / 1e3, loaded.served(99.0)? / 1e3);
    table.row("p99 of accepted calls, unloaded", "ms", vec![before]);
    table.row("p99 of accepted calls, overload", "ms", vec![under]);
    table.aimed("the same as a ratio", "", vec![under / before], Aim::AtMost(GROWTH_MAX));
    table.row("peak memory before", "MB", vec![rest_peak]);
    table.aimed("peak memory", "MB", vec![peak], Aim::AtMost(PEAK_MB_MAX));
    receipts(&target, answered, &mut table)?;
    stage.notes(&mut table);
    let seconds = time.as_secs();
    table.note(format!(
        "{TIMES} times what 16 clients get, for {seconds} s, {CONNECTIONS} connections"
    ));
    table.note(format!("node.toml says {}", plan.ambar().unwrap_or(ROOM)));
    Ok(table)
}

fn offered(runtime: &Runtime, target: &Target, rate: f64, time: Duration) -> Result<Load> {
    let open = Open { rate, time, connections: CONNECTIONS, patience: PATIENCE };
    let load = runtime.block_on(Load::open(&target.calls(false), open))?;
    target.settle()?;
    Ok(load)
}

/// That whatever was refused has a public code.
fn typed(load: &Load) -> Result<()> {
    for (code, count) in load.refused() {
        let known = ErrorCode::ALL.iter().any(|known| known.text() == code);
        ensure!(known, "{count} calls were refused without a public code: {code}");
    }
    Ok(())
}

/// Calls that the audit counts.
fn count(target: &Target) -> Result<u64> {
    target.settle()?;
    let audit = target.network().context("Ambar has a network")?.audit()?;
    audit["calls"].as_u64().context("an audit counts calls")
}

/// That every answer has its receipt and every receipt its answer.
fn receipts(target: &Target, answered: u64, table: &mut Table) -> Result<()> {
    eprintln!("settling and auditing");
    target.settle()?;
    let audit = target.network().context("Ambar has a network")?.audit()?;
    ensure!(audit["ok"] == true, "the audit finds problems: {}", audit["problems"]);
    let (calls, settled) = (audit["calls"].as_u64(), audit["settled"].as_u64());
    table.row("whole answers", "calls", vec![answered as f64]);
    for (what, count) in
        [("calls", calls), ("receipts", audit["receipts"].as_u64()), ("settled", settled)]
    {
        table.row(format!("audit: {what}"), "calls", vec![count.unwrap_or_default() as f64]);
    }
    if calls != Some(answered) || settled != calls {
        bail!(
            "{answered} answers were whole, the audit counts {calls:?} calls, {settled:?} settled"
        );
    }
    table.note("every whole answer has a settled receipt, and every receipt an answer");
    Ok(())
}
