//! Who votes on blocks, and who could: validators, what they can lose, and the committee of
//! the running epoch.
//!
//! It does not know how a committee is chosen, nor how its votes are counted.
//!
//! **Invariant**: an account and a key have one validator each, a validator one seat.

use ambar_base::{Amount, Height, PublicKey, choice, record};

/// Most validators in the order of preference.
pub const RANKING_VALIDATORS_MAX: usize = 512;

record! {
    /// Somebody who votes on blocks or would.
    pub struct Validator {
        /// The key that it votes with.
        pub key: PublicKey,
        /// The account that its bond comes from.
        pub owner: u64,
        /// What it can lose.
        pub bond: Amount,
        /// Whether it has a seat.
        pub status: Status,
    }
}

choice! {
    /// Whether a validator has a seat.
    #[derive(Copy)]
    pub enum Status {
        /// It has none, and would take one.
        Candidate = 0,
        /// It has one.
        Seated = 1,
        /// It has one, and gives it back at the end of an epoch.
        Leaving = 2,
        /// It has none and takes none, since this height.
        Left(Height) = 3,
        /// It voted for two things at once, which was reported at this height. It takes no
        /// seat again; the one that it had ends with the epoch.
        Ejected(Height) = 4,
    }
}

record! {
    /// The committee of the running epoch, and who is preferred for the next ones.
    pub struct Roster {
        /// The epoch.
        pub epoch: u64,
        /// Who has a seat, by validator number, in the order of their keys.
        pub seats: Vec<u64>,
        /// Whom the council prefers, by validator number, the most preferred first. It may
        /// name some that have left since.
        pub ranking: Vec<u64>,
    }
}

impl Status {
    /// Whether a validator of this status may have a seat in the next epoch.
    #[must_use]
    pub fn is_willing(self) -> bool {
        matches!(self, Self::Candidate | Self::Seated)
    }

    /// The status as it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Seated => "seated",
            Self::Leaving => "leaving",
            Self::Left(_) => "left",
            Self::Ejected(_) => "ejected",
        }
    }
}
