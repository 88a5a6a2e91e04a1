//! The rounds as a table: for each figure a row for each target, so that they stand side by
//! side, with what the design asks of Ambar; below it the medians once more in a grid.

use super::measure::{BOUNDS, CLIENTS, Cell, Samples};
use super::script::CHUNKS;
use crate::table::{Spread, Table, Target as Aim, number};
use std::fmt::Write as _;

/// The name of Ambar as it is; targets are for it alone.
pub const AMBAR: &str = "ambar";
/// The name of the mock itself.
pub const DIRECT: &str = "direct";

/// Least calls per second, by clients.
const RATES_MIN: [(usize, f64); 2] = [(16, 20_000.0), (64, 15_000.0)];
/// Least streams per second of 64 clients.
const STREAMS_MIN: f64 = 3_000.0;
/// Most that Ambar adds at 1 client, ms.
const ADDED_P50_MAX: f64 = 0.25;
/// See [`ADDED_P50_MAX`].
const ADDED_P99_MAX: f64 = 1.0;
/// The same to the first byte of a stream, ms.
const ADDED_FIRST_MAX: f64 = 0.15;
/// Most memory, MB.
const PEAK_MB_MAX: f64 = 64.0;
/// How many times the calls per second of others, at 16 clients.
const TIMES_MIN: [(&str, f64); 3] = [("tensorzero", 2.0), ("portkey", 16.0), ("litellm", 100.0)];
/// Clients at which rates and CPU time are told.
const BUSY: [usize; 2] = [16, 64];

/// Names and figures.
pub struct Report<'a> {
    names: &'a [&'a str],
    samples: &'a Samples,
    rounds: usize,
    table: Table,
    grid: Grid,
}

type Pick = fn(&Cell) -> f64;

impl<'a> Report<'a> {
    /// The table of everything; `absent` are those that did not run, and why.
    #[must_use]
    pub fn table(
        names: &'a [&'a str],
        samples: &'a Samples,
        rounds: usize,
        absent: &[(String, String)],
    ) -> Table {
        let grid = Grid::new(names);
        let mut report = Self { names, samples, rounds, table: Table::default(), grid };
        for (name, reason) in absent {
            report.table.absent(format!("{name}: everything"), "", reason);
        }
        report.rates();
        report.added();
        report.streams();
        report.costs();
        report.ratios();
        report.troubles();
        let Self { mut table, grid, .. } = report;
        grid.lines().for_each(|line| table.note(line));
        table
    }

    /// A figure of every target; `aim` is for Ambar.
    fn figure(
        &mut self,
        what: &str,
        unit: &'static str,
        aim: Option<Aim>,
        (stream, of): (bool, &dyn Fn(usize) -> Vec<f64>),
    ) {
        self.grid.begin(what, unit);
        for (place, name) in self.names.iter().enumerate() {
            let (row, samples) = (format!("{what}, {name}"), of(place));
            self.grid.add(&samples);
            match (self.samples.broken.get(&(place, stream)), aim) {
                // Nothing is added to the mock itself.
                _ if *name == DIRECT && samples.is_empty() => {}
                (Some(reason), _) if samples.is_empty() => self.table.absent(row, unit, reason),
                (_, Some(aim)) if *name == AMBAR => self.table.aimed(row, unit, samples, aim),
                _ => self.table.row(row, unit, samples),
            }
        }
    }

    /// A figure of a closed loop, round by round.
    fn cells(&self, place: (usize, bool, usize), pick: Pick) -> Vec<f64> {
        let cell = |round| self.samples.cells.get(&(place, round));
        (0..self.rounds).filter_map(cell).map(pick).collect()
    }

    /// The same less that of the mock itself in the same round.
    fn over_direct(&self, (target, stream, clients): (usize, bool, usize), pick: Pick) -> Vec<f64> {
        let Some(direct) = self.names.iter().position(|name| *name == DIRECT) else {
            return Vec::new();
        };
        let both = |round| {
            let of = |target| self.samples.cells.get(&((target, stream, clients), round));
            Some(pick(of(target)?) - pick(of(direct)?))
        };
        if target == direct { Vec::new() } else { (0..self.rounds).filter_map(both).collect() }
    }

    fn rates(&mut self) {
        for (clients, least) in RATES_MIN {
            let samples = self.samples_of(false, clients, |cell| cell.rate);
            let what = format!("calls of {clients} clients");
            self.figure(&what, "1/s", Some(Aim::AtLeast(least)), (false, &|t| samples[t].clone()));
        }
        for (bound, ms) in BOUNDS.into_iter().enumerate() {
            let samples = self.samples;
            let of = |target| samples.bounded.get(&(target, bound)).cloned().unwrap_or_default();
            self.figure(&format!("calls at p99 <= {ms} ms"), "1/s", None, (false, &of));
        }
    }

    fn samples_of(&self, stream: bool, clients: usize, pick: Pick) -> Vec<Vec<f64>> {
        (0..self.names.len()).map(|target| self.cells((target, stream, clients), pick)).collect()
    }

    fn added_of(&self, stream: bool, clients: usize, pick: Pick) -> Vec<Vec<f64>> {
        let of = |target| self.over_direct((target, stream, clients), pick);
        (0..self.names.len()).map(of).collect()
    }

    fn added(&mut self) {
        let figures: [(&str, Pick, f64); 2] =
            [("p50", |cell| cell.p50, ADDED_P50_MAX), ("p99", |cell| cell.p99, ADDED_P99_MAX)];
        for clients in CLIENTS {
            for (name, pick, most) in figures {
                let own = self.samples_of(false, clients, pick);
                let what = format!("{name} of {clients} clients");
                self.figure(&what, "ms", None, (false, &|t| own[t].clone()));
                let added = self.added_of(false, clients, pick);
                let what = format!("added to the {name} of {clients} clients");
                self.figure(&what, "ms", None, (false, &|t| added[t].clone()));
                if clients == 1 {
                    self.beyond_a_sync(name, most, &added);
                }
            }
        }
    }

    /// What Ambar adds at one client besides waiting for the disk: a receipt is durable before
    /// its answer ends.
    fn beyond_a_sync(&mut self, name: &str, most: f64, added: &[Vec<f64>]) {
        let syncs = self.samples.syncs.iter();
        let syncs: Vec<f64> =
            syncs.map(|(p50, p99)| if name == "p50" { *p50 } else { *p99 }).collect();
        let Some(ambar) = self.names.iter().position(|known| *known == AMBAR) else { return };
        let beyond = added[ambar].iter().zip(&syncs).map(|(added, sync)| added - sync).collect();
        self.table.row(format!("a sync of the disk by itself, {name}"), "ms", syncs.clone());
        let what = format!("added to the {name} of 1 clients beyond a sync, {AMBAR}");
        self.table.aimed(what, "ms", beyond, Aim::AtMost(most));
    }

    fn streams(&mut self) {
        for clients in BUSY {
            let samples = self.samples_of(true, clients, |cell| cell.rate);
            let aim = (clients == 64).then_some(Aim::AtLeast(STREAMS_MIN));
            let what = format!("streams of {clients} clients");
            self.figure(&what, "1/s", aim, (true, &|t| samples[t].clone()));
        }
        let added = self.added_of(true, 1, |cell| cell.first);
        let aim = Some(Aim::AtMost(ADDED_FIRST_MAX));
        let what = "added to a stream's first byte, 1 client";
        self.figure(what, "ms", aim, (true, &|t| added[t].clone()));
        let whole = self.samples_of(true, 1, |cell| cell.p50);
        self.figure("p50 of a whole stream, 1 client", "ms", None, (true, &|t| whole[t].clone()));
        let samples = self.samples;
        let left = |target| samples.left.get(&target).cloned().unwrap_or_default();
        let what = format!("events of {CHUNKS} written for who left at 8");
        self.figure(&what, "events", None, (true, &left));
    }

    fn costs(&mut self) {
        for (stream, kind) in [(false, "call"), (true, "stream")] {
            for clients in BUSY {
                let cpu = self.samples_of(stream, clients, |cell| cell.cpu);
                let what = format!("CPU of a {kind}, {clients} clients");
                self.figure(&what, "us", None, (stream, &|t| cpu[t].clone()));
            }
        }
        let samples = self.samples;
        let peak = |target| samples.peaks.get(&target).copied().into_iter().collect();
        self.figure("peak memory", "MB", Some(Aim::AtMost(PEAK_MB_MAX)), (false, &peak));
    }

    fn ratios(&mut self) {
        let Some(ambar) = self.names.iter().position(|name| *name == AMBAR) else { return };
        for (name, least) in TIMES_MIN {
            let Some(other) = self.names.iter().position(|other| *other == name) else { continue };
            let of = |target| self.cells((target, false, 16), |cell| cell.rate);
            let ratios: Vec<f64> = of(ambar).iter().zip(of(other)).map(|(a, b)| a / b).collect();
            let what = format!("{AMBAR} / {name}, calls of 16 clients");
            match self.samples.broken.get(&(other, false)) {
                Some(reason) if ratios.is_empty() => self.table.absent(what, "", reason),
                _ => self.table.aimed(what, "", ratios, Aim::AtLeast(least)),
            }
        }
    }

    /// What did not go as it should.
    fn troubles(&mut self) {
        for ((target, stream), refused) in &self.samples.refused {
            let kind = if *stream { "streams" } else { "calls" };
            for (reason, count) in refused {
                let name = self.names[*target];
                self.table.note(format!("{name}: {count} {kind} not answered: {reason}"));
            }
        }
    }
}

/// Medians, a column for each target.
struct Grid {
    text: String,
}

/// Widths of the columns of a grid.
const WHAT: usize = 42;
const VALUE: usize = 11;

impl Grid {
    fn new(names: &[&str]) -> Self {
        let mut grid = Self { text: format!("\n{:<WHAT$}", "medians") };
        names.iter().for_each(|name| grid.column(name));
        grid
    }

    fn column(&mut self, value: &str) {
        let value: String = value.chars().take(VALUE - 1).collect();
        // Writing to a text does not fail.
        let _ = write!(self.text, "{value:>VALUE$}");
    }

    fn begin(&mut self, what: &str, unit: &str) {
        let _ = write!(self.text, "\n{:<WHAT$}", format!("{what}, {unit}"));
    }

    fn add(&mut self, samples: &[f64]) {
        let median = Spread::of(samples).map_or("-".to_owned(), |spread| number(spread.median));
        self.column(&median);
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_is_what_a_round_adds_and_reasons_stand_in_rows() {
        let mut samples = Samples::default();
        let mut put = |target, round, p50, rate| {
            let cell = Cell { p50, p99: p50, rate, ..Cell::default() };
            samples.cells.insert(((target, false, 1), round), cell);
            samples.cells.insert(((target, false, 16), round), cell);
        };
        put(0, 0, 0.1, 9e4);
        put(0, 1, 0.3, 9e4);
        put(1, 0, 0.3, 3e4);
        put(1, 1, 0.4, 1e4);
        samples.syncs = vec![(0.15, 0.15), (0.05, 0.15)];
        samples.broken.insert((2, false), "cannot be started".to_owned());
        samples.refused.entry((1, true)).or_default().insert("overloaded".to_owned(), 3);
        let names = [DIRECT, AMBAR, "litellm"];
        let table = Report::table(&names, &samples, 2, &[("nginx".into(), "no network".into())])
            .to_string();
        let line = |start: &str| {
            let found = table.lines().find(|line| line.starts_with(start));
            found.unwrap_or_else(|| panic!("{start}: {table}")).to_owned()
        };
        let added = line("added to the p50 of 1 clients, ambar");
        assert!(added.contains("0.150") && added.contains("0.100"), "{added}");
        let beyond = line("added to the p50 of 1 clients beyond a sync, ambar");
        assert!(beyond.contains("0.050") && beyond.ends_with("yes"), "{beyond}");
        let rate = line("calls of 16 clients, ambar");
        assert!(rate.contains("20000") && rate.ends_with("yes"), "{rate}");
        assert!(line("calls of 16 clients, litellm").ends_with("cannot be started"));
        assert!(line("nginx: everything").ends_with("no network"));
        assert!(line("ambar / litellm").ends_with("cannot be started"));
        assert!(table.contains("ambar: 3 streams not answered: overloaded"));
        let grid = line("  calls of 16 clients, 1/s");
        assert!(grid.contains("90000") && grid.trim_end().ends_with('-'), "{grid}");
    }
}
