//! Who works next: bounded queues before each engine, shared fairly between payers.
//!
//! A call takes a [`Place`] before any money is held for it, so that whoever finds the queue
//! full is refused for nothing; with the money held it waits for its [`Turn`]. Payers take
//! turns, one call each; among the calls of one payer the more urgent come first, then the
//! earlier. It knows no call, no price and no engine.
//!
//! **Invariants**: no more turns than slots, no more places than the limits; a free slot and a
//! waiting call never meet without a turn; a payer waits for at most one turn of each other
//! payer before one of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Calls that wait for one engine, of all payers together.
pub const WAITING_MAX: usize = 4_096;
/// Calls of one payer that wait for one engine, unless the operator says otherwise.
pub const WAITING_PER_PAYER_DEFAULT: usize = 1_024;
/// The shortest time after which a refused call is told to come back.
pub const RETRY_AFTER_MIN: Duration = Duration::from_millis(500);
/// The longest.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// By how much one turn moves the mean: an eighth, as TCP smooths its round trips (RFC 6298).
const MEAN_SHIFT: u32 = 3;

/// How urgent a call is among those of its payer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before the others.
    High,
    /// As calls are.
    #[default]
    Normal,
    /// After the others.
    Low,
}

impl std::str::FromStr for Priority {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "high" => Ok(Self::High),
            "normal" => Ok(Self::Normal),
            "low" => Ok(Self::Low),
            _ => Err(()),
        }
    }
}

/// No place is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Whether it is this payer's own calls that fill it.
    pub own: bool,
    /// When it is worth asking again.
    pub retry_after: Duration,
}

/// A waiting call.
struct Waiting {
    number: u64,
    urgency: Priority,
    turn: oneshot::Sender<Turn>,
}

#[derive(Default)]
struct State {
    /// Turns that are taken.
    running: usize,
    /// Places of each payer.
    places: BTreeMap<u64, usize>,
    /// Calls that wait, by payer.
    waiting: BTreeMap<u64, Vec<Waiting>>,
    /// The payers with waiting calls, the next first.
    order: VecDeque<u64>,
    next: u64,
    /// What a turn takes of late, microseconds.
    mean_us: u64,
}

struct Inside {
    slots: usize,
    /// Places of one payer at most.
    per_payer: usize,
    state: Mutex<State>,
}

/// The queue before one engine. Clones are the same.
#[derive(Clone)]
pub struct Turnstile(Arc<Inside>);

/// A place in the queue; dropping it gives it up.
pub struct Place {
    turnstile: Turnstile,
    payer: u64,
    urgency: Priority,
}

/// The right to let the engine work; dropping it lets the next one.
pub struct Turn {
    turnstile: Turnstile,
    began: Instant,
}

impl State {
    /// Whose turn it is.
    fn pop(&mut self) -> Option<Waiting> {
        let payer = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&payer)?;
        let first = queue.iter().enumerate().min_by_key(|(_, one)| (one.urgency, one.number));
        let at = first.map(|(at, _)| at)?;
        let waiting = queue.swap_remove(at);
        if queue.is_empty() {
            self.waiting.remove(&payer);
        } else {
            self.order.push_back(payer);
        }
        Some(waiting)
    }

    fn leave(&mut self, payer: u64) {
        if let Some(places) = self.places.get_mut(&payer) {
            *places -= 1;
            if *places == 0 {
                self.places.remove(&payer);
            }
        }
    }
}

impl Turnstile {
    /// A queue before an engine that does so many things at once, with so many places for each
    /// payer, at least one of either.
    #[must_use]
    pub fn new(slots: usize, per_payer: usize) -> Self {
        let (slots, per_payer) = (slots.max(1), per_payer.max(1));
        Self(Arc::new(Inside { slots, per_payer, state: Mutex::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that work, and calls that wait or are about to.
    #[cfg(test)]
    fn load(&self) -> (usize, usize) {
        let state = self.lock();
        (state.running, state.places.values().sum())
    }

    /// A place for a call of this payer.
    ///
    /// # Errors
    /// [`Full`].
    pub fn place(&self, payer: u64, urgency: Priority) -> Result<Place, Full> {
        let mut state = self.lock();
        let all = state.places.values().sum::<usize>();
        let own = state.places.get(&payer).copied().unwrap_or_default();
        let own_full = own >= self.0.per_payer;
        if all >= WAITING_MAX || own_full {
            let retry_after = self.expected(&state, all);
            return Err(Full { own: own_full, retry_after });
        }
        *state.places.entry(payer).or_default() += 1;
        Ok(Place { turnstile: self.clone(), payer, urgency })
    }

    /// How long those who are there will take.
    fn expected(&self, state: &State, places: usize) -> Duration {
        let rounds = (places / self.0.slots) as u64 + 1;
        let wait = Duration::from_micros(rounds.saturating_mul(state.mean_us));
        wait.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
    }

    fn turn(&self) -> Turn {
        Turn { turnstile: self.clone(), began: Instant::now() }
    }

    /// Gives free slots to those who wait.
    fn serve(&self, mut state: MutexGuard<'_, State>) {
        let mut turns = Vec::new();
        while state.running < self.0.slots {
            let Some(waiting) = state.pop() else { break };
            state.running += 1;
            turns.push(waiting.turn);
        }
        drop(state);
        for sender in turns {
            // Whoever went away drops its turn, and that serves the next.
            let _ = sender.send(self.turn());
        }
    }
}

impl Place {
    /// Waits for the turn. Dropping the future gives the place up.
    pub async fn turn(self) -> Turn {
        let (waiting, turn) = self.wait();
        let turn = turn.await;
        // It does not wait any more; `self` gives the place back.
        drop(waiting);
        turn.expect("a waiting call leaves the queue by its turn or by itself")
    }

    /// Joins the queue.
    fn wait(&self) -> (Gone<'_>, oneshot::Receiver<Turn>) {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.turnstile.lock();
        let number = state.next;
        state.next += 1;
        let queue = state.waiting.entry(self.payer).or_default();
        queue.push(Waiting { number, urgency: self.urgency, turn: sender });
        if queue.len() == 1 {
            state.order.push_back(self.payer);
        }
        self.turnstile.serve(state);
        (Gone { turnstile: &self.turnstile, payer: self.payer, number }, receiver)
    }
}

/// Takes a call that is given up out of the queue.
struct Gone<'a> {
    turnstile: &'a Turnstile,
    payer: u64,
    number: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let mut state = self.turnstile.lock();
        let Some(queue) = state.waiting.get_mut(&self.payer) else { return };
        queue.retain(|waiting| waiting.number != self.number);
        if queue.is_empty() {
            state.waiting.remove(&self.payer);
            state.order.retain(|payer| *payer != self.payer);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.turnstile.lock();
        state.leave(self.payer);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut state = self.turnstile.lock();
        state.running -= 1;
        let mean = state.mean_us;
        state.mean_us = mean - (mean >> MEAN_SHIFT) + (took >> MEAN_SHIFT);
        self.turnstile.serve(state);
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
