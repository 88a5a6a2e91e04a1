//! A loaded model with what waits for it: where callers and worker meet.
//!
//! Callers put jobs in and wake the lane; the worker takes its turns. A turn is
//! one step of all its jobs, so that the models of a process take turns too.
//!
//! **Invariant**: whenever something can be done, a turn is submitted, and never
//! two at a time. After a panic the lane takes no jobs and holds none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Failure;

use super::model::Model;
use super::queue::FairQueue;
use super::session::{OwnedSession, Session};
use super::settings::Settings;
use super::task::Task;
use super::worker;

/// Jobs that wait for a sequence. How many may is bounded by the places of the
/// engine: each job has one.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<FairQueue<Task>>);

impl Inbox {
    /// Nothing can panic under the lock, so that a poisoned one is consistent.
    fn lock(&self) -> MutexGuard<'_, FairQueue<Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job.
    pub(super) fn pop(&self) -> Option<Task> {
        self.lock().pop()
    }

    /// Puts back a job that had a sequence already.
    pub(super) fn push_again(&self, task: Task) {
        self.lock().push_again(task.party, task.number, task);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

/// A model in memory, its context, and what waits for it.
#[derive(Debug)]
pub(super) struct Lane {
    model: Arc<Model>,
    inbox: Inbox,
    session: Mutex<OwnedSession>,
    /// Whether a turn is submitted that has not begun.
    submitted: AtomicBool,
    broken: AtomicBool,
}

impl Lane {
    /// Makes the model's context; takes a while, blocks.
    pub(super) fn new(model: Arc<Model>, settings: Settings) -> Result<Self, Failure> {
        let session =
            OwnedSession::try_new(Arc::clone(&model), |model| Session::new(model, settings))?;
        Ok(Self {
            model,
            inbox: Inbox::default(),
            session: Mutex::new(session),
            submitted: AtomicBool::new(false),
            broken: AtomicBool::new(false),
        })
    }

    /// The model, for counting and for its vocabulary.
    pub(super) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Whether a panic has ended its work: it must be loaded anew.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Lets a job wait for a sequence.
    pub(super) fn push(self: &Arc<Self>, task: Task) -> Result<(), Failure> {
        self.inbox.lock().push(task.party, task.number, task);
        let woken = self.wake();
        // Looked at after the push: a panic that came first has not seen the job.
        if woken.is_err() || self.is_broken() {
            self.abandon();
            return Err(Failure::WorkerGone);
        }
        Ok(())
    }

    /// Takes back a job that waits for a sequence; nothing if it has one.
    pub(super) fn withdraw(&self, party: u64, number: u64) -> Option<Task> {
        self.inbox.lock().remove(party, number)
    }

    /// Says that something may have changed: a job came, a reader took text, a
    /// caller has cancelled.
    pub(super) fn wake(self: &Arc<Self>) -> Result<(), Failure> {
        if self.submitted.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let lane = Arc::clone(self);
        worker::submit(move || lane.turn())
    }

    /// One step, on the worker.
    fn turn(self: Arc<Self>) {
        // From here on whoever wakes the lane gets a turn of their own.
        self.submitted.store(false, Ordering::Release);
        let step = || {
            let mut session = self.session.lock().map_err(|_| ())?;
            Ok::<bool, ()>(session.with_dependent_mut(|_, session| session.step(&self.inbox)))
        };
        match catch_unwind(AssertUnwindSafe(step)) {
            Ok(Ok(more)) => {
                if more && self.wake().is_err() {
                    self.abandon();
                }
            }
            Ok(Err(())) | Err(_) => {
                tracing::error!("a step of the GGUF worker panicked; the model is loaded anew");
                self.abandon();
            }
        }
    }

    /// Drops every job: their callers learn that the worker is gone.
    fn abandon(&self) {
        self.broken.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.inbox.lock());
        // What the jobs hold is dropped without the lock.
        drop(waiting);
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.with_dependent_mut(|_, session| session.abandon());
    }
}
