//! A disk that is full, that fails, and that stops at any moment.

use super::*;
use ambar_base::{Coded, ErrorCode};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Faults that a test sets while the journal is open.
#[derive(Default)]
struct Script {
    /// Bytes that can still be written; no limit by default.
    space_bytes: Mutex<Option<usize>>,
    /// Operations of this kind fail.
    failing: Mutex<Option<Operation>>,
}

impl Script {
    fn set_space(&self, bytes: Option<usize>) {
        *self.space_bytes.lock().expect("no test panics with the lock") = bytes;
    }

    fn fail(&self, operation: Option<Operation>) {
        *self.failing.lock().expect("no test panics with the lock") = operation;
    }
}

impl Faults for Script {
    fn before(&self, operation: Operation, _: &Path) -> Fault {
        if *self.failing.lock().expect("no test panics with the lock") == Some(operation) {
            return Fault::Fail(io::Error::other("a fault of the disk"));
        }
        let mut space = self.space_bytes.lock().expect("no test panics with the lock");
        match (operation, space.as_mut()) {
            (Operation::Write(_), Some(0)) => Fault::Fail(io::ErrorKind::StorageFull.into()),
            (Operation::Write(bytes), Some(space)) => {
                let written = bytes.min(*space);
                *space -= written;
                Fault::Short(written)
            }
            _ => Fault::None,
        }
    }
}

fn scripted(directory: &Path) -> (Arc<Script>, Journal) {
    let script = Arc::new(Script::default());
    let disk = Disk::with_faults(script.clone());
    let (journal, _) = Journal::open_on(disk, directory, &small()).expect("the journal opens");
    (script, journal)
}

fn is_full(result: &Result<Position, JournalError>) -> bool {
    result.as_ref().is_err_and(|error| error.code() == ErrorCode::DiskFull)
}

#[test]
fn a_full_disk_refuses_keeps_what_stands_and_goes_on_with_space() {
    for space in [0, 1, 7, 8, 9, 60] {
        let directory = tempfile::tempdir().expect("a directory is created");
        let (script, journal) = scripted(directory.path());
        let first = commit(&journal, &[record(0, 50)]).expect("commits");
        let length = || std::fs::metadata(&segments(directory.path())[0]).expect("listed").len();
        journal.append(&record(1, 50)).expect("appends");
        let before = length();
        script.set_space(Some(space));
        assert!(is_full(&journal.append(&record(2, 50))), "space for {space} bytes");
        script.set_space(Some(space));
        assert!(is_full(&commit(&journal, &[record(3, 50), record(4, 50)])));
        assert_eq!(length(), before, "what was half-written is cut off");
        assert_eq!(journal.read(first).expect("reads"), record(0, 50));
        script.set_space(None);
        commit(&journal, &[record(5, 50)]).expect("commits with space again");
        journal.append(&record(6, 50)).expect("appends with space again");
        drop(journal);
        let expect = [0, 1, 5, 6].map(|number| record(number, 50));
        assert_eq!(payloads(&open(directory.path()).1), expect);
    }
}

#[test]
fn a_disk_that_is_full_when_a_segment_is_begun_goes_on_with_space() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (script, journal) = scripted(directory.path());
    commit(&journal, &[record(0, 3_900)]).expect("commits");
    for space in [0, 20, 48] {
        script.set_space(Some(space));
        assert!(is_full(&commit(&journal, &[record(1, 500)])));
        script.set_space(Some(space));
        assert!(is_full(&journal.append(&record(2, 500))));
    }
    script.set_space(None);
    commit(&journal, &[record(3, 500)]).expect("commits with space again");
    drop(journal);
    let expect = [record(0, 3_900), record(3, 500)];
    assert_eq!(payloads(&open(directory.path()).1), expect);
}

#[test]
fn a_short_write_is_completed() {
    let directory = tempfile::tempdir().expect("a directory is created");
    struct Drips;
    impl Faults for Drips {
        fn before(&self, operation: Operation, _: &Path) -> Fault {
            if matches!(operation, Operation::Write(_)) { Fault::Short(3) } else { Fault::None }
        }
    }
    let disk = Disk::with_faults(Arc::new(Drips));
    let (journal, _) = Journal::open_on(disk, directory.path(), &small()).expect("opens");
    commit(&journal, &[record(0, 50), record(1, 50)]).expect("commits");
    journal.append(&record(2, 50)).expect("appends");
    drop(journal);
    assert_eq!(payloads(&open(directory.path()).1), [0, 1, 2].map(|number| record(number, 50)));
}

#[test]
fn what_cannot_be_cut_off_at_once_is_cut_off_before_the_next_write() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (script, journal) = scripted(directory.path());
    commit(&journal, &[record(0, 50)]).expect("commits");
    script.fail(Some(Operation::Cut));
    script.set_space(Some(70));
    assert!(is_full(&journal.append(&record(1, 90))));
    script.set_space(None);
    let refused = journal.append(&record(2, 5));
    assert_eq!(refused.expect_err("the cut fails").code(), ErrorCode::DiskFailed);
    // A crash now leaves a torn tail.
    assert_eq!(payloads(&open(copy(directory.path()).path()).1), [record(0, 50)]);
    script.fail(None);
    journal.append(&record(3, 5)).expect("appends");
    drop(journal);
    let (_, recovered) = open(directory.path());
    assert_eq!(payloads(&recovered), [record(0, 50), record(3, 5)]);
    assert_eq!(recovered.truncated_bytes, 0);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_it_is_opened_again() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (script, journal) = scripted(directory.path());
    let first = commit(&journal, &[record(0, 50)]).expect("commits");
    script.fail(Some(Operation::SyncFile));
    let failed = commit(&journal, &[record(1, 50)]).expect_err("the sync fails");
    assert!(matches!(failed, JournalError::SyncFailed { .. }));
    assert_eq!(failed.code(), ErrorCode::DiskFailed);
    script.fail(None);
    for refused in [
        commit(&journal, &[record(2, 50)]),
        commit(&journal, &[]),
        journal.append(&record(3, 50)),
        journal.checkpoint(journal.end(), &[]),
    ] {
        assert!(matches!(refused, Err(JournalError::SyncFailed { .. })), "{refused:?}");
    }
    assert_eq!(journal.read(first).expect("reads go on"), record(0, 50));
    drop(journal);
    let (journal, recovered) = open(directory.path());
    // The record whose sync failed was refused, but may be there.
    assert_eq!(payloads(&recovered), [record(0, 50), record(1, 50)]);
    commit(&journal, &[record(4, 50)]).expect("commits again");
}

#[test]
fn what_is_not_known_to_be_durable_is_written_again_when_opened() {
    #[derive(Default)]
    struct Writes(Mutex<Vec<usize>>);
    impl Faults for Writes {
        fn before(&self, operation: Operation, _: &Path) -> Fault {
            if let Operation::Write(bytes) = operation {
                self.0.lock().expect("no test panics with the lock").push(bytes);
            }
            Fault::None
        }
    }
    let directory = tempfile::tempdir().expect("a directory is created");
    let (script, journal) = scripted(directory.path());
    commit(&journal, &[record(0, 50)]).expect("commits");
    script.fail(Some(Operation::SyncFile));
    commit(&journal, &[record(1, 50)]).expect_err("the sync fails");
    drop(journal);
    let writes = Arc::new(Writes::default());
    let disk = Disk::with_faults(writes.clone());
    let (_, recovered) = Journal::open_on(disk, directory.path(), &small()).expect("opens");
    assert_eq!(recovered.records.len(), 2);
    // The mark behind the first record and the second one; then a mark for both.
    let again = 16 + 8 + record(1, 50).len();
    assert_eq!(*writes.0.lock().expect("no test panics with the lock"), [again, 16]);
}

/// From operation `stop` on everything fails, as if the process had stopped there.
struct Stop {
    count: AtomicUsize,
    stop: usize,
}

impl Faults for Stop {
    fn before(&self, operation: Operation, _: &Path) -> Fault {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        match operation {
            // The last write before the end gets half-way.
            Operation::Write(bytes) if number + 1 == self.stop => Fault::Short(bytes / 2),
            _ if number >= self.stop => Fault::Fail(io::Error::other("stopped")),
            _ => Fault::Skip,
        }
    }
}

/// What a history has told until it stopped.
#[derive(Default)]
struct Told {
    acknowledged: Vec<Vec<u8>>,
    /// Whether the checkpoint was begun, and whether it was acknowledged.
    checkpoint: (bool, bool),
}

/// Commits into several segments, makes a checkpoint of the last record, and commits on.
fn history(journal: &Journal) -> Result<Told, Told> {
    let mut told = Told::default();
    for number in 0..12 {
        if number == 8 {
            told.checkpoint.0 = true;
            if journal.checkpoint(journal.end(), &told.acknowledged[7..]).is_err() {
                return Err(told);
            }
            told.checkpoint.1 = true;
        }
        match commit(journal, &[record(number, 1_500)]) {
            Ok(_) => told.acknowledged.push(record(number, 1_500)),
            Err(_) => return Err(told),
        }
    }
    Ok(told)
}

#[test]
fn a_stop_at_any_operation_loses_nothing_that_was_acknowledged() {
    let mut checkpoints = [0; 2];
    for stop in 0.. {
        let directory = tempfile::tempdir().expect("a directory is created");
        let faults = Arc::new(Stop { count: AtomicUsize::new(0), stop });
        let opened = Journal::open_on(Disk::with_faults(faults), directory.path(), &small());
        let ended = opened.map_or_else(|_| Err(Told::default()), |(journal, _)| history(&journal));
        let complete = ended.is_ok();
        let told = ended.unwrap_or_else(|told| told);
        let found = payloads(&open(directory.path()).1);
        let all: Vec<_> = (0..12).map(|number| record(number, 1_500)).collect();
        let skipped = if found.first() == Some(&all[7]) { 7 } else { 0 };
        assert!(skipped == 0 || told.checkpoint.0, "stop {stop}: no checkpoint was begun");
        assert!(skipped == 7 || !told.checkpoint.1, "stop {stop}: the checkpoint is lost");
        checkpoints[usize::from(skipped == 7)] += 1;
        // Acknowledged ones in order, and at most the one that was under way.
        let acknowledged = told.acknowledged.len();
        assert!(found == all[skipped..][..found.len()], "stop {stop}");
        let last = skipped + found.len();
        assert!((acknowledged..=acknowledged + 1).contains(&last), "stop {stop}: {last}");
        if complete {
            assert!(stop > 40, "the history has more operations than {stop}");
            break;
        }
    }
    assert!(checkpoints.iter().all(|count| *count > 5), "{checkpoints:?}");
}
