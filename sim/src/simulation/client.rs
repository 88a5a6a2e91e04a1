//! What clients of a run see: validators to submit to and read from, and time.
//!
//! A client is a future over a [`Net`]. It submits to any member, an adversary's included,
//! for nobody knows who is one.

use super::adversary::Forged;
use super::draw::Draw;
use super::validator::Open;
use ambar_base::finality::Evidence;
use ambar_base::{Digest, Height, Moment};
use ambar_consensus::core::{Core, Submitted};
use ambar_consensus::engine::Committed;
use ambar_consensus::error::SubmitError;
use ambar_consensus::state::StateView;
use bytes::Bytes;
use commonware_runtime::Clock as _;
use commonware_runtime::deterministic::Context;
use futures::future::{BoxFuture, Either, select};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// What a client does. The run is not over before it ends.
pub type Client = Box<dyn FnOnce(Net) -> BoxFuture<'static, ()> + Send>;

/// What all clients share.
pub(super) struct Shared {
    pub(super) context: Context,
    /// Members that run.
    pub(super) open: Mutex<Vec<Option<Open>>>,
    pub(super) healed: AtomicBool,
    /// Whether every honest member has got far enough.
    pub(super) reached: AtomicBool,
    pub(super) forged: Forged,
}

/// A client's view of the run.
#[derive(Clone)]
pub struct Net {
    pub(super) shared: Arc<Shared>,
    pub(super) draw: Arc<Mutex<Draw>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn core(&self, member: usize) -> Option<Arc<Core>> {
        let open = locked(&self.open).get(member).cloned().flatten();
        open.and_then(|open| open.core().cloned())
    }

    pub(super) fn set_open(&self, member: usize, open: Option<Open>) {
        if let Some(place) = locked(&self.open).get_mut(member) {
            *place = open;
        }
    }
}

impl Net {
    /// How many members there are.
    #[must_use]
    pub fn members(&self) -> usize {
        locked(&self.shared.open).len()
    }

    /// The time of the run.
    #[must_use]
    pub fn now(&self) -> Moment {
        moment(&self.shared.context)
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        self.shared.context.sleep(duration).await;
    }

    /// A number below `bound`.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        locked(&self.draw).below(bound)
    }

    /// Whether nothing befalls anybody any more.
    #[must_use]
    pub fn healed(&self) -> bool {
        self.shared.healed.load(Ordering::SeqCst)
    }

    /// Whether every honest member has got far enough after healing.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.shared.reached.load(Ordering::SeqCst)
    }

    /// The state at a member that runs.
    #[must_use]
    pub fn read(&self, member: usize) -> Option<StateView> {
        let snapshot = self.shared.core(member)?.snapshot().ok()?;
        Some(StateView::new(snapshot.head(), snapshot))
    }

    /// Where a transaction is final, as a member knows it.
    #[must_use]
    pub fn place(&self, member: usize, id: &Digest) -> Option<(Height, u64)> {
        self.shared.core(member)?.snapshot().ok()?.place(id).ok()?
    }

    /// Submits to a member and waits at most so long. Nothing if there is no answer by then:
    /// the transaction may be final all the same, now or later.
    pub async fn submit(
        &self,
        member: usize,
        transaction: Vec<u8>,
        patience: Duration,
    ) -> Option<Result<Committed, SubmitError>> {
        let submitted = self.shared.core(member)?.enqueue(transaction);
        let answer = match submitted {
            Err(error) => return Some(Err(error)),
            Ok(Submitted::Final(committed)) => return Some(Ok(committed)),
            Ok(Submitted::Waiting(answer)) => answer,
        };
        match select(answer, pin!(self.shared.context.sleep(patience))).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        }
    }

    /// The evidence that a member has seen since it started.
    #[must_use]
    pub fn evidence(&self, member: usize) -> Vec<Evidence> {
        let core = self.shared.core(member);
        core.map(|core| core.conflicts.borrow().clone()).unwrap_or_default()
    }

    /// Gives adversaries a transaction that must never be final. Those that forge spread it
    /// and put it into their blocks.
    pub fn forge(&self, transaction: Vec<u8>) {
        self.shared.forged.add(Bytes::from(transaction));
    }
}

/// The time of the runtime, in the house's terms.
pub(super) fn moment(context: &Context) -> Moment {
    let since = context.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
