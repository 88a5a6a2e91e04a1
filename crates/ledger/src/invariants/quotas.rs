//! Quotas hold, and their leases are counted and scheduled once.

use super::Violation;
use crate::object::{Lease, QuotaCount};
use crate::quota::{RATE_PERIOD, Share};
use ambar_base::{Cid, Price};
use ambar_licence::Quota;
use std::collections::BTreeMap;

/// Quotas and leases of a state.
#[derive(Default)]
pub(super) struct Quotas {
    pub(super) terms: BTreeMap<Cid, Quota>,
    pub(super) grants: BTreeMap<u64, Cid>,
    pub(super) counts: BTreeMap<(u64, u64), QuotaCount>,
    pub(super) leases: BTreeMap<(u64, (u64, u64)), Lease>,
    pub(super) scheduled: Vec<(u64, (u64, u64))>,
}

impl Quotas {
    pub(super) fn check(mut self) -> Result<(), Violation> {
        let mut leased: BTreeMap<(u64, u64), Lease> = BTreeMap::new();
        for ((grant, (period, _)), lease) in &self.leases {
            let sum = leased.entry((*grant, *period)).or_default();
            sum.add(lease.share()).ok_or(Violation::Overflow)?;
        }
        for ((grant, period), count) in &self.counts {
            let held = leased.remove(&(*grant, *period)).unwrap_or_default();
            let QuotaCount { calls_leased, spend_leased, rate_leased, .. } = *count;
            let counted = Share { calls: calls_leased, spend: spend_leased, rate: rate_leased };
            if counted != held.share() {
                return Err(Violation::Leased(*grant, *period));
            }
            let quota = self.grants.get(grant).and_then(|terms| self.terms.get(terms));
            if !quota.is_some_and(|quota| within(count, quota, *period)) {
                return Err(Violation::Quota(*grant, *period));
            }
        }
        if let Some((grant, period)) = leased.into_keys().next() {
            return Err(Violation::Leased(grant, period));
        }
        self.scheduled.sort_unstable();
        let scheduled = self.scheduled.iter();
        match scheduled.zip(self.leases.keys()).find(|(one, other)| one != other) {
            None if self.scheduled.len() == self.leases.len() => Ok(()),
            Some((place, other)) => Err(unscheduled(place.min(other))),
            None => {
                let last = self.scheduled.last().max(self.leases.keys().next_back());
                Err(unscheduled(last.unwrap_or(&(0, (0, 0)))))
            }
        }
    }
}

fn unscheduled((grant, (period, gateway)): &(u64, (u64, u64))) -> Violation {
    Violation::Unscheduled(*grant, *period, *gateway)
}

/// Whether what is settled and leased is within the limits. What they do not limit nobody
/// leases.
fn within(count: &QuotaCount, quota: &Quota, period: u64) -> bool {
    let QuotaCount { calls, spend, calls_leased, spend_leased, rate_leased } = *count;
    let (calls_max, spend_max, rate_max) = if period == RATE_PERIOD {
        (None, None, quota.rate.map_or(0, |rate| rate.calls))
    } else {
        (quota.calls, quota.spend, 0)
    };
    let calls = match calls_max {
        Some(most) => calls.checked_add(calls_leased).is_some_and(|sum| sum <= most),
        None => calls_leased == 0,
    };
    let spend = match spend_max {
        Some(most) => spend.checked_add(spend_leased).is_some_and(|sum| sum <= most),
        None => spend_leased == Price::ZERO,
    };
    calls && spend && rate_leased <= rate_max
}
