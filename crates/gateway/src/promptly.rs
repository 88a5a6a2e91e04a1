//! Threads that must not wait for others: those that answer calls and the one that makes receipts
//! durable have little to do at a time, and somebody waits for it.
//!
//! Linux gives a thread that wakes up the core at once only if it asks for a shorter slice than
//! the one that runs. Otherwise it waits for the next tick, up to 4 ms at 250 Hz, however short the
//! sync was that it slept for.
//! Source: sched(7), `sched_setattr(2)`; custom slices of EEVDF, Linux 6.12.
//!
//! **Invariant**: no thread gets more of a core by it, only sooner; where the system knows no
//! slices nothing changes.

use std::time::Duration;

/// The slice of a thread that answers calls.
pub const CALLS: Duration = Duration::from_micros(500);
/// The slice of the thread that syncs: it goes before those, which wait for it.
pub const SYNCS: Duration = Duration::from_micros(100);

/// `SCHED_FLAG_RESET_ON_FORK` of `sched_setattr(2)`.
#[cfg(target_os = "linux")]
const RESET_ON_FORK: u64 = 1;

/// Asks for slices of this length for the thread that calls this.
#[cfg(target_os = "linux")]
pub fn ask(slice: Duration) {
    // It is set together with the slice.
    let niceness = rustix::process::getpriority_process(None).unwrap_or_default();
    let size = u32::try_from(size_of::<libc::sched_attr>()).unwrap_or_default();
    let attributes = libc::sched_attr {
        size,
        sched_policy: libc::SCHED_OTHER.cast_unsigned(),
        // What this thread starts has slices as usual: engines compute for long.
        sched_flags: RESET_ON_FORK,
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        sched_deadline: 0,
        sched_period: 0,
    };
    #[expect(unsafe_code, reason = "no library has this call")]
    // SAFETY: the structure says its own size and is only read; 0 is the thread that calls.
    let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if done != 0 {
        tracing::debug!("threads get no slices of their own here");
    }
}

/// Elsewhere there is nothing to ask for.
#[cfg(not(target_os = "linux"))]
pub fn ask(_slice: Duration) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The slice that the system says this thread has, nanoseconds.
    fn slice() -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("se.slice"));
        line.and_then(|rest| rest.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
    }

    #[test]
    fn a_thread_has_the_slice_that_it_asks_for() {
        std::thread::spawn(|| {
            // Systems without slices, or without this file, say nothing.
            if slice() == 0 {
                return;
            }
            ask(CALLS);
            let calls = slice();
            ask(SYNCS);
            assert_eq!((calls, slice()), (500_000, 100_000));
        })
        .join()
        .unwrap();
    }
}
