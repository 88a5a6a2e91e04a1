use super::*;
use ambar_base::{Coded, ErrorCode};
use proptest::prelude::*;

const EXAMPLE: &str = r#"terms = 1
grants = ["call", "derive"]
purposes = { allow = ["research", "evaluation"], deny = ["surveillance"] }
[term]
days = 30
[quota]
calls = 100
per = "day"
[price]
per_mu = "0.0000020"
per_call = "0.0001"
minimum = "0"
[derivatives]
allowed = true
share = "15%"
floor_per_call = "0.00000005"
[delegation]
depth = 2
[text]
spdx = "CC-BY-4.0"
"#;

fn errors(text: &str) -> Vec<String> {
    let errors = Terms::parse(text).unwrap_err();
    errors.errors().iter().map(ToString::to_string).collect()
}

/// The only error of `terms = 1`, `grants = ["call"]` and these lines from line 3 on.
fn check(lines: &str, expect: &str) {
    assert_eq!(errors(&format!("terms = 1\ngrants = [\"call\"]\n{lines}")), [expect], "{lines}");
}

#[test]
fn the_example_of_the_interface() {
    let terms = Terms::parse(EXAMPLE).unwrap();
    assert_eq!(terms, crate::terms::tests::exemplar());
    let smallest = Terms::parse("terms = 1\ngrants = [\"call\"]").unwrap();
    assert_eq!(smallest, Terms::granting([Right::Call]));
}

#[test]
fn instants() {
    let until = |text: &str| {
        let text = format!("terms = 1\ngrants = [\"call\"]\nterm = {{ until = {text} }}");
        Terms::parse(&text).map(|terms| terms.term)
    };
    assert_eq!(until("2027-01-31T00:00:00Z"), Ok(Some(Term::Until(Moment(1_801_353_600_000)))));
    assert_eq!(until("2027-01-31T01:00:00+01:00"), until("2027-01-31T00:00:00Z"));
    assert_eq!(
        until("2027-01-30 23:00:00.5-01:00"),
        Ok(Some(Term::Until(Moment(1_801_353_600_500))))
    );
    for bad in ["2027-01-31", "2027-01-31T00:00:00", "00:00:00", "1970-01-01T00:00:00+01:00"] {
        let error = "expected an instant with its zone, such as 2027-01-31T00:00:00Z, before the year 10000";
        check(&format!("[term]\nuntil = {bad}"), &format!("line 4, column 9: term.until: {error}"));
    }
}

#[test]
fn refusals_of_term_and_quota_have_their_place() {
    check("prise = 1", "line 3, column 1: prise: unknown key; the nearest known one is `price`");
    check(
        "[quota]\ncals = 5\ncalls = 5",
        "line 4, column 1: quota.cals: unknown key; the nearest known one is `quota.calls`",
    );
    check("days = 3", "line 3, column 1: days: unknown key; the nearest known one is `term.days`");
    check("term = 5", "line 3, column 8: term: expected a table");
    check("[term]", "line 3, column 1: term: a term needs `days` or `until`");
    check("[term]\ndays = 0", "line 4, column 8: term.days: expected a number from 1 to 36525");
    check("[term]\ndays = \"3\"", "line 4, column 8: term.days: expected an integer");
    check(
        "[term]\ndays = 3\nuntil = 2027-01-31T00:00:00Z",
        "line 5, column 9: term.until: a term has either `days` or `until`, not both",
    );
    check(
        "[quota]\ncalls = 0",
        "line 4, column 9: quota.calls: expected a number from 1 to 1000000000000",
    );
    check(
        "[quota]\nper = \"day\"",
        "line 4, column 7: quota.per: `per` needs `calls` or `spend` beside it",
    );
    check("[quota]", "line 3, column 1: quota: a quota needs `calls`, `spend` or `rate`");
    check(
        "[quota]\ncalls = 1\nper = \"year\"",
        "line 5, column 7: quota.per: unknown word `year`; expected day, month or term",
    );
}

#[test]
fn refusals_of_purposes_and_prices_have_their_place() {
    check(
        "[purposes]\nallow = [\"a\", \"b\"]\ndeny = [\"b\"]",
        "line 5, column 8: purposes.deny: the purpose `b` is both allowed and denied",
    );
    check(
        "[purposes]\nallow = [\"a\", \"a\"]",
        "line 4, column 15: purposes.allow: `a` is named twice",
    );
    check(
        "[purposes]\nallow = [\"A\"]",
        "line 4, column 10: purposes.allow: a purpose is 1 to 64 of a-z 0-9 _ . - beginning with a letter or digit",
    );
    check(
        "[purposes]\nallow = \"a\"",
        "line 4, column 9: purposes.allow: expected a list of texts",
    );
    check(
        "[purposes]\nallow = [1]",
        "line 4, column 10: purposes.allow: expected a text in quotes",
    );
    check("[price]\nper_mu = 1", "line 4, column 10: price.per_mu: expected a text in quotes");
    check(
        "[price]\nper_mu = \"0.0000000001\"",
        "line 4, column 10: price.per_mu: more than 9 digits after the decimal point",
    );
}

#[test]
fn refusals_of_derivatives_delegation_and_text_have_their_place() {
    let share = "derivatives.share: expected a share from 0% to 100% with at most 7 decimals, such as \"15%\"";
    check("[derivatives]\nallowed = true\nshare = \"101%\"", &format!("line 5, column 9: {share}"));
    let forbidden = "derivatives are not allowed, so nothing can be due from them";
    check(
        "[derivatives]\nallowed = false\nshare = \"1%\"",
        &format!("line 4, column 11: derivatives.allowed: {forbidden}"),
    );
    check(
        "[derivatives]\nfloor_per_call = \"1\"",
        &format!("line 3, column 1: derivatives.allowed: {forbidden}"),
    );
    check(
        "[derivatives]\nallowed = 1",
        "line 4, column 11: derivatives.allowed: expected true or false",
    );
    check(
        "[delegation]\ndepth = 16",
        "line 4, column 9: delegation.depth: expected a number from 0 to 15",
    );
    check(
        "[delegation]\ndepth = -1",
        "line 4, column 9: delegation.depth: expected a number from 0 to 15",
    );
    check(
        "[text]",
        "line 3, column 1: text: a legal text is named by exactly one of `spdx` and `sha256`",
    );
    check(
        "[text]\nsha256 = \"ab\"",
        "line 4, column 10: text.sha256: expected 64 lower-case hexadecimal digits",
    );
    check(
        "[text]\nspdx = \"<MIT>\"",
        "line 4, column 8: text.spdx: expected an SPDX licence expression, such as \"CC-BY-4.0\"",
    );
}

#[test]
fn whole_texts_refused() {
    assert_eq!(
        errors(""),
        [
            "line 1, column 1: terms: this key is missing",
            "line 1, column 1: grants: this key is missing"
        ]
    );
    assert_eq!(
        errors("terms = 2\ngrants = []"),
        [
            "line 1, column 9: terms: expected terms = 1, the version of the language spoken here",
            "line 2, column 10: grants: at least one right must be granted",
        ]
    );
    assert_eq!(
        errors("terms = 1\ngrants = [\"fly\"]"),
        [
            "line 2, column 11: grants: unknown word `fly`; expected call, compose, fetch, derive, train or compute"
        ]
    );
    assert!(errors("terms = = 1")[0].starts_with("line 1, column 9: not TOML: "));
    assert!(errors("terms = 1\nterms = 1")[0].starts_with("line 2, column 1: not TOML: "));
    let long = Terms::parse(&"#".repeat(TERMS_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(long.code(), ErrorCode::LimitExceeded);
}

#[test]
fn all_errors_at_once_in_order() {
    let found = errors(
        "grants = [\"call\"]\nterms = 1\nfoo = 1\n[quota]\ncalls = 0\n[price]\nper_mu = \"x\"",
    );
    let keys: Vec<_> = found.iter().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(keys, ["foo", "quota.calls", "price.per_mu"]);
}

#[test]
fn refusals_of_quotas_have_their_place() {
    let rate = "expected a rate of 1 to 1000000 calls such as 5/s, 300/m or 1000/h";
    for bad in ["fast", "5", "5/d", "0/s", "+5/s", "/s", "1000001/s"] {
        let expect = format!("line 4, column 8: quota.rate: {rate}");
        check(&format!("[quota]\nrate = \"{bad}\""), &expect);
    }
    check(
        "[quota]\nper = \"term\"\nrate = \"5/s\"",
        "line 4, column 7: quota.per: `per` needs `calls` or `spend` beside it",
    );
    // A limit that cannot be read is the only error, whatever stands beside it.
    check(
        "[quota]\ncalls = 0\nper = \"day\"\nrate = \"5/s\"",
        "line 4, column 9: quota.calls: expected a number from 1 to 1000000000000",
    );
    let none = "quota.spend: no call would fit: expected at least 0.000000001 credits, \
                what the cheapest call costs";
    check("[quota]\nspend = \"0\"", &format!("line 4, column 9: {none}"));
    let none = none.replace("0.000000001", "0.500000000");
    check(
        "[price]\nper_call = \"0.1\"\nminimum = \"0.5\"\n[quota]\nspend = \"0.4\"",
        &format!("line 7, column 9: {none}"),
    );
}

#[test]
fn absurd_prices_are_refused_at_their_line() {
    let large = "larger than this unit can hold";
    for key in ["per_mu", "per_call", "minimum"] {
        let column = key.len() + 4;
        let text = format!("[price]\n{key} = \"99999999999999999999\"");
        check(&text, &format!("line 4, column {column}: price.{key}: {large}"));
        let text = format!("[price]\n{key} = \"18446744073.709551616\"");
        check(&text, &format!("line 4, column {column}: price.{key}: {large}"));
        let largest =
            format!("terms = 1\ngrants = [\"call\"]\nprice.{key} = \"18446744073.709551615\"");
        assert!(Terms::parse(&largest).is_ok());
    }
    check(
        "[quota]\nspend = \"99999999999999999999\"",
        &format!("line 4, column 9: quota.spend: {large}"),
    );
    check(
        "[derivatives]\nallowed = true\nfloor_per_call = \"99999999999\"",
        &format!("line 5, column 18: derivatives.floor_per_call: {large}"),
    );
}

#[test]
fn refusals_of_territories_and_revocations_have_their_place() {
    let code = "is no assigned two-letter country code of ISO 3166-1";
    check(
        "territories = { allow = [\"Portugal\"] }",
        &format!("line 3, column 26: territories.allow: `Portugal` {code}, such as PT"),
    );
    check(
        "territories.deny = [\"PT\", \"UK\"]",
        &format!("line 3, column 27: territories.deny: `UK` {code}; the nearest one is `GB`"),
    );
    check(
        "[territories]\nallow = [\"PT\"]\ndeny = [\"NO\", \"PT\"]",
        "line 5, column 8: territories.deny: the territory `PT` is both allowed and denied",
    );
    check(
        "territories.allow = [\"PT\", \"PT\"]",
        "line 3, column 28: territories.allow: `PT` is named twice",
    );
    check(
        "revoke_if = [\"rain\"]",
        "line 3, column 14: revoke_if: unknown word `rain`; expected breach, non_payment or owner",
    );
}

#[test]
fn clauses_that_bind_nothing_are_refused() {
    let check = |rights: &str, lines: &str, expect: &[&str]| {
        let text = format!("terms = 1\ngrants = [{rights}]\n{lines}");
        let found = Terms::parse(&text).err();
        let found: Vec<_> = found.iter().flat_map(TermsErrors::errors).collect();
        let said: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(said, expect, "{text}");
    };
    let idle = "binds nothing: neither `call` nor `compose` is granted";
    let fetch = "\"fetch\", \"derive\"";
    check(fetch, "[quota]\ncalls = 5", &[&format!("line 3, column 1: quota: {idle}")]);
    check(fetch, "[quota]\nrate = \"5/s\"", &[&format!("line 3, column 1: quota: {idle}")]);
    check(fetch, "[price]\nminimum = \"1\"", &[&format!("line 3, column 1: price: {idle}")]);
    check(fetch, "price.per_mu = \"0\"", &[]);
    check("\"fetch\", \"compose\"", "[price]\nminimum = \"1\"", &[]);
    check("\"call\"", "[quota]\nrate = \"5/s\"", &[]);
}

#[test]
fn runtimes_that_nothing_can_prove_are_refused_by_name() {
    let text = "terms = 1\ngrants = [\"call\"]\n[runtime]\nrequire = [\"tee\"]";
    let errors = Terms::parse(text).unwrap_err();
    assert_eq!(errors.code(), ErrorCode::NotEnforced);
    assert_eq!(errors.errors().len(), 1);
    assert_eq!(errors.errors()[0].key, "runtime");
    let found = self::errors("terms = 1\ngrants = [\"call\"]\nruntime = { require = [\"sgx\"] }");
    assert_eq!(found.len(), 2, "{found:?}");
    let sgx = "line 3, column 24: runtime.require: unknown word `sgx`; expected tee";
    assert!(found.iter().any(|error| error == sgx), "{found:?}");
}

/// The whole language in one text, as its description shows it.
#[test]
fn the_full_example_names_what_is_not_enforced() {
    let text = EXAMPLE
        .replace(
            "[term]",
            "territories = { allow = [\"PT\", \"FR\", \"NO\"], deny = [\"AQ\"] }\n\
             revoke_if = [\"breach\", \"non_payment\", \"owner\"]\n[term]",
        )
        .replace("per = \"day\"", "per = \"day\"\nrate = \"5/s\"\nspend = \"20.00\"");
    assert_eq!(Terms::parse(&text), Ok(crate::terms::tests::full()));
    let errors = Terms::parse(&text.replace("[text]", "[runtime]\nrequire = [\"tee\"]\n[text]"));
    let errors = errors.unwrap_err();
    let keys: Vec<_> = errors.errors().iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["runtime"]);
    assert_eq!(errors.code(), ErrorCode::NotEnforced);
}

#[test]
fn hostile_texts_are_refused() {
    for text in ["[", "a=[", "a={b=", "[[a]]\n", "\"", "\u{feff}", "\0", "a.b.c.d.e=1\n"] {
        let long = text.repeat(TERMS_BYTES_MAX / text.len());
        let errors = Terms::parse(&long).unwrap_err();
        assert!(errors.errors().len() <= crate::problem::ERRORS_MAX);
    }
}

proptest! {
    #[test]
    fn damaged_terms_never_panic_and_errors_lie_inside(
        at in 0..EXAMPLE.len(),
        drop in 0usize..9,
        insert in "[a-z0-9\"=\\[\\]{}.,\\n -]{0,6}",
    ) {
        let tail = &EXAMPLE[(at + drop).min(EXAMPLE.len())..];
        let text = format!("{}{insert}{tail}", &EXAMPLE[..at]);
        match Terms::parse(&text) {
            Ok(terms) => prop_assert_eq!(Terms::parse(&terms.print()), Ok(terms)),
            Err(errors) => for error in errors.errors() {
                let Position { line, column } = error.position.unwrap();
                let found = text.split('\n').nth(line - 1).unwrap();
                prop_assert!(column <= found.chars().count() + 1, "{}", error);
            },
        }
    }
}
