use super::*;
use crate::reader::KEYS;
use crate::terms::tests::{any_terms, full};
use crate::terms::{Delegation, Derivatives, PriceRule};
use crate::tier::PriceTier;
use proptest::prelude::*;
use std::collections::BTreeSet;

const TARGET: &str = "urn:ambar:capsule:example";

/// One whole example, committed as a file so that other processors can read it too.
const EXAMPLE: &str = include_str!("../samples/odrl.jsonld");

fn example() -> Terms {
    let text = "terms = 1\ngrants = [\"call\", \"compose\", \"fetch\", \"derive\", \"train\", \"compute\"]\n\
        purposes = { allow = [\"research\"], deny = [\"surveillance\"] }\n\
        territories = { allow = [\"FR\", \"PT\"], deny = [\"AQ\"] }\n\
        revoke_if = [\"breach\"]\n\
        term.until = 2027-01-31T00:00:00Z\n\
        quota = { calls = 1000, rate = \"5/s\", spend = \"20\" }\n\
        price.per_call = \"0.0001\"\n\
        derivatives = { allowed = true, share = \"15%\", floor_per_call = \"0.00000005\" }\n\
        delegation.depth = 2\n\
        text.spdx = \"CC-BY-4.0\"\n";
    Terms::parse(text).unwrap()
}

fn rules(document: &Value, kind: &str) -> Vec<String> {
    let rules = document[kind].as_array().map(Vec::as_slice).unwrap_or_default();
    rules.iter().map(|rule| rule["action"].as_str().unwrap().to_owned()).collect()
}

fn export(lines: &str) -> OdrlExport {
    let rights = if lines.contains("grants") { "" } else { "grants = [\"call\"]\n" };
    Terms::parse(&format!("terms = 1\n{rights}{lines}")).unwrap().odrl(TARGET, None)
}

fn keys(export: &OdrlExport) -> Vec<&'static str> {
    export.not_expressed.iter().map(|(key, _)| *key).collect()
}

#[test]
fn one_whole_example() {
    let found = example().odrl(TARGET, Some("urn:ambar:account:example"));
    let expect: Value = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(found.document, expect, "{:#}", found.document);
}

#[test]
fn actions() {
    let check = |lines: &str, permitted: &[&str], prohibited: &[&str]| {
        let found = export(lines).document;
        assert_eq!(rules(&found, "permission"), permitted, "{lines}");
        assert_eq!(rules(&found, "prohibition"), prohibited, "{lines}");
    };
    check("", &["execute", "grantUse"], &["derive"]);
    check("delegation.depth = 0", &["execute"], &["grantUse", "derive"]);
    check("derivatives.allowed = true", &["execute", "grantUse"], &[]);
    check("grants = [\"fetch\"]", &["reproduce"], &["derive"]);
    check("grants = [\"compose\"]", &["include", "grantUse"], &["derive"]);
    check("grants = [\"train\", \"compute\"]", &[], &["derive"]);
    check("grants = [\"derive\"]\nderivatives.allowed = true", &["derive"], &[]);
    // Never a permission and a prohibition of one action.
    check("grants = [\"derive\"]", &[], &["derive"]);
    // Without a permission that they could bind, constraints are listed.
    let lines = "grants = [\"train\"]\nterm.days = 3\npurposes.deny = [\"x\"]\nterritories.allow = [\"PT\"]";
    let expect = [
        "grants",
        "purposes.deny",
        "territories.allow",
        "term.days",
        "delegation.depth",
        "revoke_if",
    ];
    assert_eq!(keys(&export(lines)), expect);
    let found = export("grants = [\"derive\"]");
    assert_eq!(keys(&found), ["grants", "delegation.depth", "revoke_if"]);
}

#[test]
fn limits_that_odrl_knows_are_said_and_others_listed() {
    let check = |lines: &str, pointer: &str, expect: Value, listed: &[&str]| {
        let found = export(lines);
        assert_eq!(found.document.pointer(pointer).unwrap_or(&Value::Null), &expect, "{lines}");
        let keys: Vec<_> = keys(&found).into_iter().filter(|key| !ALWAYS.contains(key)).collect();
        assert_eq!(keys, listed, "{lines}");
    };
    let constraint = "/permission/0/constraint/0";
    let until = json!({ "leftOperand": "dateTime", "operator": "lt",
        "rightOperand": { "@value": "2027-01-31T00:00:00Z", "@type": "xsd:dateTime" } });
    check("term.until = 2027-01-31T00:00:00Z", constraint, until, &[]);
    let days = json!({ "leftOperand": "elapsedTime", "operator": "lteq",
        "rightOperand": { "@value": "P30D", "@type": "xsd:duration" } });
    check("term.days = 30", constraint, days, &["term.days"]);
    let count = json!({ "leftOperand": "count", "operator": "lteq",
        "rightOperand": { "@value": "7", "@type": "xsd:integer" } });
    check("quota.calls = 7", constraint, count.clone(), &[]);
    let both = "grants = [\"call\", \"compose\"]\nquota.calls = 7";
    check(both, "/permission/1/constraint/0", count, &["quota.calls"]);
    let daily = "quota = { calls = 7, per = \"day\" }";
    check(daily, constraint, Value::Null, &["quota.calls"]);
    let amount = "/permission/0/duty/0/action/refinement/0/rightOperand/@value";
    check("price.per_call = \"0.5\"", amount, json!("0.500000000"), &[]);
    check("price = { per_call = \"0.5\", minimum = \"0.5\" }", amount, json!("0.500000000"), &[]);
    let listed = ["price.per_call", "price.minimum"];
    check("price = { per_call = \"0.5\", minimum = \"0.6\" }", amount, Value::Null, &listed);
    let listed = ["price.per_mu", "price.per_call"];
    check("price = { per_call = \"0.5\", per_mu = \"1\" }", amount, Value::Null, &listed);
    check("price.minimum = \"1\"", amount, Value::Null, &["price.minimum"]);
}

/// What every export of terms for calls lists.
const ALWAYS: [&str; 2] = ["delegation.depth", "revoke_if"];

/// Whether the document itself speaks of a key.
fn expressed(document: &Value, key: &str) -> bool {
    let text = document.to_string();
    let says = |word: &str| text.contains(&format!("\"leftOperand\":\"{word}\""));
    match key {
        // The version is part of what the uid is the digest of.
        "terms" => text.contains("urn:ambar:terms:"),
        "grants" => !rules(document, "permission").is_empty(),
        "term.days" => says("elapsedTime"),
        "term.until" => says("dateTime"),
        "quota.calls" => says("count"),
        "purposes.allow" | "purposes.deny" => says("purpose"),
        "territories.allow" | "territories.deny" => says("spatial"),
        "delegation.depth" => text.contains("\"grantUse\""),
        "price.per_call" => says("payAmount"),
        "derivatives.allowed" => text.contains("\"action\":\"derive\""),
        _ => false,
    }
}

/// Nothing is dropped silently: every clause is in the document or listed.
#[test]
fn every_key_is_expressed_or_listed() {
    let mut days = full();
    days.price.minimum = Price(200_000);
    days.text = Some(LegalText::Sha256(ambar_base::Digest([7; 32])));
    days.tiers = vec![PriceTier { from_calls: 5, price: PriceRule::default() }];
    let exports = [days.odrl(TARGET, None), example().odrl(TARGET, None)];
    let is_table = |key: &str| KEYS.iter().any(|k| k.starts_with(&format!("{key}.")));
    for key in KEYS.iter().filter(|key| !is_table(key)) {
        // The period is said with calls and spend; runtimes are refused.
        if ["quota.per", "runtime.require"].contains(key) {
            continue;
        }
        // A tier is said in one sentence.
        let key = if key.starts_with("price.tier.") { "price.tier" } else { key };
        let found = exports
            .iter()
            .any(|export| expressed(&export.document, key) || keys(export).contains(&key));
        assert!(found, "{key}");
    }
}

proptest! {
    #[test]
    fn what_is_said_and_what_is_listed_cover_the_terms(terms in any_terms()) {
        let found = terms.odrl(TARGET, None);
        let listed: BTreeSet<_> = keys(&found).into_iter().collect();
        let check = |said: bool, key: &str| {
            let there = expressed(&found.document, key) || listed.contains(key);
            prop_assert!(!said || there, "{} of {}", key, terms.print());
            Ok(())
        };
        let Terms { price, derivatives, purposes, territories, .. } = &terms;
        check(true, "grants")?;
        check(matches!(terms.term, Some(Term::Days(_))), "term.days")?;
        check(matches!(terms.term, Some(Term::Until(_))), "term.until")?;
        check(!purposes.allow.is_empty(), "purposes.allow")?;
        check(!territories.deny.is_empty(), "territories.deny")?;
        check(terms.quota.is_some_and(|quota| quota.calls.is_some()), "quota.calls")?;
        check(terms.quota.is_some_and(|quota| quota.spend.is_some()), "quota.spend")?;
        check(terms.quota.is_some_and(|quota| quota.rate.is_some()), "quota.rate")?;
        check(!price.per_mu.is_zero(), "price.per_mu")?;
        check(!price.per_call.is_zero(), "price.per_call")?;
        check(price.minimum > price.per_call, "price.minimum")?;
        check(!terms.tiers.is_empty(), "price.tier")?;
        check(terms.delegation != Delegation::default(), "delegation.depth")?;
        check(*derivatives != Derivatives::default(), "derivatives.allowed")?;
        check(terms.price == PriceRule::default() || terms.grants_calls(), "grants")?;
        check(true, "revoke_if")?;
        let said: Vec<_> = found.not_expressed.iter()
            .map(|(key, text)| json!(format!("{key}: {text}"))).collect();
        prop_assert_eq!(&found.document["dct:description"], &Value::from(said));
    }
}
