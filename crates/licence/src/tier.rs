//! Volume tiers: what a licensee pays who has called often.
//!
//! **Invariant**: of terms that pass their check, more calls are never dearer.

use crate::problem::Problem;
use crate::quota::QUOTA_CALLS_MAX;
use crate::terms::{PriceRule, Terms};
use serde::{Deserialize, Serialize};

/// Most tiers beside the price that holds from the first call on.
pub const TIERS_MAX: usize = 8;

/// A price that holds once so many calls have settled under a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    /// Calls settled under the grant since it was accepted, 1 to [`QUOTA_CALLS_MAX`].
    pub from_calls: u64,
    /// What a call costs from then on.
    pub price: PriceRule,
}

impl PriceTier {
    /// What is wrong with a tier after the one before, whose price holds from `calls` on; each
    /// with the key that it shows at.
    pub(crate) fn problems(&self, calls: u64, price: &PriceRule) -> Vec<(&'static str, Problem)> {
        let mut found = Vec::new();
        let key = "price.tier.from_calls";
        if !(1..=QUOTA_CALLS_MAX).contains(&self.from_calls) {
            found.push((key, Problem::OutOfRange { least: 1, most: QUOTA_CALLS_MAX }));
        } else if self.from_calls <= calls {
            found.push((key, Problem::TierOrder { before: calls }));
        }
        let PriceRule { per_mu, per_call, minimum } = self.price;
        let parts = [
            ("price.tier.per_mu", per_mu, price.per_mu),
            ("price.tier.per_call", per_call, price.per_call),
            ("price.tier.minimum", minimum, price.minimum),
        ];
        let dearer = parts.into_iter().filter(|(_, after, before)| after > before);
        found.extend(dearer.map(|(key, _, before)| (key, Problem::TierDearer { before })));
        found
    }
}

impl Terms {
    /// The number of the tier that holds once so many calls have settled: 0 is the price from
    /// the first call on.
    #[must_use]
    pub fn tier_after(&self, calls: u64) -> u16 {
        let reached = self.tiers.iter().take_while(|tier| tier.from_calls <= calls).count();
        u16::try_from(reached).expect("there are a few tiers")
    }

    /// The price of a tier; nothing if there is no such tier.
    #[must_use]
    pub fn price_of(&self, tier: u16) -> Option<&PriceRule> {
        match tier.checked_sub(1) {
            None => Some(&self.price),
            Some(at) => self.tiers.get(usize::from(at)).map(|tier| &tier.price),
        }
    }

    /// Every tier with the calls from which on it holds, the first price as from 0.
    pub(crate) fn prices(&self) -> impl Iterator<Item = (u64, &PriceRule)> {
        let tiers = self.tiers.iter().map(|tier| (tier.from_calls, &tier.price));
        std::iter::once((0, &self.price)).chain(tiers)
    }

    /// What is wrong with the tiers.
    pub(crate) fn tier_problems(&self) -> Vec<(&'static str, Problem)> {
        let mut found = Vec::new();
        if self.tiers.len() > TIERS_MAX {
            found.push(("price.tier", Problem::TooMany { most: TIERS_MAX }));
        }
        for ((calls, price), tier) in self.prices().zip(&self.tiers) {
            found.extend(tier.problems(calls, price));
        }
        found
    }
}

#[cfg(test)]
#[path = "tier_tests.rs"]
mod tests;
