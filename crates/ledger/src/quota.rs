//! What is counted under a grant's quota, and what gateways hold of it.
//!
//! A gateway admits calls long before they settle, so what it may admit is set aside for it
//! first: a lease. It knows no gateway's books: those see to it that no call is admitted that
//! its lease does not hold.
//!
//! **Invariant**: what is settled and what leases hold are together never more than the
//! terms allow.

use crate::object::{Lease, QuotaCount};
use ambar_base::Price;
use ambar_licence::Quota;

/// Heights at which a lease admits calls after the block that gave or extended it.
pub const LEASE_BLOCKS: u64 = 256;
/// The period of what is leased of a rate: a rate does not begin anew with a day or month, or
/// twice as many calls would fit around midnight.
pub const RATE_PERIOD: u64 = u64::MAX;

/// A part of a quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Calls.
    pub calls: u64,
    /// Royalty and node fee, nano-credit.
    pub spend: Price,
    /// Calls per unit of the rate.
    pub rate: u32,
}

impl Share {
    /// Of each kind the smaller.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            calls: self.calls.min(other.calls),
            spend: self.spend.min(other.spend),
            rate: self.rate.min(other.rate),
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Lease {
    /// What it holds.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { calls: self.calls, spend: self.spend, rate: self.rate }
    }

    /// Adds a share that the count has given; nothing if it does not fit.
    #[must_use]
    pub fn add(&mut self, share: Share) -> Option<()> {
        self.calls = self.calls.checked_add(share.calls)?;
        self.spend = self.spend.checked_add(share.spend)?;
        self.rate = self.rate.checked_add(share.rate)?;
        Some(())
    }

    /// Takes a share out; nothing if it holds less.
    #[must_use]
    pub fn subtract(&mut self, share: Share) -> Option<()> {
        self.calls = self.calls.checked_sub(share.calls)?;
        self.spend = self.spend.checked_sub(share.spend)?;
        self.rate = self.rate.checked_sub(share.rate)?;
        Some(())
    }
}

impl QuotaCount {
    /// What of a quota is neither settled nor leased: of a kind that the quota does not limit
    /// nothing, because nobody needs a lease of it.
    #[must_use]
    pub fn left(&self, quota: &Quota, period: u64) -> Share {
        if period == RATE_PERIOD {
            let rate = quota.rate.map_or(0, |rate| rate.calls);
            return Share { rate: rate.saturating_sub(self.rate_leased), ..Share::default() };
        }
        let calls = self.calls.saturating_add(self.calls_leased);
        let spend = self.spend.0.saturating_add(self.spend_leased.0);
        Share {
            calls: quota.calls.map_or(0, |limit| limit.saturating_sub(calls)),
            spend: quota.spend.map_or(Price::ZERO, |limit| limit.saturating_sub(Price(spend))),
            rate: 0,
        }
    }

    /// Counts a share as leased; nothing if it does not fit.
    #[must_use]
    pub fn lease(&mut self, share: Share) -> Option<()> {
        self.calls_leased = self.calls_leased.checked_add(share.calls)?;
        self.spend_leased = self.spend_leased.checked_add(share.spend)?;
        self.rate_leased = self.rate_leased.checked_add(share.rate)?;
        Some(())
    }

    /// Counts a share as leased no longer; nothing if less was leased.
    #[must_use]
    pub fn release(&mut self, share: Share) -> Option<()> {
        self.calls_leased = self.calls_leased.checked_sub(share.calls)?;
        self.spend_leased = self.spend_leased.checked_sub(share.spend)?;
        self.rate_leased = self.rate_leased.checked_sub(share.rate)?;
        Some(())
    }

    /// Settles one call that costs so much out of a lease; nothing if the lease holds less
    /// than the quota limits, or a sum does not fit.
    #[must_use]
    pub fn settle(&mut self, lease: &mut Lease, quota: &Quota, cost: Price) -> Option<()> {
        let share = Share {
            calls: u64::from(quota.calls.is_some()),
            spend: quota.spend.map_or(Price::ZERO, |_| cost),
            rate: 0,
        };
        lease.subtract(share)?;
        self.release(share)?;
        self.calls = self.calls.checked_add(1)?;
        self.spend = self.spend.checked_add(cost)?;
        Some(())
    }
}
