//! Gateways side by side: one command, one run, one mock upstream, each gateway alone on one
//! core, and Ambar among them with certificate, metering, price and a signed receipt for
//! every call. What is measured, and how to read it: `docs/book/bench.md`.
//!
//! A gateway that cannot be installed or started is a row that says why.
//!
//! **Invariant**: all targets get the same requests from the same load generator in the same
//! round, and none is left out in silence.

mod ambar;
mod cores;
mod idle;
pub mod install;
mod isolate;
mod leaving;
mod measure;
pub mod mock;
mod overload;
pub mod pass;
mod peers;
mod profile;
mod report;
mod script;
mod search;
mod stacks;
mod target;

pub use cores::Cores;
pub use idle::run as idle_streams;
pub use isolate::isolate;
pub use overload::run as overload;
pub use peers::Peer;
pub use profile::run as profile;

use crate::plan::Plan;
use crate::server::Server;
use crate::table::Table;
use ambar::Network;
use anyhow::Result;
use install::{Cache, one_line};
use isolate::Surroundings;
use measure::{Bench, Times};
use peers::Setting;
use report::{AMBAR, Report};
use std::time::Duration;
use target::Target;
use tempfile::TempDir;

/// Where gateways are measured; all of it ends with the value.
struct Stage {
    mock: Server,
    setting: Setting,
    surroundings: Surroundings,
    _work: TempDir,
}

impl Stage {
    fn set(plan: &Plan) -> Result<Self> {
        let surroundings = Surroundings::read();
        let cores = Cores::arrange();
        let (mock, work) = (mock::start()?, plan.directory()?);
        let setting = Setting {
            cores,
            cache: Cache::open()?,
            upstream: mock.address,
            work: work.path().to_owned(),
            alone: surroundings.alone,
        };
        Ok(Self { mock, setting, surroundings, _work: work })
    }

    /// Ambar, with more arguments or settings if there are any.
    fn ambar(&self, name: &str, more: Option<&str>) -> Result<Target> {
        let directory = self.setting.work.join(name.replace(|c: char| !c.is_alphanumeric(), "-"));
        let network = Network::start(&directory, self.mock.address, self.setting.cores, more)?;
        Ok(Target::ambar(name, network))
    }

    /// What has to be known of how it was measured.
    fn notes(&self, table: &mut Table) {
        table.note(self.setting.cores.to_string());
        table.note(match self.surroundings.alone {
            true => "in a network namespace that has only the loopback",
            false => "on the machine's loopback: no network namespace could be made",
        });
        table.note("the mock answers 20 words at once, or as 20 events, the end, usage and [DONE]");
    }
}

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let stage = Stage::set(plan)?;
    let (mut targets, mut absent) = (vec![Target::direct(&stage.mock)], Vec::new());
    let mut add = |name: &str, started: Result<Target>| match started {
        Ok(target) => targets.push(target),
        Err(error) => absent.push((name.to_owned(), one_line(&format!("{error:#}")))),
    };
    for peer in plan.peers() {
        match stage.surroundings.missing.get(peer.name()) {
            Some(reason) => add(peer.name(), Err(anyhow::anyhow!("not installed: {reason}"))),
            None => add(peer.name(), stage.setting.start(peer)),
        }
    }
    add(AMBAR, stage.ambar(AMBAR, None));
    if let Some(more) = plan.ambar() {
        let name = format!("{AMBAR} {more}");
        add(&name, stage.ambar(&name, Some(more)));
    }
    let times = times(plan);
    let samples = Bench::new(&targets, stage.mock.address, &stage.setting.work, times)?.run()?;
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let mut table = Report::table(&names, &samples, times.rounds, &absent);
    stage.notes(&mut table);
    table.note("added: the cell less that of `direct`, the mock asked without a gateway, of the same round");
    Ok(table)
}

fn times(plan: &Plan) -> Times {
    Times {
        rounds: plan.rounds().unwrap_or_else(|| plan.pick(5, 2)),
        closed: Duration::from_millis(plan.pick(1_500, 300)),
        open: Duration::from_millis(plan.pick(1_000, 300)),
        steps: plan.pick(4, 2),
    }
}
