//! Many committers at once, and the queue's limits.

use super::*;
use crate::journal::RECORD_BYTES_MAX;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

/// Counts syncs of files, and holds them back while it is shut.
#[derive(Default)]
struct Gate {
    syncs: AtomicUsize,
    shut: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().expect("no test panics with the lock") = shut;
        self.changed.notify_all();
    }

    fn wait_for_sync(&self, number: usize) {
        while self.syncs.load(Ordering::SeqCst) < number {
            std::thread::yield_now();
        }
    }
}

impl Faults for Gate {
    fn before(&self, operation: Operation, _: &Path) -> Fault {
        if operation == Operation::SyncFile {
            self.syncs.fetch_add(1, Ordering::SeqCst);
            let shut = self.shut.lock().expect("no test panics with the lock");
            drop(self.changed.wait_while(shut, |shut| *shut));
        }
        Fault::None
    }
}

fn open_behind(gate: &Arc<Gate>, directory: &Path, settings: &Settings) -> Journal {
    let disk = Disk::with_faults(gate.clone());
    Journal::open_on(disk, directory, settings).expect("the journal opens").0
}

const TASKS: usize = 32;
const COMMITS_PER_TASK: usize = 40;

#[test]
fn commits_of_many_tasks_are_durable_and_in_order_per_task() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let opened = Journal::open(directory.path(), &small());
    let journal = Arc::new(opened.expect("the journal opens").0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let runtime = runtime.expect("a runtime starts");
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let journal = Arc::clone(&journal);
            runtime.spawn(async move {
                let mut positions = Vec::new();
                for number in 0..COMMITS_PER_TASK {
                    let name = |part| format!("{task} {number} {part}").into_bytes();
                    journal.append(&name("appended")).expect("appends");
                    let position = journal.commit(vec![name("first"), name("second")]).await;
                    positions.push(position.expect("commits"));
                }
                positions
            })
        })
        .collect();
    let positions: Vec<Vec<Position>> =
        tasks.into_iter().map(|task| runtime.block_on(task).expect("a task ends")).collect();
    let crash = copy(directory.path());
    let (_, recovered) = open(crash.path());
    assert_eq!(recovered.records.len(), TASKS * COMMITS_PER_TASK * 3);
    for (task, positions) in positions.iter().enumerate() {
        assert!(positions.is_sorted());
        let prefix = format!("{task} ").into_bytes();
        let own = recovered.records.iter().filter(|(_, record)| record.starts_with(&prefix));
        let expect = (0..COMMITS_PER_TASK).flat_map(|number| {
            ["appended", "first", "second"].map(|part| format!("{task} {number} {part}"))
        });
        assert!(own.clone().map(|(_, record)| record.clone()).eq(expect.map(String::into_bytes)));
        let firsts = own.filter(|(_, record)| record.ends_with(b"first")).map(|(at, _)| *at);
        assert!(firsts.eq(positions.iter().copied()));
    }
}

#[test]
fn commits_during_a_sync_share_the_next_one() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let gate = Arc::new(Gate::default());
    let journal = open_behind(&gate, directory.path(), &Settings::default());
    let before = gate.syncs.load(Ordering::SeqCst);
    gate.set(true);
    let first = journal.commit(vec![record(0, 10)]);
    gate.wait_for_sync(before + 1);
    let others: Vec<_> = (1..=50).map(|number| journal.commit(vec![record(number, 10)])).collect();
    gate.set(false);
    wait(first).expect("commits");
    for other in others {
        wait(other).expect("commits");
    }
    assert_eq!(gate.syncs.load(Ordering::SeqCst), before + 2);
}

#[test]
fn a_full_queue_is_overloaded_until_it_drains() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let gate = Arc::new(Gate::default());
    let settings = Settings { queue_records_max: 3, queue_bytes_max: 500, ..one_by_one() };
    let journal = open_behind(&gate, directory.path(), &settings);
    let before = gate.syncs.load(Ordering::SeqCst);
    gate.set(true);
    let syncing = journal.commit(vec![record(0, 10)]);
    gate.wait_for_sync(before + 1);
    let waiting: Vec<_> = (1..=3).map(|number| journal.commit(vec![record(number, 10)])).collect();
    let refused = commit(&journal, &[record(4, 10)]);
    assert!(matches!(refused, Err(JournalError::Overloaded { records: 3, .. })), "{refused:?}");
    assert!(matches!(commit(&journal, &[]), Err(JournalError::Overloaded { .. })));
    let large = commit(&journal, &[record(5, 500)]);
    assert!(matches!(large, Err(JournalError::CommitTooLarge { max: 500, .. })));
    gate.set(false);
    wait(syncing).expect("commits");
    for commit in waiting {
        wait(commit).expect("commits");
    }
    commit(&journal, &[record(6, 10)]).expect("there is room again");
    drop(journal);
    let recovered = payloads(&open(directory.path()).1);
    assert_eq!(recovered, [0, 1, 2, 3, 6].map(|number| record(number, 10)));
}

#[test]
fn a_dropped_future_takes_nothing_back_and_closing_commits_what_waits() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (journal, _) = open(directory.path());
    drop(journal.commit(vec![record(0, 10)]));
    let late = journal.commit(vec![record(1, 10)]);
    drop(journal);
    wait(late).expect("it was queued before the end");
    assert_eq!(payloads(&open(directory.path()).1), [record(0, 10), record(1, 10)]);
}

#[test]
fn a_record_has_a_longest_length() {
    let directory = tempfile::tempdir().expect("a directory is created");
    let (journal, _) = open(directory.path());
    let mut record = vec![7; RECORD_BYTES_MAX];
    let position = journal.append(&record).expect("appends");
    assert_eq!(journal.read(position).expect("reads"), record);
    record.push(7);
    let bytes = record.len();
    let refused = [journal.append(&record), commit(&journal, &[record])];
    for refused in refused {
        assert!(matches!(refused, Err(JournalError::RecordTooLarge(found)) if found == bytes));
    }
}
