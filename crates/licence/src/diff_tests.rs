use super::*;
use crate::quota::Period;
use crate::terms::Right;
use crate::terms::tests::{any_terms, exemplar, full};
use proptest::prelude::*;

/// The only change between two terms of these lines.
#[track_caller]
fn check(before: &str, after: &str, key: &str, texts: [Option<&str>; 2], effect: Effect) {
    let terms = |lines: &str| {
        let rights = if lines.contains("grants") { "" } else { "grants = [\"call\"]\n" };
        Terms::parse(&format!("terms = 1\n{rights}{lines}")).unwrap()
    };
    let found = terms(before).diff(&terms(after));
    let [change] = &found[..] else { panic!("{found:?}") };
    assert_eq!(change.key, key);
    assert_eq!([change.before.as_deref(), change.after.as_deref()], texts);
    assert_eq!(change.effect, effect, "{change:?}");
    assert_eq!(terms(after).diff(&terms(before)), [change.clone().mirrored()]);
}

#[test]
fn equal_terms_have_no_changes() {
    assert_eq!(full().diff(&full()), []);
}

#[test]
fn lists() {
    let texts = [Some("call"), Some("call, derive")];
    check("", "grants = [\"call\", \"derive\"]", "grants", texts, Effect::Wider);
    let texts = [Some("call"), Some("fetch")];
    check("", "grants = [\"fetch\"]", "grants", texts, Effect::Other);
    let allow = |words: &str| format!("purposes.allow = [{words}]");
    let check_allow = |a: &str, b: &str, texts, effect| {
        check(&allow(a), &allow(b), "purposes.allow", texts, effect);
    };
    check_allow("", "\"a\"", [None, Some("a")], Effect::Narrower);
    check_allow("\"a\"", "\"a\", \"b\"", [Some("a"), Some("a, b")], Effect::Wider);
    check_allow("\"a\"", "\"b\"", [Some("a"), Some("b")], Effect::Other);
    let texts = [None, Some("x")];
    check("", "purposes.deny = [\"x\"]", "purposes.deny", texts, Effect::Narrower);
    let texts = [None, Some("NO, PT")];
    let line = "territories.allow = [\"PT\", \"NO\"]";
    check("", line, "territories.allow", texts, Effect::Narrower);
    let texts = [None, Some("NO")];
    check("", "territories.deny = [\"NO\"]", "territories.deny", texts, Effect::Narrower);
    let texts = [None, Some("owner")];
    check("", "revoke_if = [\"owner\"]", "revoke_if", texts, Effect::Narrower);
}

#[test]
fn terms_of_grants() {
    let texts = [None, Some("30 days")];
    check("", "term.days = 30", "term", texts, Effect::Narrower);
    let texts = [Some("30 days"), Some("31 days")];
    check("term.days = 30", "term.days = 31", "term", texts, Effect::Wider);
    let texts = [Some("30 days"), Some("until 2027-01-31T00:00:00Z")];
    check("term.days = 30", "term.until = 2027-01-31T00:00:00Z", "term", texts, Effect::Other);
}

#[test]
fn quotas() {
    let calls = |n: u64, per: &str| format!("quota = {{ calls = {n}, per = \"{per}\" }}");
    let compare = |a: &str, b: &str, effect| {
        let terms =
            |line: &str| Terms::parse(&format!("terms = 1\ngrants = [\"call\"]\n{line}")).unwrap();
        let found = terms(a).diff(&terms(b));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].effect, effect, "{found:?}");
    };
    let texts = [Some("100 calls per UTC day"), Some("101 calls per UTC day")];
    check(&calls(100, "day"), &calls(101, "day"), "quota.calls", texts, Effect::Wider);
    compare("", &calls(1, "term"), Effect::Narrower);
    compare(&calls(100, "day"), &calls(100, "month"), Effect::Narrower);
    compare(&calls(100, "day"), &calls(3_099, "month"), Effect::Other);
    compare(&calls(100, "day"), &calls(3_100, "month"), Effect::Wider);
    compare(&calls(100, "day"), &calls(1_000_000, "term"), Effect::Other);
    compare(&calls(100, "term"), &calls(100, "day"), Effect::Wider);
    let rate = |text: &str| format!("quota.rate = \"{text}\"");
    check(&rate("5/s"), &rate("300/m"), "quota.rate", [Some("5/s"), Some("300/m")], Effect::Wider);
    compare(&rate("5/s"), &rate("299/m"), Effect::Other);
    compare(&rate("5/s"), &rate("5/m"), Effect::Narrower);
    compare("", &rate("5/s"), Effect::Narrower);
    compare("quota.spend = \"1\"", "quota.spend = \"2\"", Effect::Wider);
    // The period alone changes both counts.
    let quota = |per| Quota { per, calls: Some(1), spend: Some(Price(9)), rate: None };
    let terms = |per| Terms { quota: Some(quota(per)), ..Terms::granting([Right::Call]) };
    let found = terms(Period::Day).diff(&terms(Period::Month));
    let keys: Vec<_> = found.iter().map(|change| change.key).collect();
    assert_eq!(keys, ["quota.calls", "quota.spend"]);
}

#[test]
fn money_is_dearer_or_cheaper() {
    let texts = [None, Some("0.500000000 credits per call")];
    check("", "price.per_call = \"0.5\"", "price.per_call", texts, Effect::Dearer);
    let texts =
        [Some("2.000000000 credits per MU of work"), Some("1.000000000 credits per MU of work")];
    check("price.per_mu = \"2\"", "price.per_mu = \"1\"", "price.per_mu", texts, Effect::Cheaper);
    let derivatives =
        |share: &str| format!("derivatives = {{ allowed = true, share = \"{share}\" }}");
    let texts = [Some("15%"), Some("20%")];
    check(&derivatives("15%"), &derivatives("20%"), "derivatives.share", texts, Effect::Dearer);
    let texts = [Some("15"), Some("2")];
    check("", "delegation.depth = 2", "delegation.depth", texts, Effect::Narrower);
    let texts = [None, Some("MIT (SPDX)")];
    check("", "text.spdx = \"MIT\"", "text", texts, Effect::Other);
}

#[test]
fn changes_come_in_the_order_of_the_sentences() {
    let found = Terms::granting([Right::Call]).diff(&full());
    let keys: Vec<_> = found.iter().map(|change| change.key).collect();
    let expect = [
        "grants",
        "purposes.allow",
        "purposes.deny",
        "territories.allow",
        "territories.deny",
        "term",
        "quota.calls",
        "quota.rate",
        "quota.spend",
        "price.per_mu",
        "price.per_call",
        "delegation.depth",
        "derivatives.allowed",
        "derivatives.share",
        "derivatives.floor_per_call",
        "revoke_if",
        "text",
    ];
    assert_eq!(keys, expect);
}

/// Two terms that are equal, differ in one clause, or in many.
fn pairs() -> impl Strategy<Value = (Terms, Terms)> {
    (any_terms(), any_terms(), 0u8..8).prop_map(|(one, two, mixed)| {
        let other = match mixed {
            0 => one.clone(),
            1 => Terms { term: two.term, ..one.clone() },
            2 => Terms { purposes: two.purposes.clone(), ..one.clone() },
            3 => Terms { territories: two.territories.clone(), ..one.clone() },
            4 => Terms { revoke_if: two.revoke_if.clone(), ..one.clone() },
            5 => Terms { text: two.text.clone(), ..one.clone() },
            6 => Terms { quota: two.quota, ..one.clone() },
            _ => two,
        };
        (one, other)
    })
}

proptest! {
    #[test]
    fn no_changes_exactly_where_terms_are_equal((one, two) in pairs()) {
        prop_assert_eq!(one.diff(&two).is_empty(), one == two);
        prop_assert_eq!(one.diff(&one), vec![]);
    }

    #[test]
    fn the_way_back_mirrors((one, two) in pairs()) {
        let back: Vec<_> = two.diff(&one).into_iter().map(Change::mirrored).collect();
        prop_assert_eq!(one.diff(&two), back);
    }

    #[test]
    fn a_change_changes_something(terms in any_terms()) {
        for change in exemplar().diff(&terms) {
            prop_assert!(change.before != change.after, "{change:?}");
        }
    }
}
