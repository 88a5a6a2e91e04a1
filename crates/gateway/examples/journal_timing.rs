//! Times the call journal on the disk of a directory (the working directory by default):
//! `cargo run --release -p ambar-gateway --example journal_timing [DIRECTORY]`.

use ambar_gateway::journal::{Journal, JournalError, Settings};
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const RECORD_BYTES: usize = 300;
const COMMITS: usize = 6_000;
const BARE_SYNCS: usize = 1_000;
const APPENDS: usize = 200_000;

/// Prints rate, median and 99th percentile.
fn print(name: &str, mut times: Vec<Duration>, all: Duration) {
    times.sort();
    let micros = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e6;
    let rate = times.len() as f64 / all.as_secs_f64();
    println!("{name:<28} {rate:>10.0} {:>10.1} {:>10.1}", micros(50), micros(99));
}

fn time<T>(times: &mut Vec<Duration>, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = act();
    times.push(start.elapsed());
    result
}

/// What the disk does without a journal: a write at the end of a file, and fdatasync.
fn bare(directory: &Path) -> std::io::Result<()> {
    let mut file = File::create(directory.join("bare"))?;
    let (mut times, start) = (Vec::new(), Instant::now());
    for _ in 0..BARE_SYNCS {
        time(&mut times, || file.write_all(&[7; RECORD_BYTES]).and_then(|()| file.sync_data()))?;
    }
    print("write and fdatasync", times, start.elapsed());
    Ok(())
}

async fn committer(journal: Arc<Journal>, count: usize) -> Result<Vec<Duration>, JournalError> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        journal.commit(vec![vec![7; RECORD_BYTES]]).await?;
        times.push(start.elapsed());
    }
    Ok(times)
}

async fn commits(directory: &Path, committers: usize) -> Result<(), Box<dyn Error>> {
    let path = directory.join(format!("of {committers}"));
    let (journal, _) = Journal::open(path, &Settings::default())?;
    let (journal, start) = (Arc::new(journal), Instant::now());
    let tasks: Vec<_> = (0..committers)
        .map(|_| tokio::spawn(committer(Arc::clone(&journal), COMMITS / committers)))
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    print(&format!("commits of {committers} at once"), times, start.elapsed());
    Ok(())
}

fn appends(directory: &Path) -> Result<(), JournalError> {
    let (journal, _) = Journal::open(directory.join("appends"), &Settings::default())?;
    let (mut times, start) = (Vec::with_capacity(APPENDS), Instant::now());
    for _ in 0..APPENDS {
        time(&mut times, || journal.append(&[7; RECORD_BYTES]))?;
    }
    print("appends", times, start.elapsed());
    Ok(())
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let parent = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let directory = tempfile::tempdir_in(parent)?;
    println!(
        "{:<28} {:>10} {:>10} {:>10}",
        "records of 300 bytes", "per second", "µs p50", "µs p99"
    );
    bare(directory.path())?;
    for committers in [1, 16, 64] {
        commits(directory.path(), committers).await?;
    }
    appends(directory.path())?;
    Ok(())
}
