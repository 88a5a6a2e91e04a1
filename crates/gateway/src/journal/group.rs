//! Group commit: commits wait in a bounded queue, and one thread writes and syncs them in
//! groups. Whatever comes while a sync is under way is the next group (DeWitt et al.,
//! "Implementation Techniques for Main Memory Database Systems", SIGMOD 1984, section 5.2).
//!
//! Invariant: a commit is answered once, and with a position only after a sync that began after
//! its last byte was written has succeeded.

use super::error::JournalError;
use super::settings::{Settings, Sync};
use super::writer::{Writer, check_record, frames_bytes};
use super::{Position, lock};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The answer to a commit.
pub(super) type Answer = Result<Position, JournalError>;

/// A commit that waits.
struct Commit {
    records: Vec<Vec<u8>>,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Commit>,
    records: usize,
    bytes: usize,
    /// How many commits must wait before the thread wants to be woken; 0 while it does not wait.
    /// To wake it for each would cost a call more than to write its record.
    wanted: usize,
    /// Nothing is accepted any more.
    closed: bool,
}

impl State {
    /// Whether the thread waits for what is there now. It wants one at first; while it waits for
    /// companions it wants more, and those who are known to be coming.
    fn wakes(&self, group_records_max: usize, coming: usize) -> bool {
        let all = self.waiting.len() >= self.wanted && (self.wanted == 1 || coming == 0);
        self.wanted > 0 && (all || self.records >= group_records_max)
    }
}

/// The queue of commits.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    records_max: usize,
    bytes_max: usize,
    group_records_max: usize,
    delay: Duration,
    /// Those who have said that they will commit, and have not yet.
    coming: AtomicUsize,
}

/// Somebody who will commit soon; dropped when it does, or does not after all.
pub struct Coming(Arc<Queue>);

impl Drop for Coming {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many records a commit counts as: one without records takes a place too.
fn weight(records: &[Vec<u8>]) -> usize {
    records.len().max(1)
}

/// The group before the one that is waited for.
struct Last {
    commits: usize,
    at: Instant,
}

impl Queue {
    pub(super) fn new(settings: &Settings) -> Self {
        let Sync::Group { delay, records_max } = settings.sync;
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            records_max: settings.queue_records_max,
            bytes_max: settings.queue_bytes_max,
            group_records_max: records_max,
            delay,
            coming: AtomicUsize::new(0),
        }
    }

    /// Says that somebody will commit soon.
    pub(super) fn coming(self: &Arc<Self>) -> Coming {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(Arc::clone(self))
    }

    fn to_come(&self) -> usize {
        self.coming.load(Ordering::Relaxed)
    }

    /// Adds a commit, or says why there is no place for it. The receiver fails only if the
    /// thread that commits is gone.
    pub(super) fn push(
        &self,
        records: Vec<Vec<u8>>,
    ) -> Result<oneshot::Receiver<Answer>, JournalError> {
        records.iter().try_for_each(|record| check_record(record))?;
        let (bytes, max) = (frames_bytes(&records), self.bytes_max);
        if bytes > max {
            return Err(JournalError::CommitTooLarge { bytes, max });
        }
        let (answer, receiver) = oneshot::channel();
        let mut state = lock(&self.state);
        // An empty queue takes any commit, so that none is refused for ever.
        let count = weight(&records);
        let too_many = state.records + count > self.records_max && state.records > 0;
        if too_many || state.bytes + bytes > max {
            return Err(JournalError::Overloaded { records: state.records, bytes: state.bytes });
        }
        if !state.closed {
            state.records += count;
            state.bytes += bytes;
            state.waiting.push_back(Commit { records, bytes, answer });
        }
        let wakes = state.wakes(self.group_records_max, self.to_come());
        // Before it is woken, or it would begin by waiting for the lock.
        drop(state);
        if wakes {
            self.changed.notify_one();
        }
        Ok(receiver)
    }

    /// Accepts nothing any more; what waits is still committed.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_one();
    }

    /// Waits for the next group; nothing when the queue is closed and empty.
    fn next_group(&self, last: &Last) -> Option<Vec<Commit>> {
        let mut state = self.wait_for_one();
        if last.commits > 1 {
            state = self.wait_for_companions(state, last);
        }
        let mut group = Vec::new();
        let mut records = 0;
        while let Some(commit) = state.waiting.pop_front_if(|commit| {
            group.is_empty() || records + weight(&commit.records) <= self.group_records_max
        }) {
            records += weight(&commit.records);
            state.bytes -= commit.bytes;
            group.push(commit);
        }
        state.records -= records;
        (!group.is_empty()).then_some(group)
    }

    fn wait_for_one(&self) -> MutexGuard<'_, State> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let mut state = lock(&self.state);
        state.wanted = 1;
        let waited = self.changed.wait_while(state, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.wanted = 0;
        state
    }

    /// Those whose commits the last sync answered often come again at once, and those who said
    /// so will. Without waiting for them, the first one would have a sync to itself, and all
    /// others would wait for it. A sync costs the same for one and for all (the `commit_delay` of
    /// `PostgreSQL`, where `commit_siblings` are those who are coming).
    fn wait_for_companions<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        last: &Last,
    ) -> MutexGuard<'a, State> {
        let fewer = |state: &mut State| {
            let enough = state.waiting.len() >= last.commits && self.to_come() == 0;
            !enough && state.records < self.group_records_max && !state.closed
        };
        let left = self.delay.saturating_sub(last.at.elapsed());
        state.wanted = last.commits;
        let waited = self.changed.wait_timeout_while(state, left, fewer);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.wanted = 0;
        state
    }

    /// Closes the queue and drops what waits, whose receivers then fail.
    fn abandon(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.waiting.clear();
    }
}

/// Lets nobody wait for a thread that is gone, even if it panicked.
struct Abandon<'a>(&'a Queue);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Commits groups until the queue is closed and empty.
pub(super) fn run(queue: &Queue, writer: &Mutex<Writer>) {
    let _abandon = Abandon(queue);
    let mut last = Last { commits: 0, at: Instant::now() };
    while let Some(group) = queue.next_group(&last) {
        let commits = group.len();
        commit(group, writer);
        last = Last { commits, at: Instant::now() };
    }
}

/// Writes a group, syncs it and answers its commits.
fn commit(group: Vec<Commit>, writer: &Mutex<Writer>) {
    let (answers, written) = {
        let mut writer = lock(writer);
        let answers = writer.write(group.iter().map(|commit| commit.records.as_slice()));
        (answers, writer.written())
    };
    let synced = if answers.iter().any(Result::is_ok) {
        let file = &written.segment.file;
        let synced = file.sync().map_err(|error| JournalError::sync(file.path(), error));
        let mut writer = lock(writer);
        match synced {
            Ok(()) => writer.note_durable(&written),
            Err(error) => Err(writer.halt(error)),
        }
    } else {
        Ok(())
    };
    for (commit, answer) in group.into_iter().zip(answers) {
        // Whoever has dropped the future does not want to know.
        commit.answer.send(answer.and_then(|at| synced.clone().map(|()| at))).ok();
    }
}

/// What waits for an answer, as a future.
pub(super) async fn answer(
    pushed: Result<oneshot::Receiver<Answer>, JournalError>,
    directory: Arc<std::path::Path>,
) -> Answer {
    let gone = || JournalError::sync(&directory, std::io::Error::other("the journal is closed"));
    pushed?.await.unwrap_or_else(|_| Err(gone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue whose thread waits for companions as long as it takes.
    fn patient() -> Arc<Queue> {
        let delay = Duration::from_secs(3_600);
        let sync = Sync::Group { delay, records_max: 100 };
        Arc::new(Queue::new(&Settings { sync, ..Settings::default() }))
    }

    fn push(queue: &Queue) {
        queue.push(vec![vec![7]]).map(drop).expect("there is room");
    }

    fn is_awaited(queue: &Queue) -> bool {
        lock(&queue.state).wakes(queue.group_records_max, queue.to_come())
    }

    #[test]
    fn a_group_waits_for_who_is_coming() {
        let queue = patient();
        let coming = queue.coming();
        let group = std::thread::scope(|scope| {
            let last = Last { commits: 2, at: Instant::now() };
            let waiting = scope.spawn({
                let queue = &queue;
                move || queue.next_group(&last).map(|group| group.len())
            });
            push(&queue);
            while lock(&queue.state).wanted != 2 {
                std::thread::yield_now();
            }
            push(&queue);
            assert!(!is_awaited(&queue), "as many as the last time, and one is still to come");
            drop(coming);
            assert!(is_awaited(&queue));
            push(&queue);
            waiting.join().expect("it does not panic")
        });
        assert_eq!(group, Some(3));
    }

    #[test]
    fn nobody_who_is_coming_holds_up_an_idle_journal_or_a_full_group() {
        let queue = patient();
        let _coming = queue.coming();
        push(&queue);
        let last = Last { commits: 1, at: Instant::now() };
        assert_eq!(queue.next_group(&last).map(|group| group.len()), Some(1));
        (0..queue.group_records_max).for_each(|_| push(&queue));
        let last = Last { commits: 1_000, at: Instant::now() };
        assert_eq!(queue.next_group(&last).map(|group| group.len()), Some(100));
    }
}
