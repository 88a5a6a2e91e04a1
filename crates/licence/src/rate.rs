//! Rates: how many calls a licensee may make within a second, a minute or an hour.
//!
//! A rate is held by the gateway that admits calls; nothing on the ledger counts it, and
//! this module knows no clock. A rate has one spelling, such as `5/s`.

use ambar_base::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Largest rate, calls per unit.
pub const RATE_CALLS_MAX: u32 = 1_000_000;

/// What a rate counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

/// Calls per unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    /// Calls per unit, 1 to [`RATE_CALLS_MAX`].
    pub calls: u32,
    /// The unit.
    pub per: RateUnit,
}

/// The text is not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a rate of 1 to {RATE_CALLS_MAX} calls such as 5/s, 300/m or 1000/h")]
pub struct RateError;

impl RateUnit {
    /// Every unit.
    pub const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    /// The letter of the language.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    /// The word that a person reads.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    /// How long it is, milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
        }
    }
}

impl Rate {
    /// Whether the number of calls is within its limits.
    #[must_use]
    pub const fn is_plausible(self) -> bool {
        self.calls >= 1 && self.calls <= RATE_CALLS_MAX
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.calls, self.per.text()))
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, unit) = text.split_once('/').ok_or(RateError)?;
        let per = RateUnit::ALL.into_iter().find(|known| known.text() == unit).ok_or(RateError)?;
        let calls = count.parse().map_err(|_| RateError)?;
        let rate = Self { calls, per };
        // Signs and leading zeros would be other spellings of the same rate.
        if rate.is_plausible() && rate.to_string() == text { Ok(rate) } else { Err(RateError) }
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, RateError> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl Coded for RateError {
    fn code(&self) -> ErrorCode {
        ErrorCode::RequestInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling() {
        let check = |text: &str, calls, per| {
            let rate = Rate { calls, per };
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string(), text);
        };
        check("5/s", 5, RateUnit::Second);
        check("300/m", 300, RateUnit::Minute);
        check("1000000/h", 1_000_000, RateUnit::Hour);
        for bad in
            ["", "/", "5", "5/", "/s", "fast", "5/d", "5/S", "0/s", "05/s", "+5/s", "-1/s", "5 /s"]
        {
            assert_eq!(bad.parse::<Rate>(), Err(RateError), "{bad}");
        }
        assert_eq!("1000001/s".parse::<Rate>(), Err(RateError));
        assert_eq!("99999999999999999999/s".parse::<Rate>(), Err(RateError));
    }
}
