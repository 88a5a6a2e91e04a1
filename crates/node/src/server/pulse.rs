//! The pulse of one connection: what it waits for and since when, and the order to end it.
//!
//! One look at all pulses each second stands for timers of every connection: a connection
//! that waits costs no timer, and each of its states has a limit.
//!
//! **Invariant**: a connection that was told to end while a request came in just then keeps
//! the request: whoever acts on the order asks again whether it holds.

use super::limits::Limits;
use super::refusal::Reason;
use futures::task::AtomicWaker;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Its first byte, or the end of its TLS handshake.
    Opening,
    /// The rest of a head.
    Head,
    /// An answer's end.
    Busy,
    /// The next request, of a client.
    Idle,
    /// The next request of an HTTP/2 connection, whose frames are no heads.
    Quiet,
    /// The same of another node.
    QuietPeer,
    /// Its end, which it was asked for.
    Closing,
}

impl Phase {
    const fn of(number: u8) -> Self {
        match number {
            0 => Self::Opening,
            1 => Self::Head,
            2 => Self::Busy,
            3 => Self::Idle,
            4 => Self::Quiet,
            5 => Self::QuietPeer,
            _ => Self::Closing,
        }
    }

    /// How long it may last, and why a connection is ended that lasts longer.
    const fn limit(self, limits: &Limits) -> Option<(Duration, Reason)> {
        match self {
            Self::Opening => Some((limits.opening, Reason::Opening)),
            Self::Head => Some((limits.head, Reason::HeadTime)),
            Self::Busy => None,
            Self::Idle | Self::Quiet => Some((limits.idle, Reason::Idle)),
            Self::QuietPeer => Some((limits.peer_idle, Reason::Idle)),
            Self::Closing => Some((limits.head, Reason::Idle)),
        }
    }
}

/// An answer of an HTTP/2 connection that may be held up by its reader.
pub(super) trait Stream: Send + Sync {
    /// Ends it if nobody took anything of it for so long; whether it did so.
    fn end_if_stalled(&self, limit: Duration) -> bool;
}

/// The pulse.
pub(super) struct Pulse {
    limits: Limits,
    begin: Instant,
    /// The phase in the low 3 bits, above them since when, in ms after `begin`.
    state: AtomicU64,
    /// Since when nothing could be written, in ms after `begin` and 1; 0 if that is not so.
    stuck: AtomicU64,
    /// Requests under way.
    busy: AtomicU32,
    /// The order to end: a [`Reason`] and 1.
    order: AtomicU8,
    waker: AtomicWaker,
    streams: Mutex<Vec<Weak<dyn Stream>>>,
}

impl Pulse {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            begin: Instant::now(),
            state: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            busy: AtomicU32::new(0),
            order: AtomicU8::new(0),
            waker: AtomicWaker::new(),
            streams: Mutex::default(),
        }
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX >> 3)
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::of((self.state.load(Ordering::Acquire) & 7) as u8)
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.state.store((self.now() << 3) | phase as u64, Ordering::Release);
    }

    /// Bytes came: they begin a head where one is waited for.
    pub(super) fn heard(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// Whether anything could be written.
    pub(super) fn wrote(&self, could: bool) {
        if could {
            self.stuck.store(0, Ordering::Release);
        } else if self.stuck.load(Ordering::Acquire) == 0 {
            self.stuck.store(self.now() + 1, Ordering::Release);
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.busy.fetch_add(1, Ordering::AcqRel);
        self.enter(Phase::Busy);
    }

    /// A request is over; `then` is what the connection waits for if it was the last.
    pub(super) fn end(&self, then: Phase) {
        if self.busy.fetch_sub(1, Ordering::AcqRel) == 1 && self.phase() != Phase::Closing {
            self.enter(then);
        }
    }

    /// Watches an answer.
    pub(super) fn watch(&self, stream: Weak<dyn Stream>) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(stream);
    }

    /// Looks whether the connection took too long; how many answers were ended for it.
    pub(super) fn look(&self) -> usize {
        if let Some(reason) = self.overdue() {
            self.order.store(reason as u8 + 1, Ordering::Release);
            self.waker.wake();
        }
        let streams = {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.retain(|stream| stream.strong_count() > 0);
            streams.clone()
        };
        let streams = streams.iter().filter_map(Weak::upgrade);
        streams.filter(|stream| stream.end_if_stalled(self.limits.stall)).count()
    }

    fn overdue(&self) -> Option<Reason> {
        let now = self.now();
        let stuck = self.stuck.load(Ordering::Acquire);
        let waited = |since: u64| Duration::from_millis(now.saturating_sub(since));
        if stuck > 0 && waited(stuck - 1) >= self.limits.stall {
            return Some(Reason::Stalled);
        }
        // The next request of an HTTP/2 connection may have begun while the last one ended.
        if self.busy.load(Ordering::Acquire) > 0 {
            return None;
        }
        let state = self.state.load(Ordering::Acquire);
        let (limit, reason) = Phase::of((state & 7) as u8).limit(&self.limits)?;
        (waited(state >> 3) >= limit).then_some(reason)
    }

    /// Why the connection is to end now, if it is.
    pub(super) fn order(&self) -> Option<Reason> {
        if self.order.load(Ordering::Acquire) == 0 {
            return None;
        }
        let reason = self.overdue();
        if reason.is_none() {
            self.order.store(0, Ordering::Release);
        }
        reason
    }

    /// Whom to wake with the order to end.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Waits for `work`, unless the connection is to end before.
    pub(super) async fn or_end<T>(&self, work: impl Future<Output = T>) -> Result<T, Reason> {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.register(context.waker());
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            self.order().map_or(Poll::Pending, |reason| Poll::Ready(Err(reason)))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pulse for which every wait is too long at once.
    fn impatient() -> Pulse {
        let (none, limits) = (Duration::ZERO, Limits::default());
        let (opening, head, idle, peer_idle, stall) = (none, none, none, none, none);
        Pulse::new(Limits { opening, head, idle, peer_idle, stall, ..limits })
    }

    fn ordered(pulse: &Pulse) -> Option<Reason> {
        pulse.look();
        pulse.order()
    }

    #[test]
    fn each_phase_has_its_limit() {
        let pulse = impatient();
        assert_eq!(ordered(&pulse), Some(Reason::Opening));
        let check = |phase: Phase, expect: Option<Reason>| {
            pulse.enter(phase);
            assert_eq!(pulse.phase(), phase);
            assert_eq!(ordered(&pulse), expect, "{phase:?}");
        };
        check(Phase::Head, Some(Reason::HeadTime));
        check(Phase::Idle, Some(Reason::Idle));
        check(Phase::Quiet, Some(Reason::Idle));
        check(Phase::QuietPeer, Some(Reason::Idle));
        check(Phase::Closing, Some(Reason::Idle));
        check(Phase::Busy, None);
    }

    #[test]
    fn a_request_that_came_just_then_is_kept() {
        let pulse = impatient();
        pulse.enter(Phase::Idle);
        pulse.look();
        // Ordered to end, and asked something before it did.
        pulse.begin();
        assert_eq!(pulse.order(), None);
        // Another request of the same connection ends: this one is still under way.
        pulse.begin();
        pulse.end(Phase::Quiet);
        assert_eq!(ordered(&pulse), None);
        pulse.end(Phase::Quiet);
        assert_eq!(ordered(&pulse), Some(Reason::Idle));
    }

    #[test]
    fn a_reader_that_takes_something_is_not_stalled() {
        let pulse = impatient();
        pulse.begin();
        pulse.wrote(false);
        assert_eq!(ordered(&pulse), Some(Reason::Stalled));
        pulse.wrote(true);
        assert_eq!(ordered(&pulse), None);
    }

    #[test]
    fn bytes_begin_a_head_only_where_one_is_waited_for() {
        let pulse = impatient();
        for (phase, expect) in [
            (Phase::Opening, Phase::Opening),
            (Phase::Idle, Phase::Head),
            (Phase::Head, Phase::Head),
            (Phase::Busy, Phase::Busy),
            (Phase::Quiet, Phase::Quiet),
            (Phase::QuietPeer, Phase::QuietPeer),
        ] {
            pulse.enter(phase);
            pulse.heard();
            assert_eq!(pulse.phase(), expect);
        }
    }
}
