//! The call journal on this disk, beside what the disk does by itself.

use crate::plan::Plan;
use crate::table::{Table, percentile};
use ambar_gateway::journal::{Journal, JournalError, Settings};
use anyhow::Result;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;

/// About what a call writes.
const RECORD_BYTES: usize = 300;
/// Committers at once.
const COMMITTERS: [usize; 3] = [1, 16, 64];

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let (place, runtime) = (plan.directory()?, Runtime::new()?);
    let mut table = Table::default();
    table.row(
        "write and fdatasync without a journal",
        "us",
        bare(place.path(), plan.pick(1_000, 100))?,
    );
    for committers in COMMITTERS {
        let each = plan.pick(6_000, 600) / committers;
        let (mut rates, mut medians, mut tails) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..plan.pick(5, 2) {
            let path = place.path().join(format!("{committers}-{round}"));
            let (times, rate) = runtime.block_on(commits(&path, committers, each))?;
            rates.push(rate);
            medians.extend(percentile(&times, 50));
            tails.extend(percentile(&times, 99));
        }
        table.row(format!("commits of {committers} at once"), "1/s", rates);
        table.row(format!("commits of {committers} at once, p50"), "us", medians);
        table.row(format!("commits of {committers} at once, p99"), "us", tails);
    }
    let times = appends(&place.path().join("appends"), plan.pick(200_000, 20_000))?;
    table.row("append without waiting for the disk", "us", times);
    table.note(format!("records of {RECORD_BYTES} bytes"));
    Ok(table)
}

/// The time of each write at the end of a file with fdatasync, µs.
pub fn bare(directory: &Path, count: usize) -> Result<Vec<f64>> {
    let mut file = File::create(directory.join("bare"))?;
    let mut sync = || {
        let started = Instant::now();
        file.write_all(&[7; RECORD_BYTES])?;
        file.sync_data()?;
        Ok(microseconds(started))
    };
    (0..count).map(|_| sync()).collect()
}

fn microseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6
}

/// The time of each commit, µs, and commits per second.
async fn commits(path: &Path, committers: usize, each: usize) -> Result<(Vec<f64>, f64)> {
    let (journal, _) = Journal::open(path, &Settings::default())?;
    let (journal, started) = (Arc::new(journal), Instant::now());
    let tasks: Vec<_> =
        (0..committers).map(|_| tokio::spawn(committer(Arc::clone(&journal), each))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    Ok((times, rate))
}

async fn committer(journal: Arc<Journal>, count: usize) -> Result<Vec<f64>, JournalError> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        journal.commit(vec![vec![7; RECORD_BYTES]]).await?;
        times.push(microseconds(started));
    }
    Ok(times)
}

fn appends(path: &Path, count: usize) -> Result<Vec<f64>> {
    let (journal, _) = Journal::open(path, &Settings::default())?;
    let append = || {
        let started = Instant::now();
        journal.append(&[7; RECORD_BYTES])?;
        Ok(microseconds(started))
    };
    (0..count).map(|_| append()).collect()
}
