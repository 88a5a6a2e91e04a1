//! When the requests of an open loop are due, and who tells the clients.
//!
//! The clock of the asynchronous runtime has steps of 1 ms. So a thread sleeps until the next
//! request is due, and hands out turns.
//!
//! **Invariant**: the nth turn is due n intervals after the start, however late it is taken.

use ambar_gateway::promptly;
use anyhow::Result;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The least time that the pacing thread sleeps: it hands out together what is due until then.
const SLEEP_MIN: Duration = Duration::from_micros(20);

/// Requests at equal distances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    start: Instant,
    interval: Duration,
    count: u64,
}

impl Schedule {
    /// As many requests as fall into `time` at `rate` per second, at least one.
    #[must_use]
    pub fn new(start: Instant, rate: f64, time: Duration) -> Self {
        let rate = rate.max(1e-3);
        let count = ((rate * time.as_secs_f64()).round() as u64).max(1);
        Self { start, interval: Duration::from_secs_f64(1.0 / rate), count }
    }

    /// When a request is due; nothing past the last.
    #[must_use]
    pub fn due(&self, number: u64) -> Option<Instant> {
        (number < self.count).then(|| self.start + self.interval.mul_f64(number as f64))
    }

    /// How many are due at a moment.
    #[must_use]
    pub fn due_by(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start).as_secs_f64();
        let intervals = (since / self.interval.as_secs_f64()) as u64;
        self.count.min(intervals + 1)
    }
}

/// Hands out turns from a thread of its own, which ends with the last.
#[derive(Debug)]
pub struct Pacer {
    turns: Turns,
}

/// What a client takes its turns from.
#[derive(Clone, Debug)]
pub struct Turns {
    schedule: Schedule,
    handed: Arc<Semaphore>,
    taken: Arc<AtomicU64>,
}

impl Pacer {
    /// Begins; `clients` take turns.
    pub fn start(schedule: Schedule, clients: usize) -> Result<Self> {
        let (handed, taken) = (Arc::new(Semaphore::new(0)), Arc::default());
        let turns = Turns { schedule, handed: handed.clone(), taken };
        let work = move || {
            sleep_exactly();
            promptly::ask(promptly::SYNCS);
            hand_out(schedule, &handed);
            // Past the last turn, each client hears that there is none.
            handed.add_permits(clients);
        };
        thread::Builder::new().name("pace".to_owned()).spawn(work)?;
        Ok(Self { turns })
    }

    /// Where a client takes its turns.
    #[must_use]
    pub fn turns(&self) -> Turns {
        self.turns.clone()
    }
}

fn hand_out(schedule: Schedule, handed: &Semaphore) {
    let mut count = 0;
    while let Some(due) = schedule.due(count) {
        let now = Instant::now();
        let until = due.saturating_duration_since(now);
        if !until.is_zero() {
            thread::sleep(until.max(SLEEP_MIN));
        }
        let reached = schedule.due_by(Instant::now());
        let turns = usize::try_from(reached.saturating_sub(count)).unwrap_or(0);
        handed.add_permits(turns);
        count = count.max(reached);
    }
}

/// Asks the kernel to end this thread's sleeps when they end: by default it may add 50 µs
/// (proc(5), `timerslack_ns`). Where it refuses, turns come that much later.
fn sleep_exactly() {
    let Ok(thread) = fs::read_link("/proc/thread-self") else { return };
    if let Some(thread) = thread.file_name() {
        let path = std::path::Path::new("/proc").join(thread).join("timerslack_ns");
        let _ = fs::write(path, "1");
    }
}

impl Turns {
    /// Waits for the next turn: when its request was due; nothing past the last.
    pub async fn next(&self) -> Option<Instant> {
        self.handed.acquire().await.ok()?.forget();
        self.schedule.due(self.taken.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_at_equal_distances() {
        let start = Instant::now();
        let schedule = Schedule::new(start, 4_000.0, Duration::from_millis(10));
        let after = |micros| start + Duration::from_micros(micros);
        let check = |number, micros: Option<u64>| {
            assert_eq!(schedule.due(number), micros.map(after), "{number}");
        };
        check(0, Some(0));
        check(1, Some(250));
        check(39, Some(9_750));
        check(40, None);
        let check = |micros, due| assert_eq!(schedule.due_by(after(micros)), due, "{micros}");
        check(0, 1);
        check(249, 1);
        check(251, 2);
        check(9_751, 40);
        check(1_000_000, 40);
        let slow = Schedule::new(start, 0.1, Duration::from_millis(10));
        assert_eq!((slow.due(0), slow.due(1)), (Some(start), None));
    }

    #[tokio::test]
    async fn turns_end_and_none_comes_early() {
        let schedule = Schedule::new(Instant::now(), 5_000.0, Duration::from_millis(40));
        let pacer = Pacer::start(schedule, 2).unwrap();
        let (one, other) = (pacer.turns(), pacer.turns());
        let mut taken = 0;
        while let Some(due) = one.next().await {
            assert!(due <= Instant::now());
            taken += 1;
        }
        assert_eq!((taken, other.next().await), (200, None));
    }
}
