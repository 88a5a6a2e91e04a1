//! The rounds: every figure of every target, the targets in turns, so that what else the
//! machine does meets all of them.

use super::leaving::leave;
use super::search::{Probe, search};
use super::target::Target;
use crate::journal::bare;
use crate::load::{Load, Open};
use crate::table::percentile;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Clients of the closed loops.
pub const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// Bounds on the 99th percentile of latency, ms.
pub const BOUNDS: [f64; 4] = [1.0, 5.0, 10.0, 50.0];
/// Connections of an open loop: as many calls can be under way.
const OPEN_CONNECTIONS: usize = 256;
/// A call that is sent later than this after it was due is not sent.
const PATIENCE: Duration = Duration::from_secs(1);
/// Syncs of the disk by itself, in each round.
const SYNCS: usize = 400;
/// How far above the closed loops' best rate the search begins.
const MOST_OVER_CLOSED: f64 = 1.05;

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Rounds.
    pub rounds: usize,
    /// Of one closed loop.
    pub closed: Duration,
    /// Of one open loop.
    pub open: Duration,
    /// Open loops for each bound.
    pub steps: usize,
}

/// One closed loop of one target in one round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cell {
    /// Whole answers per second.
    pub rate: f64,
    /// To the last byte, ms.
    pub p50: f64,
    /// To the last byte, ms.
    pub p99: f64,
    /// To the first byte of the body, ms.
    pub first: f64,
    /// CPU time of the target's processes per answer, µs.
    pub cpu: f64,
}

/// Which closed loop: of which target, streams or not, how many clients.
pub type Place = (usize, bool, usize);

/// Everything that was measured.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// By place and round.
    pub cells: BTreeMap<(Place, usize), Cell>,
    /// Calls per second within a bound, by target and place of the bound.
    pub bounded: BTreeMap<(usize, usize), Vec<f64>>,
    /// Events that the upstream wrote for a client that left, by target.
    pub left: BTreeMap<usize, Vec<f64>>,
    /// The most memory, MB, by target.
    pub peaks: BTreeMap<usize, f64>,
    /// What was refused, by target and whether streams: reasons and counts.
    pub refused: BTreeMap<(usize, bool), BTreeMap<String, u64>>,
    /// What the disk by itself takes to write a record and sync it, ms: p50 and p99, by round.
    pub syncs: Vec<(f64, f64)>,
    /// Why a target gives no figures of a kind.
    pub broken: BTreeMap<(usize, bool), String>,
}

/// What measures.
pub struct Bench<'a> {
    targets: &'a [Target],
    mock: SocketAddr,
    /// Where Ambar's journal is, or on the same disk.
    work: &'a Path,
    times: Times,
    runtime: Runtime,
    samples: Samples,
}

impl<'a> Bench<'a> {
    /// On these targets.
    pub fn new(
        targets: &'a [Target],
        mock: SocketAddr,
        work: &'a Path,
        times: Times,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { targets, mock, work, times, runtime, samples: Samples::default() })
    }

    /// Every round.
    pub fn run(mut self) -> Result<Samples> {
        // What is read first: caches, connections, allocators, compiled scripts.
        self.loops(None, &CLIENTS[1..2])?;
        for round in 0..self.times.rounds {
            eprintln!("round {} of {}", round + 1, self.times.rounds);
            self.disk()?;
            self.loops(Some(round), &CLIENTS)?;
            self.every(false, |bench, target| bench.bounded(round, target))?;
            self.every(true, Self::left)?;
        }
        for (place, target) in self.targets.iter().enumerate() {
            self.samples.peaks.insert(place, target.peak()?);
        }
        Ok(self.samples)
    }

    /// What the disk by itself takes, beside what a call takes that waits for it.
    fn disk(&mut self) -> Result<()> {
        let times = bare(self.work, SYNCS)?;
        let of = |p| percentile(&times, p).map(|us| us / 1e3);
        self.samples.syncs.extend(of(50).zip(of(99)));
        Ok(())
    }

    fn loops(&mut self, round: Option<usize>, clients: &[usize]) -> Result<()> {
        for stream in [false, true] {
            for clients in clients {
                self.every(stream, |bench, target| {
                    bench.closed(round, (target, stream, *clients))
                })?;
            }
        }
        Ok(())
    }

    /// Does something with every target that is not broken; one that breaks is left out of the
    /// rest of its kind. What Ambar did is settled before the next begins.
    fn every(
        &mut self,
        stream: bool,
        mut work: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        for place in 0..self.targets.len() {
            if self.samples.broken.contains_key(&(place, stream)) {
                continue;
            }
            if let Err(error) = work(self, place) {
                self.samples.broken.insert((place, stream), format!("{error:#}"));
            }
            self.targets[place].settle()?;
        }
        Ok(())
    }

    fn closed(&mut self, round: Option<usize>, place: Place) -> Result<()> {
        let (target, stream, clients) = place;
        let target = &self.targets[target];
        let before = target.cpu()?;
        let calls = target.calls(stream);
        let load = self.runtime.block_on(Load::closed(&calls, clients, self.times.closed))?;
        let used = target.cpu()?.saturating_sub(before);
        self.refusals(place.0, stream, &load);
        if load.calls() == 0 {
            let reasons: BTreeSet<&str> = load.refused().keys().map(String::as_str).collect();
            return Err(anyhow::anyhow!(reasons.into_iter().collect::<Vec<_>>().join("; ")));
        }
        let Some(round) = round else { return Ok(()) };
        let cell = Cell {
            rate: load.rate(),
            p50: load.percentile(50.0)? / 1e3,
            p99: load.percentile(99.0)? / 1e3,
            first: load.first(50.0)? / 1e3,
            cpu: used.as_secs_f64() * 1e6 / load.calls() as f64,
        };
        self.samples.cells.insert((place, round), cell);
        Ok(())
    }

    fn refusals(&mut self, target: usize, stream: bool, load: &Load) {
        for (reason, count) in load.refused() {
            let refused = self.samples.refused.entry((target, stream)).or_default();
            *refused.entry(reason.clone()).or_default() += count;
        }
    }

    fn bounded(&mut self, round: usize, place: usize) -> Result<()> {
        let rate = |clients| self.samples.cells.get(&((place, false, clients), round));
        let closed = CLIENTS.into_iter().filter_map(rate).map(|cell| cell.rate);
        let most = closed.fold(0.0, f64::max) * MOST_OVER_CLOSED;
        let (target, time) = (&self.targets[place], self.times.open);
        let calls = target.calls(false);
        let probe = |rate: f64| {
            let open = Open { rate, time, connections: OPEN_CONNECTIONS, patience: PATIENCE };
            let load = self.runtime.block_on(Load::open(&calls, open))?;
            target.settle()?;
            let answered = load.refusals() == 0 && load.unsent() == 0;
            Ok(Probe { rate, answered, p99: load.percentile(99.0).unwrap_or(f64::MAX) / 1e3 })
        };
        let found = search(most, &BOUNDS, self.times.steps, probe).context("open loop")?;
        for (bound, rate) in found.into_iter().enumerate() {
            self.samples.bounded.entry((place, bound)).or_default().push(rate);
        }
        Ok(())
    }

    fn left(&mut self, place: usize) -> Result<()> {
        let written = self.runtime.block_on(leave(&self.targets[place], self.mock))?;
        self.samples.left.entry(place).or_default().push(written);
        Ok(())
    }
}
