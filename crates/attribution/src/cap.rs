//! The cap: what one contributor would get beyond it goes to the others.
//!
//! **Invariant**: what is held and what is left sum to what there was, nobody holds more than
//! the cap, and something is left only if everybody holds it.

use crate::shares::Order;
use ambar_base::Weight;
use ambar_base::weight::apportion;
use std::collections::BTreeMap;

/// Amounts by contributor.
pub(crate) type Amounts = BTreeMap<u32, Weight>;

/// Cuts every amount at `cap` and divides what is above among those below it, in proportion to
/// what they hold, until it fits. The amounts sum to at most the whole. Returns what is held and
/// what nobody may hold. Zero amounts get nothing.
pub(crate) fn level(mut held: Amounts, cap: Weight, order: &Order) -> (Amounts, Weight) {
    loop {
        let mut above = 0;
        for amount in held.values_mut() {
            above += amount.0.saturating_sub(cap.0);
            *amount = (*amount).min(cap);
        }
        let below = |amount: &Weight| Weight::ZERO < *amount && *amount < cap;
        let open = held.iter().filter(|(_, amount)| below(amount));
        let claims: Vec<_> =
            open.map(|(who, amount)| (order.contributor(*who), u128::from(amount.0))).collect();
        // Each round fits, or somebody more has the cap.
        let Ok(parts) = apportion(Weight(above), &claims) else { return (held, Weight(above)) };
        if above == 0 {
            return (held, Weight::ZERO);
        }
        let open = held.values_mut().filter(|amount| below(amount));
        open.zip(parts).for_each(|(amount, part)| amount.0 += part.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Cid, Digest, weight};
    use proptest::prelude::*;

    fn order() -> Order {
        Order { call: Digest::of(b"call"), datanet: Cid::of(b"datanet") }
    }

    fn levelled(amounts: &[(u32, u32)], cap: u32) -> (Vec<(u32, u32)>, u32) {
        let amounts = amounts.iter().map(|(who, amount)| (*who, Weight(*amount))).collect();
        let (held, left) = level(amounts, Weight(cap), &order());
        (held.into_iter().map(|(who, amount)| (who, amount.0)).collect(), left.0)
    }

    #[test]
    fn what_is_above_flows_to_the_others() {
        let check = |amounts: &[(u32, u32)], cap, expect: &[(u32, u32)], left| {
            assert_eq!(levelled(amounts, cap), (expect.to_vec(), left));
        };
        check(&[(1, 60), (2, 40)], 100, &[(1, 60), (2, 40)], 0);
        check(&[(1, 60), (2, 30), (3, 10)], 52, &[(1, 52), (2, 36), (3, 12)], 0);
        // The second is full in the second round.
        check(&[(1, 70), (2, 24), (3, 6)], 40, &[(1, 40), (2, 40), (3, 20)], 0);
        check(&[(1, 60), (2, 40)], 30, &[(1, 30), (2, 30)], 40);
        check(&[(1, 100)], 1, &[(1, 1)], 99);
        check(&[(1, 100), (2, 0)], 30, &[(1, 30), (2, 0)], 70);
        check(&[], 30, &[], 0);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nobody_holds_more(
            raw in proptest::collection::vec((0u32..300, 1u64..1 << 40), 1..128),
            whole in 0u32..=1_000_000_000,
            cap in 1u32..=1_000_000_000,
        ) {
            let raw: BTreeMap<u32, u64> = raw.into_iter().collect();
            let claims: Vec<_> = raw
                .iter()
                .map(|(who, claim)| (order().contributor(*who), u128::from(*claim)))
                .collect();
            let amounts: Amounts =
                raw.keys().copied().zip(apportion(Weight(whole), &claims).unwrap()).collect();
            let (held, left) = level(amounts.clone(), Weight(cap), &order());
            let sum = weight::total(held.values().copied().chain([left]));
            prop_assert_eq!(sum, Some(Weight(whole)));
            prop_assert!(held.values().all(|amount| amount.0 <= cap));
            let room = held.iter().any(|(who, amount)| {
                amount.0 < cap && amounts[who] > Weight::ZERO
            });
            prop_assert!(left == Weight::ZERO || !room, "{} left", left);
            // Whoever was below the cap has no less than before.
            for (who, amount) in &amounts {
                prop_assert!(held[who] >= (*amount).min(Weight(cap)));
            }
        }
    }
}
