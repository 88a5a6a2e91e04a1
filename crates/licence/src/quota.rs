//! Quotas: how often a licensee may call, how fast, and for how much.
//!
//! Calls and spend are counted by the ledger, per period; the rate is held by the
//! gateway. A quota keeps no counters: they come in with the situation.

use crate::rate::Rate;
use ambar_base::{Moment, Price, choice};
use serde::{Deserialize, Serialize};

/// Largest quota, calls per period.
pub const QUOTA_CALLS_MAX: u64 = 1_000_000_000_000;

choice! {
    /// What a quota or a budget counts by.
    #[derive(Copy, PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Period {
        /// A UTC day.
        Day = 1,
        /// A UTC calendar month.
        Month = 2,
        /// The whole term of the grant.
        Term = 3,
    }
}

/// How much a licensee may call: at least one of calls, spend and rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// What calls and spend are counted by; [`Period::Term`] where there is a rate only.
    pub per: Period,
    /// Calls per period, 1 to [`QUOTA_CALLS_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// What may be spent on the capsule per period (royalty and node fee of its lines),
    /// nano-credit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Price>,
    /// Calls per second, minute or hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

impl Period {
    /// Every period.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Term];

    /// The word of the language.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Term => "term",
        }
    }

    /// How a person reads it behind a number.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Day => "per UTC day",
            Self::Month => "per UTC calendar month",
            Self::Term => "in all",
        }
    }

    /// The number of the period that `now` lies in: UTC days or months since the one of
    /// `since`, which is 0. A term is one period.
    #[must_use]
    pub fn number(self, now: Moment, since: Moment) -> u64 {
        match self {
            Self::Day => now.day().saturating_sub(since.day()),
            Self::Month => now.month().saturating_sub(since.month()),
            Self::Term => 0,
        }
    }
}

impl Quota {
    /// So many calls per period, and no other limit.
    #[must_use]
    pub const fn of_calls(calls: u64, per: Period) -> Self {
        Self { per, calls: Some(calls), spend: None, rate: None }
    }

    /// Whether it limits what is counted by the period.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.calls.is_some() || self.spend.is_some()
    }

    /// The number of the period that `now` lies in, see [`Period::number`]; that of
    /// acceptance is 0.
    #[must_use]
    pub fn period_of(&self, now: Moment, accepted: Moment) -> u64 {
        self.per.number(now, accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        let (day, accepted) = (Moment::DAY_MS, Moment(Moment::DAY_MS * 30 + 5));
        let check = |per, now, expect| {
            let period = Quota::of_calls(1, per).period_of(Moment(now), accepted);
            assert_eq!(period, expect, "{per:?} {now}");
        };
        check(Period::Day, accepted.0, 0);
        check(Period::Day, day * 31 - 1, 0);
        check(Period::Day, day * 31, 1);
        check(Period::Day, 0, 0);
        check(Period::Month, day * 31 - 1, 0);
        check(Period::Month, day * 31, 1);
        check(Period::Month, day * 365, 12);
        check(Period::Term, u64::MAX, 0);
    }
}
