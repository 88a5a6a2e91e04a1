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
    check("[quota]\nper = \"day\"", "line 4, column 7: quota.per: `per` needs `calls` beside it");
    check("[quota]", "line 3, column 1: quota.calls: this key is missing");
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
fn clauses_that_nothing_enforces_are_refused_by_name() {
    let refused = |line: &str, key: &str| {
        let text = format!("terms = 1\ngrants = [\"call\"]\n{line}");
        let errors = Terms::parse(&text).unwrap_err();
        assert_eq!(errors.code(), ErrorCode::NotEnforced, "{line}");
        assert_eq!(errors.errors().len(), 1, "{line}");
        assert_eq!(errors.errors()[0].key, key);
        assert_eq!(errors.errors()[0].problem, Problem::NotEnforced);
    };
    refused("territories = { allow = [\"PT\", \"FR\"] }", "territories");
    refused("revoke_if = [\"breach\", \"non_payment\", \"owner\"]", "revoke_if");
    refused("[quota]\ncalls = 1\nrate = \"5/s\"", "quota.rate");
    refused("[quota]\nspend = \"20.00\"", "quota.spend");
    refused("[runtime]\nrequire = [\"tee\"]", "runtime");
}

#[test]
fn clauses_that_nothing_enforces_have_a_syntax() {
    let check = |line: &str, expect: &str| {
        let found = errors(&format!("terms = 1\ngrants = [\"call\"]\n{line}"));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|error| error == expect), "{found:?}");
        assert!(found.iter().any(|error| error.contains("not yet enforced by this version")));
    };
    let country = "expected a two-letter country code such as PT";
    check(
        "territories = { allow = [\"Portugal\"] }",
        &format!("line 3, column 26: territories.allow: unknown word `Portugal`; {country}"),
    );
    check(
        "revoke_if = [\"rain\"]",
        "line 3, column 14: revoke_if: unknown word `rain`; expected breach, non_payment or owner",
    );
    check(
        "runtime = { require = [\"sgx\"] }",
        "line 3, column 24: runtime.require: unknown word `sgx`; expected tee",
    );
    let rate = "expected a rate such as 5/s, 300/m or 1000/h";
    for bad in ["fast", "5", "5/d", "0/s", "+5/s", "/s"] {
        let expect = format!("line 4, column 8: quota.rate: unknown word `{bad}`; {rate}");
        check(&format!("[quota]\nrate = \"{bad}\""), &expect);
    }
}

/// The whole language in one text, as its description shows it.
#[test]
fn the_full_example_names_what_is_not_enforced() {
    let text = EXAMPLE
        .replace("[term]", "territories = { allow = [\"PT\"] }\nrevoke_if = [\"breach\"]\n[term]")
        .replace("per = \"day\"", "per = \"day\"\nrate = \"5/s\"\nspend = \"20.00\"")
        .replace("[text]", "[runtime]\nrequire = [\"tee\"]\n[text]");
    let errors = Terms::parse(&text).unwrap_err();
    let keys: Vec<_> = errors.errors().iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["territories", "revoke_if", "quota.rate", "quota.spend", "runtime"]);
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
