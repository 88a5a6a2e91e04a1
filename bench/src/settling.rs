//! Receipt batches through full blocks of a running ledger: how many calls settle per second,
//! after how long a batch is final, and what they leave on the disk.
//!
//! Gateways are closed loops: each submits its next batch when its last one is final. Calls,
//! call ids and accounts are new ones throughout. All validators are threads of this
//! process, on loopback, with everything signed and checked.

mod load;
mod network;
mod run;

use crate::ledger::batches::Market;
use crate::plan::Plan;
use crate::table::{Table, Target};
use crate::usage::process_cpu;
use anyhow::Result;
use load::Load;
use network::{BLOCKS_KEPT, Disk, Network};

/// Most gateways that settle at once.
const GATEWAYS: usize = 16;
/// Channels of a gateway that take turns.
const CHANNELS: u64 = 4;
/// Calls of a batch.
const BATCH: u64 = 256;
/// Heights within which a call may settle: short, so that what is forgotten after it is
/// forgotten within this bench.
const WINDOW: u64 = 1_500;
/// Bytes of a call in a block.
const CALL_BYTES_MAX: f64 = 200.0;
/// State kept for a million calls after pruning, MB.
const STATE_MAX: f64 = 150.0;

/// One committee and what is asked of it.
struct Case {
    validators: usize,
    /// Gateways that settle at once: what waits is theirs, so that with twice as many a batch
    /// takes twice as long at the same rate (Little, Operations Research 9, 1961).
    gateways: usize,
    calls_per_s: f64,
    /// The time until an idle network has made a transaction final, ms.
    idle: Option<f64>,
    /// A percentile of the time until a batch is final under load, ms.
    loaded: (usize, f64),
}

const CASES: [Case; 2] = [
    Case {
        validators: 1,
        gateways: 8,
        calls_per_s: 100_000.0,
        idle: Some(10.0),
        loaded: (50, 25.0),
    },
    Case {
        validators: 4,
        gateways: GATEWAYS,
        calls_per_s: 30_000.0,
        idle: None,
        loaded: (99, 250.0),
    },
];

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let mut market = Market::new(GATEWAYS + 1, CHANNELS, |genesis| {
        genesis.parameters.settlement_window = WINDOW;
    });
    let mut table = Table::default();
    for case in &CASES {
        Measured { plan, market: &mut market, case, table: &mut table }.run()?;
    }
    for Case { validators, gateways, .. } in &CASES {
        let by = format!("{gateways} gateways in closed loops, batches of {BATCH} calls");
        table.note(format!("{validators} validators: {by}"));
    }
    table.note(format!(
        "what a million calls leave: growth from {WINDOW} heights after a first load to {WINDOW} \
         after a second; peers can fetch {BLOCKS_KEPT} blocks"
    ));
    Ok(table)
}

struct Measured<'a> {
    plan: &'a Plan,
    market: &'a mut Market,
    case: &'a Case,
    table: &'a mut Table,
}

impl Measured<'_> {
    fn run(mut self) -> Result<()> {
        let network = Network::start(self.plan, self.market, self.case.validators)?;
        // By an operator of whom the load has nothing.
        let idle = (0..self.plan.pick(100, 20)).map(|n| self.market.opening(GATEWAYS, n, 1));
        let idle = network.idle(idle)?;
        self.row(
            "one transaction until final, idle",
            "ms",
            idle,
            self.case.idle.map(Target::AtMost),
        );
        let gateways = self.case.gateways;
        let each = self.plan.pick(300_000, 100_000) / gateways as u64 / BATCH;
        // Heights pass while these are signed, of which the window has not many.
        let mut prepare = |numbers| {
            self.market.admitted = network.admission();
            Load::prepare(self.market, gateways, numbers, BATCH)
        };
        // Half as many calls first, and all windows: what they fill is filled once.
        let (first, second) = (0..each / 2, each / 2..each / 2 + each);
        network.settle(&prepare(first))?;
        network.pass(WINDOW);
        let (before, state) = (network.disk()?, network.state_bytes()?);
        let load = prepare(second);
        self.loaded(&network, &load)?;
        network.pass(WINDOW);
        let kept = network.state_bytes()?.saturating_sub(state);
        self.kept(&load, kept, before, network.disk()?);
        network.stop();
        Ok(())
    }

    fn loaded(&mut self, network: &Network, load: &Load) -> Result<()> {
        let cpu = process_cpu(std::process::id())?;
        let (run, parts) = (network.settle(load)?, self.plan.pick(10, 3));
        let cpu = process_cpu(std::process::id())?.saturating_sub(cpu);
        let cpu = vec![cpu.as_secs_f64() * 1e6 / load.calls() as f64];
        self.row("CPU time of a call, gateways included", "us", cpu, None);
        let target = Target::AtLeast(self.case.calls_per_s);
        self.row("calls settled", "1/s", run.rates(parts), Some(target));
        let (aimed, most) = self.case.loaded;
        for percent in [50, 99] {
            let target = (percent == aimed).then_some(Target::AtMost(most));
            let what = format!("a batch until final, p{percent}");
            self.row(&what, "ms", run.latency(parts, percent), target);
        }
        Ok(())
    }

    /// What a million calls leave.
    fn kept(&mut self, load: &Load, state: u64, before: Disk, after: Disk) {
        let of = |bytes: u64| vec![bytes as f64 / load.calls() as f64];
        let grown = |part: fn(&Disk) -> u64| of(part(&after).saturating_sub(part(&before)));
        let (bytes, most) = (of(load.bytes() as u64), Some(Target::AtMost(CALL_BYTES_MAX)));
        self.row("a call in a block", "bytes", bytes, most);
        let most = Some(Target::AtMost(STATE_MAX));
        self.row("state of a million calls, keys and values", "MB", of(state), most);
        self.row(
            "engine's state of a million calls, on disk",
            "MB",
            grown(|disk| disk.state),
            most,
        );
        self.row("bodies of a million calls, for peers", "MB", grown(|disk| disk.blocks), None);
        self.row("bodies of a million calls, in the view", "MB", grown(|disk| disk.view), None);
    }

    fn row(&mut self, what: &str, unit: &'static str, samples: Vec<f64>, target: Option<Target>) {
        let what = format!("{} validators: {what}", self.case.validators);
        match target {
            Some(target) => self.table.aimed(what, unit, samples, target),
            None => self.table.row(what, unit, samples),
        }
    }
}
