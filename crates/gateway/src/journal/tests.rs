//! Tests of the journal through its public face, and what they share.

mod concurrency;
mod faults;
mod kill;
mod properties;
mod recovery;

use super::{
    Disk, Fault, Faults, Journal, JournalError, Operation, Position, Recovered, SEGMENT_BYTES_MIN,
    Settings, Sync,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Settings with the smallest segments.
fn small() -> Settings {
    Settings { segment_bytes_max: SEGMENT_BYTES_MIN, ..Settings::default() }
}

/// Settings in which one record fills a group.
fn one_by_one() -> Settings {
    Settings { sync: Sync::Group { delay: Duration::ZERO, records_max: 1 }, ..small() }
}

/// A disk that syncs nothing: quick, and good enough where nobody pulls the plug.
struct Unsynced;

impl Faults for Unsynced {
    fn before(&self, _: Operation, _: &Path) -> Fault {
        Fault::Skip
    }
}

fn open(directory: &Path) -> (Journal, Recovered) {
    let disk = Disk::with_faults(Arc::new(Unsynced));
    Journal::open_on(disk, directory, &small()).expect("the journal opens")
}

/// Record `number`: its name and as many more bytes.
fn record(number: usize, bytes: usize) -> Vec<u8> {
    let mut record = format!("record {number:08} ").into_bytes();
    record.resize(record.len() + bytes, number as u8);
    record
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime starts").block_on(future)
}

fn commit(journal: &Journal, records: &[Vec<u8>]) -> Result<Position, JournalError> {
    wait(journal.commit(records.to_vec()))
}

/// The paths of the segments in a directory, ascending.
fn segments(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory lists");
    let paths = entries.map(|entry| entry.expect("an entry lists").path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "journal")).collect();
    paths.sort();
    paths
}

/// The records alone.
fn payloads(recovered: &Recovered) -> Vec<Vec<u8>> {
    recovered.records.iter().map(|(_, record)| record.clone()).collect()
}

/// A copy of a journal's segments, as a crash at this moment would leave them.
fn copy(directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a directory is created");
    for path in segments(directory) {
        let name = path.file_name().expect("a segment has a name");
        std::fs::copy(&path, copy.path().join(name)).expect("a segment copies");
    }
    copy
}
