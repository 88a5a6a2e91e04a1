//! The one thread of the process on which models compute, and the work that is
//! handed to it.
//!
//! One thread for all models, for two reasons. A step uses all cores, so two at
//! a time only slow each other down. And OpenMP keeps a pool of threads per
//! thread that starts parallel work; as soon as two pools together exceed the
//! cores, libgomp stops spinning at its barriers, which nearly halves the
//! tokens per second of both.
//!
//! It knows no model: a model that has more to do hands in its next step, behind
//! those of the others.
//!
//! **Invariant**: the thread never ends (a panic ends its work, not the
//! thread), and work is done in the order in which it came.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::error::Failure;

type Work = Box<dyn FnOnce() + Send>;

/// What waits for the thread. How much may is bounded by the callers: a model
/// has at most one step here.
struct Queue {
    waiting: Mutex<VecDeque<Work>>,
    changed: Condvar,
}

static QUEUE: Queue = Queue { waiting: Mutex::new(VecDeque::new()), changed: Condvar::new() };

impl Queue {
    /// No work runs under the lock, so that a poisoned one is still consistent.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Work>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Work {
        let mut waiting = self.lock();
        loop {
            if let Some(work) = waiting.pop_front() {
                return work;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Lets the worker do `work` after all that was submitted before.
pub(super) fn submit(work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    static STARTED: OnceLock<bool> = OnceLock::new();
    if !STARTED.get_or_init(start) {
        return Err(Failure::WorkerGone);
    }
    QUEUE.lock().push_back(Box::new(work));
    QUEUE.changed.notify_one();
    Ok(())
}

fn start() -> bool {
    let work = || loop {
        if catch_unwind(AssertUnwindSafe(QUEUE.next())).is_err() {
            tracing::error!("work of the GGUF worker panicked");
        }
    };
    std::thread::Builder::new().name("gguf-worker".to_owned()).spawn(work).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::*;

    #[test]
    fn a_panic_ends_its_work_only_and_order_is_kept() {
        let (sender, results) = std_mpsc::channel();
        let (go, wait) = std_mpsc::channel::<()>();
        submit(move || {
            wait.recv().unwrap();
            panic!("on purpose");
        })
        .unwrap();
        for number in 1..=3 {
            let sender = sender.clone();
            submit(move || sender.send(number).unwrap()).unwrap();
        }
        drop(sender);
        go.send(()).unwrap();
        assert_eq!(results.iter().collect::<Vec<i32>>(), [1, 2, 3]);
    }
}
