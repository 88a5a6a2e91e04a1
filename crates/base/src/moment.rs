//! Consensus time and block heights.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A block's height. Genesis has height 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Height(pub u64);

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Height {
    /// The height `blocks` later, or the last one there is.
    #[must_use]
    pub fn after(self, blocks: u64) -> Self {
        Self(self.0.saturating_add(blocks))
    }
}

impl Moment {
    /// Milliseconds of a UTC day.
    pub const DAY_MS: u64 = 86_400_000;

    /// The moment `ms` milliseconds later, or the last one there is.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The distance to another moment in milliseconds.
    #[must_use]
    pub fn distance_ms(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// UTC days since 1970-01-01.
    #[must_use]
    pub fn day(self) -> u64 {
        self.0 / Self::DAY_MS
    }

    /// UTC months since 1970-01. Civil calendar by Hinnant's `civil_from_days`
    /// ("chrono-Compatible Low-Level Date Algorithms").
    #[must_use]
    pub fn month(self) -> u64 {
        let days = self.day() + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months counted from March, so that the leap day ends the year.
        let from_march = (5 * day_of_year + 2) / 153;
        (era * 400 + year_of_era) * 12 + from_march + 2 - 1970 * 12
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! codec {
    ($name:ident) => {
        impl Encode for $name {
            fn encode(&self, writer: &mut Writer) {
                self.0.encode(writer);
            }
        }

        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Decode::decode(reader).map(Self)
            }
        }
    };
}
codec!(Height);
codec!(Moment);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_the_calendar() {
        // Seconds since 1970 as `date -u -d … +%s` prints them.
        let check = |seconds: u64, year: u64, month: u64| {
            assert_eq!(Moment(seconds * 1000).month(), (year - 1970) * 12 + month - 1, "{seconds}");
        };
        check(0, 1970, 1);
        check(2_678_399, 1970, 1);
        check(2_678_400, 1970, 2);
        check(951_782_399, 2000, 2);
        check(951_782_400, 2000, 2);
        check(951_868_799, 2000, 2);
        check(951_868_800, 2000, 3);
        check(1_798_761_599, 2026, 12);
        check(1_798_761_600, 2027, 1);
    }
}
