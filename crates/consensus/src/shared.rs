//! What submitters, readers and the one proposing thread share.

use crate::database::Snapshot;
use crate::engine::{Head, Status};
use crate::error::{StoreError, SubmitError};
use crate::fates::Refusals;
use crate::machine::StateMachine;
use crate::mempool::Mempool;
use crate::settings::{Clock, Settings};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::watch;

/// What submitters and the proposing thread hand each other.
pub(crate) struct Queue {
    pub(crate) pool: Mempool,
    pub(crate) status: Status,
    /// Whether there is something to propose that was not tried yet.
    pub(crate) fresh: bool,
    pub(crate) stopping: bool,
}

/// Why the proposing thread wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Transactions came, or some were left over.
    Fresh,
    /// The heartbeat is due.
    Heartbeat,
    /// The engine is shut down.
    Stop,
}

/// The shared part of an engine.
pub(crate) struct Shared {
    pub(crate) machine: Arc<dyn StateMachine>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    queue: Mutex<Queue>,
    wake: Condvar,
    /// `None` once the engine is closed.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    refusals: Mutex<Refusals>,
    pub(crate) head: watch::Sender<Head>,
    pub(crate) closed: watch::Sender<bool>,
}

// A panic while a lock is held cannot leave these values half-changed in a way that
// matters more than going on: the machine, the one foreign code, never runs under a lock.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        machine: Arc<dyn StateMachine>,
        settings: Settings,
        clock: Clock,
        snapshot: Snapshot,
    ) -> Self {
        let pool = Mempool::new(settings.pool);
        let queue = Queue { pool, status: Status::Running, fresh: false, stopping: false };
        let refusals = Mutex::new(Refusals::new(settings.pool.refusals_max));
        let head = watch::Sender::new(snapshot.head());
        Self {
            machine,
            settings,
            clock,
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            snapshot: RwLock::new(Some(Arc::new(snapshot))),
            refusals,
            head,
            closed: watch::Sender::new(false),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    pub(crate) fn refusals(&self) -> MutexGuard<'_, Refusals> {
        locked(&self.refusals)
    }

    /// The newest published block's state.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, StoreError> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner);
        snapshot.as_ref().map(Arc::clone).ok_or(StoreError::Closed)
    }

    /// Ends reading; views that are out go on only as far as they are cached.
    pub(crate) fn close_reads(&self) {
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets readers see `snapshot`, then tells those who watch.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let head = snapshot.head();
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
        self.head.send_replace(head);
    }

    /// Wakes the proposing thread for new transactions.
    pub(crate) fn announce(&self, queue: &mut Queue) {
        queue.fresh = true;
        self.wake.notify_one();
    }

    /// Asks the proposing thread to end.
    pub(crate) fn stop(&self) {
        self.queue().stopping = true;
        self.wake.notify_one();
    }

    /// Sleeps until there is something to do, at the latest until `deadline`.
    pub(crate) fn wait(&self, deadline: Instant) -> Wake {
        let mut queue = self.queue();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if queue.stopping {
                return Wake::Stop;
            }
            // A due heartbeat goes first: refused transactions must not keep it off.
            if left.is_zero() {
                queue.fresh = false;
                return Wake::Heartbeat;
            }
            if queue.fresh {
                queue.fresh = false;
                return Wake::Fresh;
            }
            let woken = self.wake.wait_timeout(queue, left);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sleeps until the engine is shut down.
    pub(crate) fn wait_for_stop(&self) {
        let mut queue = self.queue();
        while !queue.stopping {
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Why nothing can be submitted, if nothing can.
    pub(crate) fn refuses_all(queue: &Queue) -> Option<SubmitError> {
        match &queue.status {
            Status::Halted(fault) => Some(fault.clone().into()),
            Status::Stopped => Some(SubmitError::ShuttingDown),
            Status::Running | Status::Stalled(_) if queue.stopping => {
                Some(SubmitError::ShuttingDown)
            }
            Status::Running | Status::Stalled(_) => None,
        }
    }
}
