use super::*;
use crate::terms::tests::any_terms;
use ambar_base::{Mu, Price};
use proptest::prelude::*;

/// Terms with these lines after `[price]`.
fn terms(lines: &str) -> Result<Terms, Vec<String>> {
    let text = format!("terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"0.1\"\n{lines}");
    Terms::parse(&text).map_err(|errors| errors.errors().iter().map(ToString::to_string).collect())
}

const TWO: &str = "minimum = \"0.05\"\n[[price.tier]]\nfrom_calls = 10\nper_call = \"0.08\"\n\
    [[price.tier]]\nfrom_calls = 100\nper_call = \"0.01\"\nminimum = \"0\"\n";

#[test]
fn a_tier_says_what_changes() {
    let terms = terms(TWO).unwrap();
    let rule = |per_call: u64, minimum: u64| PriceRule {
        per_mu: Price(0),
        per_call: Price(per_call * 10_000_000),
        minimum: Price(minimum * 10_000_000),
    };
    assert_eq!(terms.price, rule(10, 5));
    assert_eq!(terms.tiers[0], PriceTier { from_calls: 10, price: rule(8, 5) });
    assert_eq!(terms.tiers[1], PriceTier { from_calls: 100, price: rule(1, 0) });
    let check = |calls, tier, price| {
        assert_eq!(terms.tier_after(calls), tier, "{calls}");
        assert_eq!(terms.price_of(tier), Some(&price));
    };
    check(0, 0, rule(10, 5));
    check(9, 0, rule(10, 5));
    check(10, 1, rule(8, 5));
    check(99, 1, rule(8, 5));
    check(100, 2, rule(1, 0));
    check(u64::MAX, 2, rule(1, 0));
    assert_eq!(terms.price_of(3), None);
    assert_eq!(terms.minimum_price_per_call(), Price(10_000_000), "the least that a call earns");
}

#[test]
fn refusals_have_their_place() {
    let check = |lines: &str, expect: &str| assert_eq!(terms(lines), Err(vec![expect.to_owned()]));
    check(
        "[[price.tier]]\nfrom_calls = 10\nper_call = \"0.2\"",
        "line 7, column 12: price.tier.per_call: dearer than the tier before, which asks 0.100000000",
    );
    check(
        "[[price.tier]]\nfrom_calls = 10\n[[price.tier]]\nfrom_calls = 10",
        "line 8, column 14: price.tier.from_calls: tiers ascend: expected more than 10",
    );
    check(
        "[[price.tier]]\nfrom_calls = 0",
        "line 6, column 14: price.tier.from_calls: expected a number from 1 to 1000000000000",
    );
    check(
        "[[price.tier]]\nfrom_cals = 3\nfrom_calls = 3",
        "line 6, column 1: price.tier.from_cals: unknown key; the nearest known one is \
         `price.tier.from_calls`",
    );
    check(
        "[[price.tier]]\nfrom_calls = 3\nper_mu = 3",
        "line 7, column 10: price.tier.per_mu: expected a text in quotes",
    );
    check("tier = 3", "line 5, column 8: price.tier: expected a list of tables");
    check("tier = [3]", "line 5, column 9: price.tier: expected a table");
    check(
        "tier = [{ per_mu = \"0\" }]",
        "line 5, column 9: price.tier.from_calls: this key is missing",
    );
    let many: String =
        (1..=9).map(|calls| format!("[[price.tier]]\nfrom_calls = {calls}\n")).collect();
    let errors = terms(&many).unwrap_err();
    assert!(errors[0].ends_with("price.tier: more than 8 items"), "{errors:?}");
}

#[test]
fn every_error_is_told() {
    let lines = "[[price.tier]]\nfrom_calls = 5\nper_call = \"0.2\"\n\
        [[price.tier]]\nfrom_calls = 5\nminimum = \"x\"";
    assert_eq!(terms(lines).unwrap_err().len(), 3);
}

#[test]
fn explained_and_printed() {
    let terms = terms(TWO).unwrap();
    let said = terms.explain().join("\n");
    let expect = "Once 10 calls under the grant have settled, the owner asks 0.080000000 credits \
        per call, and at least 0.050000000 credits per call.\n\
        Once 100 calls under the grant have settled, the owner asks 0.010000000 credits per call.";
    assert!(said.contains(expect), "{said}");
    assert_eq!(Terms::parse(&terms.print()), Ok(terms));
}

#[test]
fn odrl_lists_tiers_as_not_expressed() {
    let terms = terms("[[price.tier]]\nfrom_calls = 10\nper_call = \"0\"").unwrap();
    let export = terms.odrl("urn:x", None);
    let keys: Vec<_> = export.not_expressed.iter().map(|(key, _)| *key).collect();
    assert!(keys.contains(&"price.per_call") && keys.contains(&"price.tier"), "{keys:?}");
    assert!(!export.document.to_string().contains("\"leftOperand\":\"payAmount\""), "no one price");
}

#[test]
fn documents_without_tiers_do_not_name_them() {
    let plain = terms("").unwrap();
    let bytes = plain.to_document();
    assert!(!bytes.windows(5).any(|window| window == b"tiers"));
    let tiered = terms(TWO).unwrap();
    assert_eq!(Terms::from_document(&tiered.to_document()), Ok(tiered));
}

proptest! {
    /// Whoever has called more often never pays more for the same work.
    #[test]
    fn more_calls_are_never_dearer(
        terms in any_terms(), calls: u64, more: u64, mu in 0u128..1 << 60,
    ) {
        let price = |calls: u64| terms.price_of(terms.tier_after(calls)).unwrap().royalty(Mu(mu));
        let (before, after) = (price(calls), price(calls.saturating_add(more)));
        if let Some(before) = before {
            prop_assert!(after.unwrap() <= before);
            prop_assert!(after.unwrap() >= terms.minimum_price_per_call());
        }
    }
}
