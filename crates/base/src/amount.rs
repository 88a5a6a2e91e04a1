//! Money in two units, both integers: a [`Price`] in nano-credit (10⁻⁹), an [`Amount`]
//! in 10⁻¹⁸ credit. A price times a [`Weight`](crate::weight::Weight) is exactly an
//! amount, so money is never rounded.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::weight::Weight;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("not a decimal number of credits, such as 1.25")]
    Syntax,
    /// More digits after the point than the unit has.
    #[error("more than {0} digits after the decimal point")]
    TooFine(usize),
    /// Larger than the unit can hold.
    #[error("larger than this unit can hold")]
    TooLarge,
}

macro_rules! money {
    ($(#[$meta:meta])* $name:ident($inner:ident), $decimals:literal, $one:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// One credit.
            pub const CREDIT: Self = Self($one);
            /// Digits after the decimal point.
            pub const DECIMALS: usize = $decimals;

            /// The sum, or nothing on overflow.
            #[must_use]
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            /// The difference, or nothing below zero.
            #[must_use]
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            /// The difference, or zero.
            #[must_use]
            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// Whether it is nothing.
            #[must_use]
            pub fn is_zero(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Display for $name {
            /// Credits with all decimals: one spelling per value.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (whole, part) = (self.0 / $one, self.0 % $one);
                f.pad(&format!("{whole}.{part:0width$}", width = $decimals))
            }
        }

        impl FromStr for $name {
            type Err = MoneyError;

            /// Credits as digits with an optional decimal point; no sign, no exponent.
            fn from_str(text: &str) -> Result<Self, MoneyError> {
                let (whole, part) = split_decimal(text, $decimals)?;
                let one: $inner = $one;
                let whole: $inner = whole.parse().map_err(|_| MoneyError::TooLarge)?;
                let padded = format!("{part:0<width$}", width = $decimals);
                let part: $inner = padded.parse().map_err(|_| MoneyError::TooLarge)?;
                let scaled = whole.checked_mul(one).and_then(|whole| whole.checked_add(part));
                scaled.map(Self).ok_or(MoneyError::TooLarge)
            }
        }

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

money!(
    /// A price or transfer in nano-credit (10⁻⁹ credit).
    Price(u64), 9, 1_000_000_000
);
money!(
    /// A balance or payout in 10⁻¹⁸ credit.
    Amount(u128), 18, 1_000_000_000_000_000_000
);

/// Splits "12.5" into its digits before and after the point.
fn split_decimal(text: &str, decimals: usize) -> Result<(&str, &str), MoneyError> {
    let (whole, part) = match text.split_once('.') {
        Some((_, "")) => return Err(MoneyError::Syntax),
        Some(parts) => parts,
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return Err(MoneyError::Syntax);
    }
    if part.len() > decimals { Err(MoneyError::TooFine(decimals)) } else { Ok((whole, part)) }
}

impl Price {
    /// The part of this price that a weight stands for, exactly.
    #[must_use]
    pub fn share(self, weight: Weight) -> Amount {
        Amount(u128::from(self.0) * u128::from(weight.0))
    }
}

impl From<Price> for Amount {
    fn from(price: Price) -> Self {
        price.share(Weight::ONE)
    }
}

/// The sum of prices, or nothing on overflow.
#[must_use]
pub fn total_price(prices: impl IntoIterator<Item = Price>) -> Option<Price> {
    prices.into_iter().try_fold(Price::ZERO, Price::checked_add)
}

/// The sum of amounts, or nothing on overflow.
#[must_use]
pub fn total(amounts: impl IntoIterator<Item = Amount>) -> Option<Amount> {
    amounts.into_iter().try_fold(Amount::ZERO, Amount::checked_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts() {
        let check = |text: &str, expect| assert_eq!(text.parse::<Price>(), expect, "{text}");
        check("0", Ok(Price(0)));
        check("1.25", Ok(Price(1_250_000_000)));
        check("0.000000001", Ok(Price(1)));
        check("0.0000000001", Err(MoneyError::TooFine(9)));
        check("18446744073.709551615", Ok(Price(u64::MAX)));
        check("18446744073.709551616", Err(MoneyError::TooLarge));
        for bad in ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "١"] {
            check(bad, Err(MoneyError::Syntax));
        }
        assert_eq!(Amount::CREDIT.to_string(), "1.000000000000000000");
        assert_eq!(Price(120_000).to_string(), "0.000120000");
    }

    #[test]
    fn a_price_is_the_sum_of_its_shares() {
        let price = Price(7);
        let parts = [Weight(333_333_333), Weight(666_666_667)].map(|weight| price.share(weight));
        assert_eq!(total(parts), Some(Amount::from(price)));
    }

    proptest! {
        #[test]
        fn printed_amounts_parse(raw: u128) {
            prop_assert_eq!(Amount(raw).to_string().parse(), Ok(Amount(raw)));
        }
    }
}
