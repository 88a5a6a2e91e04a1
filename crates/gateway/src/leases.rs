//! What a gateway leases of quotas, how much, and when it gives it back: pure, over what the
//! ledger says and what the gateway's books say.
//!
//! It knows no ledger but as facts, and no clock. Little is taken first, so that a quota is not
//! stranded in gateways that nobody calls, and twice as much each further time, so that a busy
//! gateway seldom waits.

use ambar_base::{Height, Moment, Price};
use ambar_ledger::object::{Lease, QuotaCount};
use ambar_ledger::quota::{LEASE_BLOCKS, Share};
use ambar_licence::RateUnit;
use ambar_licence::decision::Spent;

/// How long a lease that no call used stays, milliseconds; a rate's at least one unit of it.
pub const LEASE_IDLE_MS: u64 = 30_000;
/// A lease in use is extended when so many of its heights are left.
pub const EXTEND_BLOCKS: u64 = LEASE_BLOCKS / 4;
/// The first take is one part in so many of what is left.
const FIRST_PART: u64 = 8;
/// Takes until a share of what is left is as large as it gets.
const DOUBLINGS_MAX: u32 = 3;

/// What the ledger says of one period of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The period; [`RATE_PERIOD`](ambar_ledger::quota::RATE_PERIOD) for a rate.
    pub period: u64,
    /// What is counted over all gateways.
    pub count: QuotaCount,
    /// What is neither settled nor leased.
    pub left: Share,
    /// This gateway's lease, be it open or not; empty if it has none.
    pub lease: Lease,
}

/// What this gateway asks of the ledger before it admits a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The channel of the call.
    pub channel: u64,
    /// The grant.
    pub grant: u64,
    /// The period of its quota.
    pub period: u64,
    /// How the channel comes to call under the grant.
    pub through: Vec<u64>,
    /// What the lease lacks for the call; nothing where it has ended.
    pub need: Share,
    /// What is neither settled nor leased.
    pub left: Share,
    /// Calls per unit of the rate that the lease holds.
    pub rate: u32,
}

impl Counted {
    /// Calls settled, leased by other gateways, and `own` admitted here: what counts against
    /// the terms for everybody.
    #[must_use]
    pub fn calls_used(&self, own: Spent) -> u64 {
        let elsewhere = self.count.calls_leased.saturating_sub(self.lease.calls);
        self.count.calls.saturating_add(elsewhere).saturating_add(own.calls)
    }

    /// The same in nano-credit.
    #[must_use]
    pub fn spent(&self, own: Spent) -> Price {
        let elsewhere = self.count.spend_leased.0.saturating_sub(self.lease.spend.0);
        let sum = self.count.spend.0.saturating_add(elsewhere);
        Price(sum.saturating_add(own.price.0))
    }

    /// Whether calls may be admitted under the lease in the block after this one's head.
    #[must_use]
    pub fn is_open(&self, head: Height) -> bool {
        self.lease.until > head
    }

    /// What the lease lacks to hold what is admitted and one call more.
    #[must_use]
    pub fn lack(&self, own: Spent, call: Spent, limits: (bool, bool)) -> Share {
        let calls = own.calls.saturating_add(call.calls).saturating_sub(self.lease.calls);
        let spend = own.price.0.saturating_add(call.price.0).saturating_sub(self.lease.spend.0);
        Share {
            calls: if limits.0 { calls } else { 0 },
            spend: Price(if limits.1 { spend } else { 0 }),
            rate: 0,
        }
    }
}

impl Want {
    /// What is asked of the ledger, after so many takes of the same period.
    #[must_use]
    pub fn asks(&self, takes: u32) -> Share {
        let Self { need, left, .. } = self;
        Share {
            calls: amount(left.calls, need.calls, takes),
            spend: Price(amount(left.spend.0, need.spend.0, takes)),
            rate: self.rate_asked(),
        }
    }

    /// A rate is taken when calls wait for it, so the part doubles.
    fn rate_asked(&self) -> u32 {
        if self.need.rate == 0 {
            return 0;
        }
        self.rate.min(self.left.rate.div_ceil(2)).max(self.need.rate)
    }
}

/// A part of what is left, at most half of it unless the call at hand needs more.
fn amount(left: u64, need: u64, takes: u32) -> u64 {
    if need == 0 {
        return 0;
    }
    let part = (left / FIRST_PART).saturating_mul(1 << takes.min(DOUBLINGS_MAX));
    part.min(left.div_ceil(2)).max(need)
}

/// Whether a lease that was last used at `used` is given back at `now`.
#[must_use]
pub fn is_idle(used: Moment, now: Moment, unit: Option<RateUnit>) -> bool {
    let patience_ms = unit.map_or(0, RateUnit::ms).max(LEASE_IDLE_MS);
    now.0.saturating_sub(used.0) >= patience_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(need: u64, left: u64) -> Want {
        let share = |calls| Share { calls, spend: Price(calls), rate: 0 };
        Want {
            channel: 1,
            grant: 2,
            period: 3,
            through: Vec::new(),
            need: share(need),
            left: share(left),
            rate: 0,
        }
    }

    #[test]
    fn little_is_taken_first_and_never_more_than_half() {
        let check = |need, left, takes, expect| {
            let asked = want(need, left).asks(takes);
            assert_eq!((asked.calls, asked.spend), (expect, Price(expect)), "{left} {takes}");
        };
        check(1, 800, 0, 100);
        check(1, 800, 1, 200);
        check(1, 800, 2, 400);
        check(1, 800, 3, 400);
        check(1, 800, u32::MAX, 400);
        check(1, 5, 0, 1);
        check(1, 1, 9, 1);
        check(1, 3, 9, 1);
        check(1, 9, 3, 5);
        check(7, 9, 0, 7);
        check(0, 800, 0, 0);
        check(1, u64::MAX, 3, u64::MAX / 2 + 1);
    }

    #[test]
    fn a_rate_doubles_while_calls_wait() {
        let check = |need, held, left, expect| {
            let share = |rate| Share { rate, ..Share::default() };
            let want = Want { need: share(need), left: share(left), rate: held, ..want(0, 0) };
            assert_eq!(want.asks(0), share(expect), "{held} {left}");
        };
        check(1, 0, 100, 1);
        check(1, 1, 99, 1);
        check(1, 8, 92, 8);
        check(1, 64, 36, 18);
        check(3, 1, 99, 3);
        check(0, 8, 92, 0);
    }

    #[test]
    fn what_counts_is_everybodys() {
        let count = QuotaCount {
            calls: 10,
            spend: Price(100),
            calls_leased: 7,
            spend_leased: Price(70),
            rate_leased: 0,
        };
        let lease = Lease { calls: 4, spend: Price(40), rate: 0, until: Height(9) };
        let counted = Counted { period: 0, count, left: Share::default(), lease };
        let own = Spent { price: Price(35), calls: 3 };
        assert_eq!((counted.calls_used(own), counted.spent(own)), (16, Price(165)));
        let call = |calls, price| Spent { price: Price(price), calls };
        let lack = |calls, price, limits| {
            let share = counted.lack(own, call(calls, price), limits);
            (share.calls, share.spend.0)
        };
        assert_eq!(lack(1, 5, (true, true)), (0, 0));
        assert_eq!(lack(2, 9, (true, true)), (1, 4));
        assert_eq!(lack(2, 9, (false, true)), (0, 4));
        assert!(counted.is_open(Height(8)) && !counted.is_open(Height(9)));
    }

    #[test]
    fn a_rate_stays_for_its_unit() {
        let check = |idle_ms: u64, unit, expect| {
            assert_eq!(is_idle(Moment(5), Moment(5 + idle_ms), unit), expect, "{idle_ms}");
        };
        check(29_999, None, false);
        check(30_000, None, true);
        check(30_000, Some(RateUnit::Second), true);
        check(59_999, Some(RateUnit::Minute), false);
        check(3_600_000, Some(RateUnit::Hour), true);
    }
}
