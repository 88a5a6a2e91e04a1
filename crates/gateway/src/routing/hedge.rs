//! When a second node is asked for an answer whose first node is slower than it mostly is.
//!
//! Dean and Barroso, "The Tail at Scale" (CACM 56:2, 2013): the second request goes out once the
//! first has waited longer than a percentile of what that node took of late, so that few calls
//! are asked twice and the slowest of them gain. A budget bounds them when everything is slow,
//! when asking twice would make it slower.

use std::sync::atomic::{AtomicU64, Ordering};

/// Calls of a node that must have been seen before its percentile means anything.
pub const HEDGE_CALLS_MIN: usize = 20;
/// The least and the most percentile that an operator may choose.
pub const HEDGE_PERCENTILES: std::ops::RangeInclusive<u8> = 50..=99;
/// Of how many calls one may be asked twice.
pub const HEDGE_ONE_IN: u64 = 10;
/// How many may be so at once, after a time in which none were.
pub const HEDGE_BURST: u64 = 10;

/// Whether and how often a second node is asked.
#[derive(Debug)]
pub(crate) struct Hedging {
    percentile: Option<u8>,
    /// What may be spent, in calls: a second question costs [`HEDGE_ONE_IN`] of them.
    budget: AtomicU64,
}

impl Hedging {
    /// After which percentile of a node's waits; never, if it is none.
    pub(crate) fn after(percentile: Option<u8>) -> Self {
        Self { percentile, budget: AtomicU64::new(HEDGE_ONE_IN * HEDGE_BURST) }
    }

    /// A call is asked; after which percentile it is asked twice, if calls are.
    pub(crate) fn call(&self) -> Option<u8> {
        let percentile = self.percentile?;
        let fuller = |budget| (budget < HEDGE_ONE_IN * HEDGE_BURST).then_some(budget + 1);
        // A full budget stays as it is.
        let _ = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fuller);
        Some(percentile)
    }

    /// Takes what a second question costs, if it is there.
    pub(crate) fn spend(&self) -> bool {
        let less = |budget: u64| budget.checked_sub(HEDGE_ONE_IN);
        self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_twice_unless_the_operator_wants_it() {
        assert_eq!(Hedging::after(None).call(), None);
        assert_eq!(Hedging::after(Some(95)).call(), Some(95));
    }

    #[test]
    fn one_call_in_ten_after_a_burst() {
        let hedging = Hedging::after(Some(95));
        let calls = 1_000;
        let mut twice = 0;
        for _ in 0..calls {
            assert!(hedging.call().is_some());
            twice += u64::from(hedging.spend());
        }
        let expect = calls / HEDGE_ONE_IN + HEDGE_BURST;
        assert!((expect - 1..=expect).contains(&twice), "{twice}");
        let rested = Hedging::after(Some(95));
        for _ in 0..calls {
            rested.call();
        }
        assert_eq!((0..calls).filter(|_| rested.spend()).count() as u64, HEDGE_BURST);
    }
}
