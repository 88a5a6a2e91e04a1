//! The binary logarithm in integers, so that rarity and relevance are the same number
//! on every machine.

/// Bits after the binary point of [`log2`].
pub const FRACTION_BITS: u32 = 16;
/// The value 1 in the fixed point of [`log2`].
pub const UNIT: u64 = 1 << FRACTION_BITS;

/// log₂ `value` in units of 2⁻¹⁶, rounded down to within two units; zero for zero.
///
/// The integer part is the position of the highest bit. Each bit of the fraction comes
/// from squaring what remains in [1, 2): a square of 2 or more is a one (Turner, "A fast
/// binary logarithm algorithm", IEEE Signal Processing Magazine 27(5), 2010).
#[must_use]
pub fn log2(value: u64) -> u64 {
    let Some(whole) = value.checked_ilog2() else { return 0 };
    // The mantissa in [1, 2) with 63 bits after the point.
    let mut mantissa = u128::from(value) << (63 - whole);
    let mut fraction = 0;
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        let carry = (mantissa >> 64) as u64;
        mantissa >>= carry;
        fraction = (fraction << 1) | carry;
    }
    (u64::from(whole) << FRACTION_BITS) | fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        let check = |value, expect| assert_eq!(log2(value), expect, "{value}");
        check(0, 0);
        check(1, 0);
        check(2, UNIT);
        check(1 << 63, 63 * UNIT);
        // log₂ 3 = 1.584962500…, log₂ 10 = 3.321928094…, log₂ 1000 = 9.965784284…
        check(3, 103_872);
        check(10, 217_705);
        check(1000, 653_117);
        check(u64::MAX, 64 * UNIT - 1);
    }

    proptest! {
        #[test]
        fn never_falls_and_doubles_by_one(value in 1u64..1 << 62) {
            prop_assert!(log2(value) <= log2(value + 1));
            prop_assert_eq!(log2(2 * value), log2(value) + UNIT);
        }
    }
}
