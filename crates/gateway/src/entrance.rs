//! Who may come in: a bound on the calls that a node has in hand, which follows from how late its
//! own threads are. It is asked with a request's head, before anything of the body is read.
//!
//! What is watched is how long a task waits for its turn of a thread, as CoDel watches how long a
//! packet waits (RFC 8289), and not how long a call takes: models take what they take. While
//! threads are late the bound falls by parts of itself, while they are not and somebody waits it
//! rises, so nobody has to choose a number. Whoever finds no room waits for [`PATIENCE`], so that
//! those who come in are answered about as soon as ever.
//!
//! A payer is a number here, that of its certificate: nothing else of it is known yet. One that
//! has nothing in hand comes before one that has much, and a part of the room is kept for it.
//!
//! It knows no call, no route and no price.
//!
//! **Invariants**: never more in hand than the bound was when the last of them came in; room and
//! somebody whom it would do never meet; each permit that is dropped gives its place back.

use crate::call::CallError;
use ambar_base::ErrorCode;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Most calls in hand, whatever the threads say.
pub const IN_HAND_MAX: usize = 16_384;
/// Fewest that the bound falls to: a few hundred clients in closed loops are slow, not refused.
pub const IN_HAND_MIN: usize = 512;
/// Calls that wait for room; further ones are refused at once.
pub const WAITING_MAX: usize = 4_096;
/// How long a call waits for room.
pub const PATIENCE: Duration = Duration::from_millis(5);
/// When a refused call is told to come back.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Where the bound begins, and begins again after a rest: a burst comes in whole.
const IN_HAND_FIRST: usize = 1_024;
/// How late a thread may be.
const LATE_MAX: Duration = Duration::from_millis(3);
/// What counts of a longer lateness: one long moment says little of those after it.
const LATE_SEEN_MAX: Duration = Duration::from_millis(24);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(5);
/// Looks at nothing after which none is taken until the next call.
const IDLE_LOOKS: u32 = 200;
/// The part of the bound by which it moves at one look.
const STEP: usize = 8;
/// The part of the room that is kept for payers with nothing in hand.
const KEPT: usize = 4;
/// By how much one look moves the mean lateness: a quarter.
const MEAN_SHIFT: u32 = 2;

/// Nobody came out in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shed;

impl From<Shed> for CallError {
    fn from(_: Shed) -> Self {
        let message = "the node has as many calls in hand as it can carry";
        let retry_after_ms = u64::try_from(RETRY_AFTER.as_millis()).ok();
        Self { retry_after_ms, ..Self::new(ErrorCode::Overloaded, message) }
    }
}

/// What an entrance does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntranceFigures {
    /// The bound now.
    pub limit: usize,
    /// Calls in hand.
    pub in_hand: usize,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls that were refused since the start.
    pub shed: u64,
    /// How late threads are, microseconds.
    pub late_us: u64,
}

struct Waiting {
    number: u64,
    since: Instant,
    permit: oneshot::Sender<Permit>,
}

/// A payer with something in hand or waiting.
#[derive(Default)]
struct Payer {
    in_hand: usize,
    /// When it came in last, in the order of everybody.
    turn: u64,
    waiting: VecDeque<Waiting>,
}

struct State {
    limit: usize,
    in_hand: usize,
    waiting: usize,
    payers: BTreeMap<u64, Payer>,
    /// Payers that wait: what each has in hand, its turn, its number.
    order: BTreeSet<(usize, u64, u64)>,
    next: u64,
    shed: u64,
    late_us: u64,
}

struct Inside {
    most: usize,
    state: Mutex<State>,
    /// Told when the first call comes.
    busy: Notify,
}

/// The entrance. Clones are the same.
#[derive(Clone)]
pub struct Entrance(Arc<Inside>);

/// The right to be in; dropping it lets the next one in.
pub struct Permit {
    entrance: Entrance,
    payer: u64,
}

/// What someone gets who came to the entrance.
enum Met {
    In(Permit),
    Waits(u64, oneshot::Receiver<Permit>),
}

/// Those who are let in: told after the lock is released.
type Called = Vec<(oneshot::Sender<Permit>, Permit)>;

impl State {
    fn new(most: usize) -> Self {
        Self {
            limit: IN_HAND_FIRST.min(most),
            in_hand: 0,
            waiting: 0,
            payers: BTreeMap::new(),
            order: BTreeSet::new(),
            next: 0,
            shed: 0,
            late_us: 0,
        }
    }

    /// Changes a payer, and its place in the order with it.
    fn change<T>(&mut self, id: u64, change: impl FnOnce(&mut Payer) -> T) -> T {
        let mut payer = self.payers.remove(&id).unwrap_or_default();
        self.order.remove(&(payer.in_hand, payer.turn, id));
        let changed = change(&mut payer);
        if !payer.waiting.is_empty() {
            self.order.insert((payer.in_hand, payer.turn, id));
        }
        if payer.in_hand > 0 || !payer.waiting.is_empty() {
            self.payers.insert(id, payer);
        }
        changed
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Whether there is room for a payer with so much in hand.
    fn has_room(&self, own: usize) -> bool {
        let kept = if own == 0 { 0 } else { (self.limit / KEPT).max(1) };
        self.in_hand + kept < self.limit
    }

    /// Lets a payer in; one of those who wait, if `waiting`.
    fn let_in(&mut self, id: u64, waiting: bool) -> Option<oneshot::Sender<Permit>> {
        let turn = self.number();
        let called = self.change(id, |payer| {
            payer.in_hand += 1;
            payer.turn = turn;
            if waiting { payer.waiting.pop_front() } else { None }
        });
        self.in_hand += 1;
        self.waiting -= usize::from(called.is_some());
        called.map(|waiting| waiting.permit)
    }

    /// Moves the bound.
    fn steer(&mut self, late: Duration, most: usize) {
        let late_us = u64::try_from(late.min(LATE_SEEN_MAX).as_micros()).unwrap_or(u64::MAX);
        self.late_us = self.late_us - (self.late_us >> MEAN_SHIFT) + (late_us >> MEAN_SHIFT);
        let step = (self.limit / STEP).max(1);
        if u128::from(self.late_us) > LATE_MAX.as_micros() {
            let fallen = self.limit.min(self.in_hand).saturating_sub(step);
            self.limit = fallen.max(IN_HAND_MIN.min(most));
        } else if self.waiting > 0 {
            self.limit = (self.limit.max(self.in_hand) + step).min(most);
        }
    }

    /// Takes out who has waited for too long. Those who are taken out are told by being dropped.
    fn expire(&mut self, now: Instant) -> Vec<Waiting> {
        let mut gone = Vec::new();
        let ids: Vec<u64> = self.order.iter().map(|(_, _, id)| *id).collect();
        for id in ids {
            self.change(id, |payer| {
                let age = |waiting: &Waiting| now.saturating_duration_since(waiting.since);
                let over = payer.waiting.partition_point(|waiting| age(waiting) >= PATIENCE);
                gone.extend(payer.waiting.drain(..over));
            });
        }
        self.waiting -= gone.len();
        self.shed += gone.len() as u64;
        gone
    }
}

impl Entrance {
    /// An entrance for at most so many calls, and at least one.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, IN_HAND_MAX);
        let state = Mutex::new(State::new(most));
        Self(Arc::new(Inside { most, state, busy: Notify::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it does.
    #[must_use]
    pub fn figures(&self) -> EntranceFigures {
        let State { limit, in_hand, waiting, shed, late_us, .. } = *self.lock();
        EntranceFigures { limit, in_hand, waiting, shed, late_us }
    }

    /// Comes in, perhaps after waiting. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// [`Shed`], if there is no room in time.
    pub async fn enter(&self, payer: u64) -> Result<Permit, Shed> {
        match self.come(payer)? {
            Met::In(permit) => Ok(permit),
            Met::Waits(number, permit) => {
                let waiting = Gone { entrance: self, payer, number };
                let permit = permit.await.map_err(|_| Shed);
                drop(waiting);
                permit
            }
        }
    }

    fn come(&self, payer: u64) -> Result<Met, Shed> {
        let mut state = self.lock();
        if state.in_hand + state.waiting == 0 {
            self.0.busy.notify_one();
        }
        let own = state.payers.get(&payer).map_or(0, |payer| payer.in_hand);
        if state.has_room(own) {
            state.let_in(payer, false);
            return Ok(Met::In(self.permit(payer)));
        }
        if state.waiting >= WAITING_MAX {
            state.shed += 1;
            return Err(Shed);
        }
        let (sender, receiver) = oneshot::channel();
        let number = state.number();
        let waiting = Waiting { number, since: Instant::now(), permit: sender };
        state.change(payer, |payer| payer.waiting.push_back(waiting));
        state.waiting += 1;
        Ok(Met::Waits(number, receiver))
    }

    fn permit(&self, payer: u64) -> Permit {
        Permit { entrance: self.clone(), payer }
    }

    /// Lets in whoever has room.
    fn serve(&self, state: &mut State) -> Called {
        let mut called = Vec::new();
        // Who has least in hand stands first: where it has no room, nobody has.
        while let Some((own, _, id)) = state.order.first().copied()
            && state.has_room(own)
        {
            called.extend(state.let_in(id, true).map(|waiting| (waiting, self.permit(id))));
        }
        called
    }

    /// Looks how late threads are, who has waited for too long, and who has room.
    fn look(&self, late: Duration, now: Instant) {
        let mut state = self.lock();
        // Those who have waited since the last look are why the bound rises, and come in first.
        state.steer(late, self.0.most);
        let called = self.serve(&mut state);
        let gone = state.expire(now);
        drop(state);
        drop(gone);
        tell(called);
    }

    /// Looks until `stop`, while there is anything to look at. It is run by the threads that it
    /// watches.
    pub async fn keep(self, stop: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = 0;
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            let before = Instant::now();
            last_in_line().await;
            let now = Instant::now();
            self.look(now.duration_since(before), now);
            let State { in_hand, waiting, .. } = *self.lock();
            idle = if in_hand + waiting == 0 { idle + 1 } else { 0 };
            if idle >= IDLE_LOOKS {
                self.lock().limit = IN_HAND_FIRST.min(self.0.most);
                let _ = stop.run_until_cancelled(self.0.busy.notified()).await;
                idle = 0;
            }
        }
    }
}

/// Tells those who are let in. Whoever went away drops its permit, and that lets the next one in.
fn tell(called: Called) {
    for (waiting, permit) in called {
        let _ = waiting.send(permit);
    }
}

/// Waits behind everything that a thread has to do: a task that wakes itself goes to the end of
/// its line, where one that yields would be asked again after the next look at sockets.
async fn last_in_line() {
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Takes a call that is given up out of the queue.
struct Gone<'a> {
    entrance: &'a Entrance,
    payer: u64,
    number: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let mut state = self.entrance.lock();
        if !state.payers.contains_key(&self.payer) {
            return;
        }
        let left = state.change(self.payer, |payer| {
            let at = payer.waiting.iter().position(|waiting| waiting.number == self.number);
            at.and_then(|at| payer.waiting.remove(at))
        });
        state.waiting -= usize::from(left.is_some());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.entrance.lock();
        state.in_hand -= 1;
        state.change(self.payer, |payer| payer.in_hand -= 1);
        let called = self.entrance.serve(&mut state);
        drop(state);
        tell(called);
    }
}

#[cfg(test)]
#[path = "entrance_tests.rs"]
mod tests;
