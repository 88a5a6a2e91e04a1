//! The numbers of one piece of work: written by whoever works, read by whoever draws.

use super::look;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes.
    Bytes,
    /// Things, by their plural.
    Steps(String),
    /// Nothing; what there is to say.
    Spinner(String),
}

/// One piece of work.
#[derive(Debug)]
pub(super) struct State {
    pub name: String,
    pub kind: Kind,
    began: Instant,
    done: AtomicU64,
    total: AtomicU64,
}

impl State {
    pub fn new(name: &str, kind: Kind, total: u64) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            began: Instant::now(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(total),
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// How far it is; nothing if nothing is counted.
    pub fn so_far(&self) -> String {
        let (done, total) = (self.done(), self.total());
        match &self.kind {
            Kind::Spinner(what) => what.clone(),
            Kind::Bytes => look::bytes_of(done, total),
            Kind::Steps(unit) => format!("{done} of {total} {unit}"),
        }
    }

    /// How far it is, how fast it goes, and how long the rest takes.
    pub fn figures(&self) -> String {
        let pace = look::pace(self.done(), self.total(), self.elapsed());
        let rate = pace.filter(|_| self.kind == Kind::Bytes);
        let rate = rate.map(|pace| format!("{}/s", look::bytes(pace.per_second)));
        look::joined([Some(self.so_far()), rate, pace.and_then(look::Pace::left)])
    }
}

/// Where work notes how far it is, from any thread. Clones count together.
#[derive(Clone, Debug)]
pub struct Counter(pub(super) Arc<State>);

impl Counter {
    /// So much more is done.
    pub fn advance(&self, by: u64) {
        self.0.done.fetch_add(by, Ordering::Relaxed);
    }

    /// So much is to be done, as far as is known now.
    pub fn of(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    /// So much is done.
    pub fn at(&self, done: u64) {
        self.0.done.store(done, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together() {
        let state = Arc::new(State::new("counting", Kind::Steps("blocks".into()), 10));
        let (one, two) = (Counter(Arc::clone(&state)), Counter(Arc::clone(&state)));
        one.advance(3);
        two.advance(4);
        assert!(state.figures().starts_with("7 of 10 blocks"), "{}", state.figures());
        two.at(1);
        assert_eq!(state.done(), 1);
    }
}
