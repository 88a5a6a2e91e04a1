//! Terms that together use every clause.

use ambar_base::{Digest, Moment, Price, Weight};
use ambar_licence::{
    Delegation, Derivatives, LegalText, Period, PriceRule, PriceTier, Purpose, Purposes, Quota,
    Rate, RateUnit, Revocation, Right, Term, Terms, Territories, Territory,
};

fn purposes(words: &[&str]) -> std::collections::BTreeSet<Purpose> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

fn codes(codes: &[&str]) -> std::collections::BTreeSet<Territory> {
    codes.iter().filter_map(|code| code.parse().ok()).collect()
}

/// Calls at a price, so many a month.
#[must_use]
pub fn plain() -> Terms {
    let price = PriceRule { per_mu: Price(0), per_call: Price(1_000), minimum: Price(0) };
    let quota = Some(Quota::of_calls(1_000, Period::Month));
    Terms { price, quota, ..Terms::granting([Right::Call, Right::Compose]) }
}

fn tier(from_calls: u64, [per_mu, per_call, minimum]: [u64; 3]) -> PriceTier {
    let (per_mu, per_call, minimum) = (Price(per_mu), Price(per_call), Price(minimum));
    PriceTier { from_calls, price: PriceRule { per_mu, per_call, minimum } }
}

/// Several of them.
#[must_use]
pub fn all() -> Vec<Terms> {
    let full = Terms {
        term: Some(Term::Days(365)),
        quota: Some(Quota {
            spend: Some(Price::CREDIT),
            rate: Some(Rate { calls: 5, per: RateUnit::Second }),
            ..Quota::of_calls(1_000, Period::Month)
        }),
        territories: Territories { allow: codes(&["PT", "NO"]), deny: codes(&["FR"]) },
        revoke_if: Revocation::ALL.into(),
        purposes: Purposes { allow: purposes(&["research", "teaching"]), deny: purposes(&["ads"]) },
        delegation: Delegation { depth: 2 },
        price: PriceRule {
            per_mu: Price(2_000_001),
            per_call: Price(1_000),
            minimum: Price(1_500),
        },
        tiers: vec![tier(1_000, [2_000_001, 900, 1_500]), tier(50_000, [1_000_000, 900, 0])],
        derivatives: Derivatives {
            allowed: true,
            share: Weight(150_000_000),
            floor_per_call: Price(7),
        },
        text: Some(LegalText::Spdx("CC-BY-4.0 OR MIT".into())),
        ..Terms::granting(Right::ALL)
    };
    let until = Terms {
        term: Some(Term::Until(Moment(1_900_000_000_123))),
        quota: Some(Quota::of_calls(1, Period::Term)),
        text: Some(LegalText::Sha256(Digest::of(b"text"))),
        ..Terms::granting([Right::Call, Right::Train])
    };
    vec![plain(), full, until]
}
