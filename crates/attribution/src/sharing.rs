//! Rules of sharing: what the members of a datanet decide about how evidence becomes shares.
//!
//! They say how records that hold the same words share, what goes to everybody whether their
//! records were used or not, and how much one contributor gets at most. They know no evidence;
//! [`shares`](crate::shares::shares) applies them.
//!
//! **Invariant**: sound rules leave at least a half of a datanet's weight to evidence, and let
//! whoever is named by it have something.

use crate::span::OCCURRENCES_MAX;
use ambar_base::{Coded, ErrorCode, Weight, choice, record};
use std::fmt;
use std::str::FromStr;

/// Largest part that goes to whoever is drawn: evidence decides about a half at least.
pub const FLOOR_MAX: Weight = Weight(Weight::ONE.0 / 2);

choice! {
    /// How records that hold the same span share what it is worth. Records are in the order in
    /// which they were registered. Numbers are for ever.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Duplicates {
        /// Each record gets as much as any other.
        Equal = 1,
        /// The record that was registered first gets everything.
        First = 2,
        /// The k-th contributor, by the first of its records, gets 2⁻ᵏ of it, and what that
        /// leaves over is divided in the same proportions.
        Halving = 3,
    }
}

record! {
    /// How the weight of a datanet in a call is shared.
    #[derive(Copy)]
    pub struct Sharing {
        /// How records that hold the same span share.
        pub duplicates: Duplicates,
        /// The part that goes to whoever is drawn among all contributors, at most
        /// [`FLOOR_MAX`].
        pub floor: Weight,
        /// The most that one contributor gets by evidence, above zero; the whole: no limit.
        pub cap: Weight,
    }
}

/// Why rules of sharing are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// No such rule.
    #[error("rule {0} for duplicates is not known")]
    Duplicates(u16),
    /// A name that no rule has.
    #[error("duplicates share by `equal`, `first` or `halving`")]
    Name,
    /// More than evidence may lose.
    #[error("the floor is at most {FLOOR_MAX}")]
    Floor,
    /// Nobody would get anything by evidence.
    #[error("the cap is above 0%")]
    Cap,
}

impl Coded for SharingError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Self::USUAL
    }
}

impl Sharing {
    /// What holds where nothing is said: evidence decides about everything, and of records that
    /// hold the same words none is before another. Where nobody keeps an order of registration, a
    /// rule that goes by it would pay whoever names files.
    pub const USUAL: Self =
        Self { duplicates: Duplicates::Equal, floor: Weight::ZERO, cap: Weight::ONE };
    /// What a new pool begins with. The ledger keeps the order of its records, so copies of one
    /// that was registered earn nothing by its words, however many there are.
    pub const OF_POOLS: Self = Self { duplicates: Duplicates::First, ..Self::USUAL };

    /// The rules with these numbers.
    pub fn of(duplicates: u16, floor: Weight, cap: Weight) -> Result<Self, SharingError> {
        let known = Duplicates::ALL.iter().find(|rule| rule.number() == duplicates);
        let duplicates = *known.ok_or(SharingError::Duplicates(duplicates))?;
        let sharing = Self { duplicates, floor, cap };
        sharing.check().map(|()| sharing)
    }

    /// Refuses rules beyond the limits.
    pub fn check(&self) -> Result<(), SharingError> {
        if self.floor > FLOOR_MAX {
            return Err(SharingError::Floor);
        }
        if self.cap == Weight::ZERO { Err(SharingError::Cap) } else { Ok(()) }
    }

    /// Whether somebody may be drawn, so that it matters how many contributors there are.
    #[must_use]
    pub fn draws(&self) -> bool {
        self.floor > Weight::ZERO || self.cap < Weight::ONE
    }

    /// The part of `total` that goes to whoever is drawn, rounded down.
    #[must_use]
    pub fn floor_of(&self, total: Weight) -> Weight {
        let part = u64::from(total.0) * u64::from(self.floor.0) / u64::from(Weight::ONE.0);
        Weight(u32::try_from(part).expect("a part of a weight is a weight"))
    }

    /// The most that one contributor gets of `total` by evidence, rounded up: of something it is
    /// never nothing.
    #[must_use]
    pub fn cap_of(&self, total: Weight) -> Weight {
        let part = u64::from(total.0) * u64::from(self.cap.0);
        let part = part.div_ceil(u64::from(Weight::ONE.0));
        Weight(u32::try_from(part).expect("a part of a weight is a weight"))
    }
}

impl Duplicates {
    /// Every rule, ascending.
    pub const ALL: &'static [Self] = &[Self::Equal, Self::First, Self::Halving];

    /// The number used in manifests.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Equal => 1,
            Self::First => 2,
            Self::Halving => 3,
        }
    }

    /// The name that people read and write.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::First => "first",
            Self::Halving => "halving",
        }
    }

    /// What records of these contributors get of `worth`, in the order of registration; what is
    /// lost by rounding is less than one for each of them. At most the first
    /// [`OCCURRENCES_MAX`] contributors share by halves.
    pub(crate) fn divide(self, worth: u128, contributors: &[u32]) -> Vec<(u32, u128)> {
        match self {
            Self::Equal => {
                let part = worth / contributors.len().max(1) as u128;
                contributors.iter().map(|contributor| (*contributor, part)).collect()
            }
            Self::First => contributors.first().map(|first| (*first, worth)).into_iter().collect(),
            Self::Halving => {
                // By contributors, not records: whoever brings a text twice gets no more.
                let mut distinct: Vec<u32> = Vec::with_capacity(contributors.len());
                for contributor in contributors {
                    let known = distinct.contains(contributor);
                    if !known && distinct.len() < OCCURRENCES_MAX as usize {
                        distinct.push(*contributor);
                    }
                }
                let parts = (1_u128 << distinct.len()) - 1;
                let halves = (0..distinct.len()).rev().map(|power| (worth << power) / parts);
                distinct.iter().copied().zip(halves).collect()
            }
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Duplicates {
    type Err = SharingError;

    fn from_str(text: &str) -> Result<Self, SharingError> {
        let found = Self::ALL.iter().find(|rule| rule.name() == text);
        found.copied().ok_or(SharingError::Name)
    }
}

#[cfg(test)]
#[path = "sharing_tests.rs"]
mod tests;
