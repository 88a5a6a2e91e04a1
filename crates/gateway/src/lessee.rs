//! Taking leases for calls that wait for them, extending those in use, and giving back those
//! that nobody uses.
//!
//! **Invariant**: of one period of one grant's quota, one request at a time is on its way to
//! the ledger: calls that come meanwhile wait for its end. What is on its way back is not
//! there for calls.

use crate::books::Books;
use crate::call::CallError;
use crate::desk::Desk;
use crate::leases::{EXTEND_BLOCKS, Want, is_idle};
use crate::route::Route;
use crate::view::LedgerView;
use ambar_base::{ErrorCode, Height, Moment};
use ambar_consensus::{Clock, Consensus, Head, StoreError};
use ambar_ledger::object::{Grant, Lease};
use ambar_ledger::query::State as _;
use ambar_ledger::quota::{RATE_PERIOD, Share};
use ambar_ledger::transaction::{ReturnLease, TakeLease};
use ambar_ledger::{Key, Operation};
use ambar_licence::RateUnit;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a call waits for the ledger to give what it lacks.
pub(crate) const LEASE_PATIENCE: Duration = Duration::from_secs(2);
/// How often leases are looked at.
const ROUND_DELAY: Duration = Duration::from_secs(1);
/// Most leases that are looked after. Others end by themselves.
const LEASES_MAX: usize = 65_536;

/// Which lease: grant and period.
type Place = (u64, u64);
/// How a request ended; nothing while it is on its way.
type Answer = Option<Result<(), CallError>>;

/// The ledger, as one follows it who leases.
pub(crate) trait Followed: Send + Sync {
    /// The newest state.
    fn latest(&self) -> Result<LedgerView, StoreError>;

    /// The newest block, and those to come.
    fn heads(&self) -> watch::Receiver<Head>;
}

impl Followed for Arc<dyn Consensus> {
    fn latest(&self) -> Result<LedgerView, StoreError> {
        LedgerView::latest(&**self)
    }

    fn heads(&self) -> watch::Receiver<Head> {
        self.watch()
    }
}

/// A lease that calls have used.
#[derive(Clone)]
struct Used {
    at: Moment,
    /// By what it is extended; nothing while only an earlier process has used it.
    by: Option<(u64, Vec<u64>)>,
}

#[derive(Default)]
struct Inner {
    /// Requests on their way.
    flights: BTreeMap<Place, watch::Receiver<Answer>>,
    /// How often more was taken.
    takes: BTreeMap<Place, u32>,
    used: BTreeMap<Place, Used>,
}

/// The gateway as one who leases.
#[derive(Clone)]
pub(crate) struct Lessee {
    node: u64,
    clock: Clock,
    ledger: Arc<dyn Followed>,
    books: Books,
    desk: Desk,
    inner: Arc<Mutex<Inner>>,
}

impl Lessee {
    pub(crate) fn new(
        (node, clock): (u64, Clock),
        ledger: Arc<dyn Followed>,
        books: Books,
        desk: Desk,
    ) -> Self {
        Self { node, clock, ledger, books, desk, inner: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for what a call lacks, or waits for who asks already. The state is to be looked at
    /// again then: there may be more, or nothing left.
    pub(crate) async fn take(&self, want: &Want, until: Instant) -> Result<(), CallError> {
        let mut answer = self.taking(want);
        let waiting = tokio::time::timeout_at(until, answer.wait_for(Option::is_some));
        match waiting.await {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Ok(())),
            Ok(Err(_)) => {
                Err(CallError::new(ErrorCode::ShuttingDown, "this node is shutting down"))
            }
            Err(_) => Err(late()),
        }
    }

    fn taking(&self, want: &Want) -> watch::Receiver<Answer> {
        let place = (want.grant, want.period);
        let mut inner = self.lock();
        if let Some(flight) = inner.flights.get(&place) {
            return flight.clone();
        }
        let takes = inner.takes.get(&place).copied().unwrap_or_default();
        let asked = want.asks(takes);
        if !asked.is_empty() && inner.takes.len() < LEASES_MAX {
            inner.takes.insert(place, takes.saturating_add(1));
        }
        let operation = take_of((want.channel, place), asked, want.through.clone());
        self.fly(&mut inner, place, operation, |_, _| {})
    }

    /// Sends a request on its way; `done` hears the block that it is final in, if it is.
    fn fly(
        &self,
        inner: &mut Inner,
        place: Place,
        operation: Operation,
        done: impl FnOnce(&Books, Option<Height>) + Send + 'static,
    ) -> watch::Receiver<Answer> {
        let (sender, receiver) = watch::channel(None);
        inner.flights.insert(place, receiver.clone());
        let lessee = self.clone();
        tokio::spawn(async move {
            let result = lessee.ask(operation).await;
            done(&lessee.books, result.as_ref().ok().copied());
            lessee.lock().flights.remove(&place);
            let _ = sender.send(Some(result.map(drop)));
        });
        receiver
    }

    /// Asks, and waits until the answer can be read here.
    async fn ask(&self, operation: Operation) -> Result<Height, CallError> {
        let height = match self.desk.ask(operation).await {
            Ok(committed) => committed.height,
            // The day turned meanwhile: the next look asks for the right period.
            Err(error) if error.code == ErrorCode::TransactionExpired => Height(0),
            Err(error) => return Err(unleased(error)),
        };
        let mut head = self.ledger.heads();
        let seen = head.wait_for(|head| head.height >= height).await.is_ok();
        if seen { Ok(height) } else { Err(unleased(late())) }
    }

    /// A call was admitted under the leases of its route.
    pub(crate) fn used(&self, route: &Route) {
        let at = (self.clock)();
        for (index, part) in route.parts.iter().enumerate() {
            for counted in part.quota.iter().chain(&part.rate) {
                let place = (part.grant_number, counted.period);
                let by = Some((route.channel_number, route.through(index)));
                let mut inner = self.lock();
                if inner.used.len() < LEASES_MAX || inner.used.contains_key(&place) {
                    inner.used.insert(place, Used { at, by });
                }
            }
        }
    }

    /// Looks after leases until it is stopped.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        if let Err(error) = self.take_up() {
            tracing::warn!(%error, "leases of an earlier process are left to end");
        }
        while stop.run_until_cancelled(tokio::time::sleep(ROUND_DELAY)).await.is_some() {
            if let Err(error) = self.round(false) {
                tracing::warn!(error = error.message, "leases cannot be looked after");
            }
        }
    }

    /// An earlier process may have left leases: they go back unless calls come.
    fn take_up(&self) -> Result<(), StoreError> {
        let left = self.ledger.latest()?.leases_of(self.node)?;
        let at = (self.clock)();
        let mut inner = self.lock();
        for place in left.into_iter().take(LEASES_MAX) {
            inner.used.entry(place).or_insert(Used { at, by: None });
        }
        Ok(())
    }

    /// Gives back what can be, at the end of the process, and waits a while for that.
    pub(crate) async fn close(&self) {
        let Ok(answers) = self.round(true) else { return };
        let all = futures::future::join_all(answers.into_iter().map(|mut answer| async move {
            let _ = answer.wait_for(Option::is_some).await;
        }));
        let _ = tokio::time::timeout(LEASE_PATIENCE, all).await;
    }

    /// Looks at every lease that calls have used.
    fn round(&self, closing: bool) -> Result<Vec<watch::Receiver<Answer>>, CallError> {
        let used: Vec<(Place, Used)> =
            self.lock().used.iter().map(|(place, used)| (*place, used.clone())).collect();
        if used.is_empty() {
            return Ok(Vec::new());
        }
        let view = self.ledger.latest().map_err(|error| CallError::of(&error))?;
        let mut answers = Vec::new();
        for (place, used) in used {
            let looked = self.look(&view, place, &used, closing);
            answers.extend(looked.map_err(|error| CallError::new(error.code, error.message))?);
        }
        Ok(answers)
    }

    fn look(
        &self,
        view: &LedgerView,
        place: Place,
        used: &Used,
        closing: bool,
    ) -> Result<Option<watch::Receiver<Answer>>, ambar_ledger::Refusal> {
        let (grant, period) = place;
        let lease: Option<Lease> = view.object(&Key::Lease((grant, (period, self.node))))?;
        let Some(lease) = lease else {
            self.forget(place);
            return Ok(None);
        };
        let unit = if period == RATE_PERIOD { unit_of(view, grant)? } else { None };
        let now = (self.clock)();
        let idle = (closing && unit.is_none()) || is_idle(used.at, now, unit);
        if idle {
            return Ok(self.give_back(view.head(), place, &lease));
        }
        let (head, until) = (view.head().height, lease.until);
        let ends = head < until && until.0 - head.0 < EXTEND_BLOCKS && !closing;
        let Some((channel, through)) = used.by.clone().filter(|_| ends) else { return Ok(None) };
        let mut inner = self.lock();
        if inner.flights.contains_key(&place) {
            return Ok(None);
        }
        let operation = take_of((channel, place), Share::default(), through);
        Ok(Some(self.fly(&mut inner, place, operation, |_, _| {})))
    }

    /// Gives back what no call needs that is under way.
    fn give_back(
        &self,
        head: Head,
        place: Place,
        lease: &Lease,
    ) -> Option<watch::Receiver<Answer>> {
        let (grant, period) = place;
        let mut inner = self.lock();
        if inner.flights.contains_key(&place) {
            return None;
        }
        let share = self.books.page().spare((head.height, head.time), place, lease)?;
        inner.takes.remove(&place);
        if share.is_empty() {
            inner.used.remove(&place);
            return None;
        }
        let Share { calls, spend, rate } = share;
        let operation = Operation::ReturnLease(ReturnLease { grant, period, calls, spend, rate });
        let done = move |books: &Books, back| books.release(place, share, back);
        Some(self.fly(&mut inner, place, operation, done))
    }

    fn forget(&self, place: Place) {
        let mut inner = self.lock();
        inner.used.remove(&place);
        inner.takes.remove(&place);
    }
}

fn take_of((channel, place): (u64, Place), share: Share, through: Vec<u64>) -> Operation {
    let (grant, period) = place;
    let Share { calls, spend, rate } = share;
    Operation::TakeLease(TakeLease { channel, grant, period, calls, spend, rate, through })
}

fn unit_of(view: &LedgerView, grant: u64) -> Result<Option<RateUnit>, ambar_ledger::Refusal> {
    let grant: Grant = view.must("grant", grant, &Key::Grant(grant))?;
    let quota = view.terms(&grant.terms)?.quota;
    Ok(quota.and_then(|quota| quota.rate).map(|rate| rate.per))
}

fn late() -> CallError {
    CallError::new(ErrorCode::Overloaded, "the ledger has not yet given a part of the quota")
}

/// What keeps this gateway from leasing is no fault of the caller.
fn unleased(error: CallError) -> CallError {
    let passed = [ErrorCode::Overloaded, ErrorCode::ShuttingDown];
    if passed.contains(&error.code) {
        return error;
    }
    let message = format!("this node could not lease a part of the quota: {}", error.message);
    CallError::new(ErrorCode::Unavailable, message)
}

#[cfg(test)]
#[path = "lessee_tests.rs"]
mod tests;
