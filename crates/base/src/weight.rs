//! Weights: integers that sum to exactly 10⁹, and the one place where rounding happens.

use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A part of one whole, in units of 10⁻⁹.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Weight(pub u32);

impl Weight {
    /// The whole.
    pub const ONE: Self = Self(1_000_000_000);
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// What is left of the whole, or nothing if this exceeds it.
    #[must_use]
    pub fn complement(self) -> Option<Self> {
        Self::ONE.0.checked_sub(self.0).map(Self)
    }

    /// The sum, or nothing above the whole.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).filter(|sum| *sum <= Self::ONE.0).map(Self)
    }
}

/// The sum of weights, or nothing above the whole.
#[must_use]
pub fn total(weights: impl IntoIterator<Item = Weight>) -> Option<Weight> {
    weights.into_iter().try_fold(Weight::ZERO, Weight::checked_add)
}

impl fmt::Display for Weight {
    /// Per cent without trailing zeros, such as `15%` or `0.0000001%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 10_000_000, self.0 % 10_000_000);
        let text = format!("{whole}.{part:07}");
        f.pad(&format!("{}%", text.trim_end_matches('0').trim_end_matches('.')))
    }
}

/// The text is not a share in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share from 0% to 100% with at most 7 decimals, such as 15% or 2.5%")]
pub struct WeightError;

impl FromStr for Weight {
    type Err = WeightError;

    /// Per cent with the sign `%`.
    fn from_str(text: &str) -> Result<Self, WeightError> {
        let number = text.strip_suffix('%').ok_or(WeightError)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > 7 {
            return Err(WeightError);
        }
        let part: u64 = format!("{part:0<7}").parse().map_err(|_| WeightError)?;
        let whole: u64 = whole.parse().map_err(|_| WeightError)?;
        // Three digits of per cent are more than 32 bits hold.
        let weight = u32::try_from(whole * 10_000_000 + part).map(Self);
        weight.ok().filter(|weight| *weight <= Self::ONE).ok_or(WeightError)
    }
}

impl Encode for Weight {
    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }
}

impl Decode for Weight {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let weight = Self(Decode::decode(reader)?);
        let rule = DecodeError::Rule("a weight is at most the whole");
        if weight <= Self::ONE { Ok(weight) } else { Err(rule) }
    }
}

/// Largest raw claim that [`apportion`] takes: its product with a weight, and the sum of
/// [`CLAIMS_MAX`] claims, fit 128 bits.
pub const CLAIM_MAX: u128 = 1 << 96;
/// Most claims that [`apportion`] takes at once.
pub const CLAIMS_MAX: usize = 1 << 16;

/// Why claims cannot be turned into weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApportionError {
    /// No claim is above zero.
    #[error("no claim is above zero")]
    NothingClaimed,
    /// More or larger claims than the arithmetic is exact for.
    #[error("more or larger claims than the limit")]
    TooMany,
}

/// Divides `whole` among claims in proportion, to the last unit, by the method of largest
/// remainders (Hamilton). Equal remainders are ordered by `tie`, ascending, so the result
/// does not depend on the order of the claims.
pub fn apportion(whole: Weight, claims: &[(Digest, u128)]) -> Result<Vec<Weight>, ApportionError> {
    if claims.len() > CLAIMS_MAX || claims.iter().any(|(_, claim)| *claim > CLAIM_MAX) {
        return Err(ApportionError::TooMany);
    }
    let sum: u128 = claims.iter().map(|(_, claim)| claim).sum();
    if sum == 0 {
        return Err(ApportionError::NothingClaimed);
    }
    let exact = |claim: u128| claim * u128::from(whole.0);
    let mut weights: Vec<u32> =
        claims.iter().map(|(_, claim)| (exact(*claim) / sum) as u32).collect();
    let left = whole.0 - weights.iter().sum::<u32>();
    let mut order: Vec<usize> = (0..claims.len()).filter(|i| claims[*i].1 > 0).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(exact(claims[i].1) % sum), claims[i].0));
    // Fewer units are left than there are claims with a remainder.
    order.iter().take(left as usize).for_each(|&i| weights[i] += 1);
    Ok(weights.into_iter().map(Weight).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tie(number: u64) -> Digest {
        Digest::of(&number.to_le_bytes())
    }

    #[test]
    fn texts() {
        let check = |text: &str, expect| assert_eq!(text.parse::<Weight>(), expect, "{text}");
        check("15%", Ok(Weight(150_000_000)));
        check("100%", Ok(Weight::ONE));
        check("0.0000001%", Ok(Weight(1)));
        for bad in ["", "%", "15", "100.1%", "0.00000001%", "-1%", "1.%", ".5%", "1e1%"] {
            check(bad, Err(WeightError));
        }
        // Found by the fuzz target `text`: more than 32 bits hold.
        check("430%", Err(WeightError));
        check("999.9999999%", Err(WeightError));
        assert_eq!(Weight(25_000_000).to_string(), "2.5%");
        assert_eq!(Weight::ONE.to_string(), "100%");
    }

    #[test]
    fn thirds_sum_to_the_whole() {
        let claims: Vec<_> = (0..3).map(|i| (tie(i), 1)).collect();
        let weights = apportion(Weight::ONE, &claims).unwrap();
        assert_eq!(total(weights.iter().copied()), Some(Weight::ONE));
        assert!(weights.iter().all(|w| w.0 == 333_333_333 || w.0 == 333_333_334));
        assert_eq!(apportion(Weight::ONE, &[]), Err(ApportionError::NothingClaimed));
    }

    proptest! {
        #[test]
        fn sums_exactly_and_ignores_order(
            whole in 0u32..=1_000_000_000,
            raw in proptest::collection::vec(0u128..=CLAIM_MAX, 1..64),
            rotate in 0usize..64,
        ) {
            prop_assume!(raw.iter().any(|claim| *claim > 0));
            let claims: Vec<_> = raw.iter().enumerate().map(|(i, c)| (tie(i as u64), *c)).collect();
            let weights = apportion(Weight(whole), &claims).unwrap();
            prop_assert_eq!(total(weights.iter().copied()), Some(Weight(whole)));
            let mut turned: Vec<_> = claims.iter().copied().zip(weights).collect();
            turned.rotate_left(rotate % claims.len());
            let (claims, expect): (Vec<_>, Vec<_>) = turned.into_iter().unzip();
            prop_assert_eq!(apportion(Weight(whole), &claims), Ok(expect));
        }

        #[test]
        fn printed_weights_parse(raw in 0u32..=1_000_000_000) {
            prop_assert_eq!(Weight(raw).to_string().parse(), Ok(Weight(raw)));
        }
    }
}
