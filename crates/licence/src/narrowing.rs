//! Narrowings: what each block of a certificate takes away.
//!
//! These are facts, extracted from a certificate by an adapter at the edge; how they are
//! written and signed is not known here. Money and calls are counted **per block**: what
//! a child spends counts against the blocks of all its ancestors.
//!
//! **Invariant**: [`Narrowing::meet`] allows what both sides allow and nothing else.

use crate::calendar::MOMENT_MAX;
use crate::purpose::{PURPOSES_MAX, Purpose};
use ambar_base::{Cid, Coded, Digest, ErrorCode, Moment, Price, PublicKey};
use std::collections::BTreeSet;

/// Most capsules that one block names.
pub const CAPSULES_MAX: usize = 64;
/// Largest budget of a block, nano-credit: what certificates can write, 2⁶³ − 1.
pub const BUDGET_MAX: Price = Price(i64::MAX as u64);
/// Largest number of calls of a block: what certificates can write, 2⁶³ − 1.
pub const CALLS_MAX: u64 = i64::MAX as u64;

/// What one block takes away; nothing means that it does not speak of the matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// Most that may be spent under this block, nano-credit.
    pub budget: Option<Price>,
    /// Most calls under this block.
    pub calls: Option<u64>,
    /// The last moment of validity, a whole second.
    pub expires: Option<Moment>,
    /// The purposes allowed, never empty.
    pub purposes: Option<BTreeSet<Purpose>>,
    /// The capsules allowed, never empty.
    pub capsules: Option<BTreeSet<Cid>>,
    /// The key that must sign each call.
    pub agent: Option<PublicKey>,
}

/// A block of a certificate: its narrowing, and the id that its counters and its
/// revocation go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateBlock {
    /// The digest of the block's revocation id.
    pub id: Digest,
    /// What the block takes away.
    pub narrowing: Narrowing,
}

/// A narrowing that no certificate can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NarrowingError {
    /// Two agents, of which a call can be signed by one.
    #[error("a certificate cannot be bound to two agents")]
    Agents,
    /// The budget exceeds [`BUDGET_MAX`].
    #[error("a budget of {0} credits is larger than a certificate can say")]
    Budget(Price),
    /// The number of calls exceeds [`CALLS_MAX`].
    #[error("{0} calls are more than a certificate can say")]
    Calls(u64),
    /// No capsules, or more than [`CAPSULES_MAX`].
    #[error("a block names 1 to {CAPSULES_MAX} capsules, not {0}")]
    Capsules(usize),
    /// No whole second, or after the year 9999.
    #[error("an expiry is a whole second before the year 10000")]
    Expires,
    /// No purposes, or more than [`PURPOSES_MAX`].
    #[error("a block names 1 to {PURPOSES_MAX} purposes, not {0}")]
    Purposes(usize),
}

impl Coded for NarrowingError {
    fn code(&self) -> ErrorCode {
        ErrorCode::RequestInvalid
    }
}

impl Narrowing {
    /// Whether it takes nothing away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what no certificate can say.
    pub fn check(&self) -> Result<(), NarrowingError> {
        if let Some(budget) = self.budget.filter(|budget| *budget > BUDGET_MAX) {
            return Err(NarrowingError::Budget(budget));
        }
        if let Some(calls) = self.calls.filter(|calls| *calls > CALLS_MAX) {
            return Err(NarrowingError::Calls(calls));
        }
        if self.expires.is_some_and(|at| at > MOMENT_MAX || at.0 % 1_000 != 0) {
            return Err(NarrowingError::Expires);
        }
        let purposes = self.purposes.as_ref().map_or(1, BTreeSet::len);
        if !(1..=PURPOSES_MAX).contains(&purposes) {
            return Err(NarrowingError::Purposes(purposes));
        }
        let capsules = self.capsules.as_ref().map_or(1, BTreeSet::len);
        if !(1..=CAPSULES_MAX).contains(&capsules) {
            return Err(NarrowingError::Capsules(capsules));
        }
        Ok(())
    }

    /// What both allow. Sets without a common member, and two agents, are refused: no
    /// call could meet them.
    pub fn meet(self, other: Self) -> Result<Self, NarrowingError> {
        let met = Self {
            budget: least(self.budget, other.budget),
            calls: least(self.calls, other.calls),
            expires: least(self.expires, other.expires),
            purposes: common(self.purposes, other.purposes),
            capsules: common(self.capsules, other.capsules),
            agent: match (self.agent, other.agent) {
                (Some(one), Some(two)) if one != two => return Err(NarrowingError::Agents),
                (one, two) => one.or(two),
            },
        };
        met.check().map(|()| met)
    }
}

fn least<T: Ord>(one: Option<T>, two: Option<T>) -> Option<T> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}

fn common<T: Ord + Clone>(
    one: Option<BTreeSet<T>>,
    two: Option<BTreeSet<T>>,
) -> Option<BTreeSet<T>> {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.intersection(&two).cloned().collect()),
        (one, two) => one.or(two),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Option<BTreeSet<Purpose>> {
        Some(words.iter().map(|word| word.parse().unwrap()).collect())
    }

    #[test]
    fn limits() {
        let check = |narrowing: Narrowing, expect| assert_eq!(narrowing.check(), expect);
        let none = Narrowing::default;
        check(none(), Ok(()));
        check(Narrowing { budget: Some(BUDGET_MAX), ..none() }, Ok(()));
        let budget = Price(BUDGET_MAX.0 + 1);
        check(Narrowing { budget: Some(budget), ..none() }, Err(NarrowingError::Budget(budget)));
        let calls = CALLS_MAX + 1;
        check(Narrowing { calls: Some(calls), ..none() }, Err(NarrowingError::Calls(calls)));
        check(Narrowing { expires: Some(Moment(999)), ..none() }, Err(NarrowingError::Expires));
        check(Narrowing { expires: Some(Moment(1_000)), ..none() }, Ok(()));
        let purposes = Some(BTreeSet::new());
        check(Narrowing { purposes, ..none() }, Err(NarrowingError::Purposes(0)));
        let ids = |n: u8| Some((0..n).map(|i| Cid::of(&[i])).collect());
        check(Narrowing { capsules: ids(64), ..none() }, Ok(()));
        check(Narrowing { capsules: ids(65), ..none() }, Err(NarrowingError::Capsules(65)));
    }

    #[test]
    fn meets() {
        let one = Narrowing {
            budget: Some(Price(5)),
            purposes: words(&["a", "b"]),
            ..Default::default()
        };
        let two = Narrowing {
            budget: Some(Price(3)),
            calls: Some(1),
            purposes: words(&["b", "c"]),
            ..Default::default()
        };
        let expect = Narrowing { purposes: words(&["b"]), ..two.clone() };
        assert_eq!(one.clone().meet(two), Ok(expect));
        let apart = Narrowing { purposes: words(&["c"]), ..Default::default() };
        assert_eq!(one.meet(apart), Err(NarrowingError::Purposes(0)));
        let agent = |seed| Narrowing { agent: Some(PublicKey([seed; 32])), ..Default::default() };
        assert_eq!(agent(1).meet(agent(1)), Ok(agent(1)));
        assert_eq!(agent(1).meet(agent(2)), Err(NarrowingError::Agents));
    }
}
