//! Calls without a key of their own that official clients may send again.
//!
//! These clients send the same body once more after an error, a reset or a time-out, and say how
//! often they have (`x-stainless-retry-count`), but give no idempotency key. A request that is
//! sent again belongs to an earlier one of the same certificate, path and body; two that are sent
//! for the first time are two calls, however alike they are.
//!
//! What seals such an answer is what the client sends again: its certificate and its request.
//! The gateway keeps neither, so a copied disk opens nothing.
//!
//! **Invariant**: one earlier call answers each further attempt once: a request sent for the
//! second time is never answered by a call that a second attempt was answered by.

use crate::answers::Opener;
use crate::call::CallRequest;
use crate::certificate::Opened;
use crate::record::Metered;
use ambar_base::{Digest, Moment};
use ambar_receipt::leaf::call_id;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a call is found by who sends its request again, milliseconds.
pub const REPEAT_MS_MAX: u64 = 600_000;
/// Most calls that are found so; past it the oldest are forgotten.
pub const REPEATS_MAX: usize = 65_536;
/// What keys are derived for: BLAKE3's context string.
const CONTEXT: &str = "ambar 2026-11 answer kept for a request that is sent again";

/// What makes two requests the same: channel, certificate's holder, and fingerprint.
type Request = (u64, Digest, Digest);

struct Earlier {
    n: u64,
    at: Moment,
    /// How often its request had been sent when it was answered last.
    retries: u32,
}

#[derive(Default)]
struct Inner {
    calls: BTreeMap<Request, Vec<Earlier>>,
    order: VecDeque<(Moment, Request, u64)>,
}

/// Calls of late that may be asked for again.
#[derive(Default)]
pub struct Repeats(Mutex<Inner>);

/// The identity of a call without a key: no client can write it.
#[must_use]
pub fn unkeyed(channel: u64, holder: &Digest, n: u64) -> Digest {
    call_id(channel, holder, &format!("\0{n}"))
}

/// Who opens the answer of a call without a key: whoever has its certificate and request.
#[must_use]
pub fn opener(opened: &Opened, request: &CallRequest) -> Opener {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&(request.certificate.len() as u64).to_be_bytes());
    hasher.update(request.certificate.as_bytes());
    hasher.update(&request.fingerprint.0);
    Opener { holder: opened.holder, key: hasher.finalize().to_hex().to_string().into() }
}

impl Repeats {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins whose request may be sent again.
    pub fn begin(&self, request: Request, n: u64, at: Moment, retries: u32) {
        let mut inner = self.lock();
        inner.forget(at);
        inner.calls.entry(request).or_default().push(Earlier { n, at, retries });
        inner.order.push_back((at, request, n));
    }

    /// A call that an earlier process left, if it has no key.
    pub fn remember(&self, metered: &Metered) {
        let Some(details) = &metered.details else { return };
        let (channel, n) = (metered.leaf.channel, metered.leaf.n);
        let keyless = unkeyed(channel, &details.holder, n) == metered.leaf.call;
        if keyless && metered.answer.body.is_some() {
            let request = (channel, details.holder, metered.fingerprint);
            self.begin(request, n, metered.leaf.time, 0);
        }
    }

    /// The newest earlier call that this attempt may belong to, which it then answers.
    #[must_use]
    pub fn claim(&self, request: &Request, retries: u32, now: Moment) -> Option<u64> {
        let mut inner = self.lock();
        inner.forget(now);
        let calls = inner.calls.get_mut(request)?.iter_mut().rev();
        let earlier = calls.into_iter().find(|earlier| {
            earlier.retries < retries && now.distance_ms(earlier.at) <= REPEAT_MS_MAX
        })?;
        earlier.retries = retries;
        Some(earlier.n)
    }
}

impl Inner {
    /// Forgets what is too old, and the oldest if there are too many.
    fn forget(&mut self, now: Moment) {
        while let Some((at, request, n)) = self.order.front().copied() {
            if now.0.saturating_sub(at.0) <= REPEAT_MS_MAX && self.order.len() < REPEATS_MAX {
                return;
            }
            self.order.pop_front();
            if let Some(calls) = self.calls.get_mut(&request) {
                calls.retain(|earlier| earlier.n != n);
                if calls.is_empty() {
                    self.calls.remove(&request);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_000_000);

    fn request(body: &[u8]) -> Request {
        (3, Digest::of(b"holder"), Digest::of(body))
    }

    #[test]
    fn an_attempt_belongs_to_an_earlier_one() {
        let repeats = Repeats::default();
        let claim = |body, retries, later| repeats.claim(&request(body), retries, NOW.after(later));
        assert_eq!(claim(b"a", 1, 0), None);
        repeats.begin(request(b"a"), 7, NOW, 0);
        assert_eq!(claim(b"b", 1, 0), None);
        assert_eq!(claim(b"a", 0, 0), None);
        assert_eq!(claim(b"a", 1, 1), Some(7));
        // That answer was lost, too.
        assert_eq!(claim(b"a", 2, 2), Some(7));
        // Another request of the same words, whose first attempt never came.
        assert_eq!(claim(b"a", 1, 3), None);
        repeats.begin(request(b"a"), 8, NOW.after(3), 1);
        assert_eq!(claim(b"a", 2, 4), Some(8));
        assert_eq!(claim(b"a", 3, REPEAT_MS_MAX), Some(8));
        assert_eq!(claim(b"a", 4, REPEAT_MS_MAX + 4), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let repeats = Repeats::default();
        for n in 0..REPEATS_MAX as u64 + 10 {
            repeats.begin(request(&n.to_be_bytes()), n, NOW, 0);
        }
        let kept = repeats.lock().calls.len();
        assert!(kept <= REPEATS_MAX, "{kept}");
        assert_eq!(repeats.claim(&request(&0_u64.to_be_bytes()), 1, NOW), None);
        let last = REPEATS_MAX as u64 + 9;
        assert_eq!(repeats.claim(&request(&last.to_be_bytes()), 1, NOW), Some(last));
    }
}
