//! The one thread of the process on which models compute, and the jobs that
//! are handed to it.
//!
//! One thread for all models, for two reasons. A job uses all cores, so two at
//! a time only slow each other down. And OpenMP keeps a pool of threads per
//! thread that starts parallel work; as soon as two pools together exceed the
//! cores, libgomp stops spinning at its barriers, which nearly halves the
//! tokens per second of both.
//!
//! **Invariant**: the thread never ends (a panic ends its work, not the
//! thread), and work that is withdrawn leaves nothing behind in the queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::{Event, Finish, GenerateJob, Usage};
use crate::error::Failure;

/// A job on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) job: GenerateJob,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) cancel: CancellationToken,
    pub(super) reply: oneshot::Sender<Ended>,
    /// The job's place among its engine's jobs, given back when it is over.
    pub(super) place: OwnedSemaphorePermit,
}

impl Job {
    /// Whether nobody wants the rest: cancelled, or a receiver is gone.
    pub(super) fn unwanted(&self) -> bool {
        self.cancel.is_cancelled() || self.events.is_closed() || self.reply.is_closed()
    }
}

/// A job that is over.
#[derive(Debug)]
pub(super) struct Ended {
    /// Text that found no room in the events channel.
    pub(super) unsent: String,
    /// What was used; `bytes_out` without `unsent`.
    pub(super) usage: Usage,
    /// How it ended.
    pub(super) result: Result<Finish, Failure>,
}

type Work = Box<dyn FnOnce() + Send>;

/// What waits for the thread. How much may is bounded by the callers: each job
/// of an engine holds one of its places.
struct Queue {
    waiting: Mutex<VecDeque<(u64, Work)>>,
    changed: Condvar,
}

static QUEUE: Queue = Queue { waiting: Mutex::new(VecDeque::new()), changed: Condvar::new() };

impl Queue {
    /// No work runs under the lock, so that a poisoned one is still consistent.
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Work)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Work {
        let mut waiting = self.lock();
        loop {
            if let Some((_, work)) = waiting.pop_front() {
                return work;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Submitted work. Dropping the ticket withdraws work that has not begun.
#[derive(Debug)]
pub(super) struct Ticket(u64);

impl Ticket {
    /// Takes the work back; false if it has begun already.
    pub(super) fn withdraw(&self) -> bool {
        let mut waiting = QUEUE.lock();
        let at = waiting.iter().position(|(ticket, _)| *ticket == self.0);
        let work = at.and_then(|at| waiting.remove(at));
        // What the work holds is dropped without the lock.
        drop(waiting);
        work.is_some()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Lets the worker do `work` after all that was submitted before.
pub(super) fn submit(work: impl FnOnce() + Send + 'static) -> Result<Ticket, Failure> {
    static STARTED: OnceLock<bool> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if !STARTED.get_or_init(start) {
        return Err(Failure::WorkerGone);
    }
    let ticket = NEXT.fetch_add(1, Ordering::Relaxed);
    QUEUE.lock().push_back((ticket, Box::new(work)));
    QUEUE.changed.notify_one();
    Ok(Ticket(ticket))
}

fn start() -> bool {
    let work = || loop {
        if catch_unwind(AssertUnwindSafe(QUEUE.next())).is_err() {
            tracing::error!("a job of the GGUF worker panicked");
        }
    };
    std::thread::Builder::new().name("gguf-worker".to_owned()).spawn(work).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::*;

    #[test]
    fn a_panic_ends_its_work_only_and_withdrawn_work_is_not_done() {
        let (sender, results) = std_mpsc::channel();
        let (go, wait) = std_mpsc::channel::<()>();
        let panicking = submit(move || {
            wait.recv().unwrap();
            panic!("on purpose");
        })
        .unwrap();
        let say = |number: i32| {
            let sender = sender.clone();
            submit(move || sender.send(number).unwrap()).unwrap()
        };
        let (first, withdrawn, dropped, last) = (say(1), say(2), say(3), say(4));
        assert!(withdrawn.withdraw() && !withdrawn.withdraw());
        drop(dropped);
        drop(sender);
        go.send(()).unwrap();
        assert_eq!(results.iter().collect::<Vec<i32>>(), [1, 4]);
        assert!(!first.withdraw() && !last.withdraw() && !panicking.withdraw());
    }
}
