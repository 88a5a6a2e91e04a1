//! The measurement unit: deterministic work, in nano-MU.

use crate::amount::Price;
use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use std::fmt;

/// Work in nano-MU (10⁻⁹ MU).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mu(pub u128);

impl Mu {
    /// No work.
    pub const ZERO: Self = Self(0);
    const ONE: u128 = 1_000_000_000;

    /// What this work costs at `per_mu` nano-credit per MU, rounded once, down: towards the
    /// payer. Nothing on overflow.
    #[must_use]
    pub fn price(self, per_mu: Price) -> Option<Price> {
        let exact = self.0.checked_mul(u128::from(per_mu.0))?;
        u64::try_from(exact / Self::ONE).ok().map(Price)
    }
}

impl fmt::Display for Mu {
    /// MU with nine decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:09}", self.0 / Self::ONE, self.0 % Self::ONE))
    }
}

impl Encode for Mu {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for Mu {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Decode::decode(reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_round_down_once() {
        let check = |mu, per_mu, expect| assert_eq!(Mu(mu).price(Price(per_mu)), expect);
        check(1_000_000_000, 7, Some(Price(7)));
        check(999_999_999, 1, Some(Price(0)));
        check(1_999_999_999, 1, Some(Price(1)));
        check(u128::MAX, 2, None);
        check(u128::from(u64::MAX) * 1_000_000_000 + 1_000_000_000, 1, None);
        assert_eq!(Mu(1_500_000_000).to_string(), "1.500000000");
    }
}
