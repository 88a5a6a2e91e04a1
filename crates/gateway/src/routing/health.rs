//! What this gateway has seen of each node: how long a first piece takes, how many calls go
//! well, and whether it is left alone for a while (a circuit breaker).
//!
//! Of each node the latest [`CALLS_SEEN`] calls within [`SEEN_MS_MAX`] count: who failed long ago is
//! tried again like a newcomer. After [`FAILURES_IN_A_ROW`] the node rests,
//! [`REST_MS_MIN`] at first and twice as long each time up to [`REST_MS_MAX`]; then one call
//! tries it. It knows no clock: the time is handed in, in milliseconds.

use super::hedge::HEDGE_CALLS_MIN;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Calls of each node that count.
pub const CALLS_SEEN: usize = 100;
/// How long a call counts, milliseconds.
pub const SEEN_MS_MAX: u64 = 60_000;
/// Failures in a row after which a node rests.
pub const FAILURES_IN_A_ROW: u32 = 3;
/// The first rest, milliseconds.
pub const REST_MS_MIN: u64 = 1_000;
/// The longest rest, milliseconds.
pub const REST_MS_MAX: u64 = 60_000;
/// Nodes that are remembered; past it the one that was asked longest ago is forgotten.
pub const NODES_MAX: usize = 4_096;

/// One call as it went: the milliseconds until its first piece, or nothing if it failed.
type Outcome = Option<u64>;

#[derive(Default)]
struct Record {
    /// With when it was.
    outcomes: VecDeque<(u64, Outcome)>,
    in_a_row: u32,
    /// Until when it rests, and how long that rest is.
    rest: Option<(u64, u64)>,
    /// Somebody tries it after its rest.
    tried: bool,
    asked: u64,
}

/// What was seen of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What a first piece took of late: the median, milliseconds.
    pub first_ms: Option<u64>,
    /// Calls that went well.
    pub succeeded: u64,
    /// Calls that count.
    pub calls: u64,
    /// Whether it is left alone now.
    pub resting: bool,
}

/// What this gateway has seen of all nodes.
#[derive(Default)]
pub struct Health(Mutex<BTreeMap<u64, Record>>);

impl Record {
    fn counts(&self, now_ms: u64) -> impl Iterator<Item = Outcome> {
        let oldest = now_ms.saturating_sub(SEEN_MS_MAX);
        self.outcomes.iter().filter(move |(at, _)| *at >= oldest).map(|(_, outcome)| *outcome)
    }

    /// What first pieces took of late, ascending.
    fn waits(&self, now_ms: u64) -> Vec<u64> {
        let mut waits: Vec<u64> = self.counts(now_ms).flatten().collect();
        waits.sort_unstable();
        waits
    }

    fn seen(&self, now_ms: u64) -> Seen {
        let waits = self.waits(now_ms);
        Seen {
            first_ms: waits.get(waits.len() / 2).copied(),
            succeeded: waits.len() as u64,
            calls: self.counts(now_ms).count() as u64,
            resting: self.rest.is_some_and(|(until, _)| now_ms < until || self.tried),
        }
    }

    fn note(&mut self, outcome: Outcome, now_ms: u64) {
        if self.outcomes.len() == CALLS_SEEN {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((now_ms, outcome));
        self.tried = false;
        if outcome.is_some() {
            (self.in_a_row, self.rest) = (0, None);
            return;
        }
        self.in_a_row += 1;
        if self.in_a_row >= FAILURES_IN_A_ROW {
            let long = self.rest.map_or(REST_MS_MIN, |(_, long)| (2 * long).min(REST_MS_MAX));
            self.rest = Some((now_ms.saturating_add(long), long));
        }
    }
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was seen of a node.
    #[must_use]
    pub fn seen(&self, node: u64, now_ms: u64) -> Seen {
        self.lock().get(&node).map(|record| record.seen(now_ms)).unwrap_or_default()
    }

    /// How long that percentile of a node's calls of late had to wait for their first piece,
    /// milliseconds, if enough of them were seen.
    #[must_use]
    pub fn slow(&self, node: u64, percentile: u8, now_ms: u64) -> Option<u64> {
        let records = self.lock();
        let waits = records.get(&node)?.waits(now_ms);
        let enough = waits.len() >= HEDGE_CALLS_MIN;
        waits.get(waits.len() * usize::from(percentile) / 100).copied().filter(|_| enough)
    }

    /// A node is asked. After a rest the first who asks tries it for all.
    pub fn asked(&self, node: u64, now_ms: u64) {
        let mut records = self.lock();
        if records.len() >= NODES_MAX && !records.contains_key(&node) {
            let oldest = records.iter().min_by_key(|(_, record)| record.asked);
            if let Some(oldest) = oldest.map(|(node, _)| *node) {
                records.remove(&oldest);
            }
        }
        let record = records.entry(node).or_default();
        record.asked = now_ms;
        record.tried = record.rest.is_some_and(|(until, _)| now_ms >= until);
    }

    /// A node's first piece came after so many milliseconds.
    pub fn well(&self, node: u64, first_ms: u64, now_ms: u64) {
        self.lock().entry(node).or_default().note(Some(first_ms), now_ms);
    }

    /// A node failed.
    pub fn failed(&self, node: u64, now_ms: u64) {
        self.lock().entry(node).or_default().note(None, now_ms);
    }

    /// A call that asked a node was given up before anything could be seen.
    pub fn given_up(&self, node: u64) {
        if let Some(record) = self.lock().get_mut(&node) {
            record.tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_calls_count() {
        let health = Health::default();
        assert_eq!(health.seen(1, 0), Seen::default());
        for wait in [30, 10, 20] {
            health.well(1, wait, 0);
        }
        health.failed(1, 0);
        let seen = Seen { first_ms: Some(20), succeeded: 3, calls: 4, resting: false };
        assert_eq!(health.seen(1, 0), seen);
        for _ in 0..CALLS_SEEN {
            health.well(1, 5, 0);
        }
        let calls = CALLS_SEEN as u64;
        let seen = Seen { first_ms: Some(5), succeeded: calls, calls, resting: false };
        assert_eq!(health.seen(1, 0), seen);
    }

    #[test]
    fn a_percentile_needs_calls_that_went_well() {
        let health = Health::default();
        for wait in 1..HEDGE_CALLS_MIN as u64 {
            health.well(1, wait, 0);
        }
        health.failed(1, 0);
        assert_eq!(health.slow(1, 50, 0), None);
        health.well(1, 20, 0);
        assert_eq!((health.slow(1, 50, 0), health.slow(1, 99, 0)), (Some(11), Some(20)));
        assert_eq!((health.slow(1, 50, SEEN_MS_MAX + 1), health.slow(2, 50, 0)), (None, None));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let health = Health::default();
        health.failed(1, 0);
        health.well(1, 9, 1);
        assert_eq!(health.seen(1, SEEN_MS_MAX).calls, 2);
        let seen = Seen { first_ms: Some(9), succeeded: 1, calls: 1, resting: false };
        assert_eq!(health.seen(1, SEEN_MS_MAX + 1), seen);
        assert_eq!(health.seen(1, SEEN_MS_MAX + 2), Seen::default());
    }

    #[test]
    fn a_node_rests_and_one_call_tries_it() {
        let health = Health::default();
        let resting = |now| health.seen(1, now).resting;
        for _ in 1..FAILURES_IN_A_ROW {
            health.failed(1, 0);
        }
        assert!(!resting(0));
        health.failed(1, 0);
        assert!(resting(0) && resting(REST_MS_MIN - 1) && !resting(REST_MS_MIN));
        health.asked(1, REST_MS_MIN);
        assert!(resting(REST_MS_MIN), "somebody tries it: the others wait");
        health.given_up(1);
        assert!(!resting(REST_MS_MIN), "nothing was seen: another may try");
        health.failed(1, REST_MS_MIN);
        assert!(resting(3 * REST_MS_MIN - 1) && !resting(3 * REST_MS_MIN), "twice as long");
        health.well(1, 7, 3 * REST_MS_MIN);
        health.failed(1, 3 * REST_MS_MIN);
        assert!(!resting(3 * REST_MS_MIN), "one good call and all is forgotten");
    }

    #[test]
    fn rests_and_nodes_are_bounded() {
        let health = Health::default();
        for _ in 0..40 {
            health.failed(1, 0);
        }
        assert!(!health.seen(1, REST_MS_MAX).resting);
        for node in 0..2 * NODES_MAX as u64 {
            health.asked(node, node);
        }
        assert_eq!(health.lock().len(), NODES_MAX);
    }
}
