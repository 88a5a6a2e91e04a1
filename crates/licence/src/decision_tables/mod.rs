//! The decision as tables. A row is `terms | facts | decision`.
//!
//! - **terms**: TOML with `;` for the end of a line; `terms = 1` is added, and
//!   `grants = ["call"]` where no rights are named.
//! - **facts**: words, each of which changes one fact of the case that is allowed (see
//!   [`super::case`]): now is 1000000000, the call may cost 100, its unit price is 10 of at
//!   most 10, the channel holds 1000. `first` and `block` say that the words behind them
//!   are of the certificate's first block, or of one block more. `max` is the largest
//!   number.
//! - **decision**: an error code, or `allow` with the purpose and `@` territory that go
//!   into the receipt.

mod certificate;
mod life;
mod numbers;
mod words;

use super::*;

/// Rows that there are at least; none is generated.
const ROWS_MIN: usize = 200;

fn number(text: &str) -> u64 {
    if text == "max" { u64::MAX } else { text.parse().unwrap() }
}

fn terms(column: &str) -> Terms {
    let rights = if column.contains("grants") { "" } else { "grants = [\"call\"]\n" };
    let text = format!("terms = 1\n{rights}{}", column.replace(';', "\n"));
    Terms::parse(&text).unwrap_or_else(|errors| panic!("{column}: {errors}"))
}

/// An agent's key by number; 1 if none is said.
fn agent(text: &str) -> PublicKey {
    PublicKey([if text.is_empty() { 1 } else { number(text) as u8 }; 32])
}

/// Applies a word about the certificate's block `at`.
fn apply_to_block(case: &mut Case, at: usize, key: &str, value: &str) {
    let (narrowing, spent) = &mut case.blocks[at];
    match key {
        "budget" => narrowing.budget = Some(Price(number(value))),
        "calls" => narrowing.calls = Some(number(value)),
        "expires" => narrowing.expires = Some(Moment(number(value))),
        "purposes" => narrowing.purposes = Some(value.split(',').map(word).collect()),
        "capsules" => {
            let ids = value.split(',').map(|n| capsule(number(n) as u8));
            narrowing.capsules = Some(ids.collect());
        }
        "agent" => narrowing.agent = Some(agent(value)),
        "spent" => spent.price = Price(number(value)),
        "used" => spent.calls = number(value),
        _ => panic!("no fact of a block: {key}"),
    }
}

/// Applies a word about everything but the certificate.
fn apply(case: &mut Case, key: &str, value: &str) {
    match key {
        "now" => case.now = Moment(number(value)),
        "age" => case.ledger_age_ms = number(value),
        "accepted" => case.grant.accepted = Moment(number(value)),
        "revoked" => case.grant.revoked = true,
        "nolicensee" => case.grant.licensee_ok = false,
        "used" => case.grant.calls_used = number(value),
        "spent" => case.grant.spent = Price(number(value)),
        "wait" => case.grant.rate_wait_ms = number(value),
        "territory" => case.grant.territory = Some(value.parse().unwrap()),
        "remaining" => case.channel.remaining = Price(number(value)),
        "expires" => case.channel.expires = Moment(number(value)),
        "closing" => case.channel.closing = true,
        "unit_max" => case.channel.unit_price_max = Price(number(value)),
        "nocapsule" => case.channel.capsule_ok = false,
        "noblocks" => case.blocks.clear(),
        "capsule" => case.request.capsule = capsule(number(value) as u8),
        "purpose" => case.request.purpose = Some(word(value)),
        "right" => {
            let right = Right::ALL.into_iter().find(|right| right.text() == value);
            case.request.right = right.unwrap();
        }
        "signed" => case.request.agent = Some(agent(value)),
        "hold" => case.request.price_max = Price(number(value)),
        "line" => case.request.line_max = Price(number(value)),
        "unit" => case.request.unit_price = Price(number(value)),
        _ => panic!("no fact: {key}"),
    }
}

fn read(column: &str, facts: &str) -> Case {
    let mut case = Case { terms: terms(column), ..case() };
    let mut block = None;
    for fact in facts.split_whitespace() {
        let (key, value) = fact.split_once('=').unwrap_or((fact, ""));
        match (key, block) {
            ("first", _) => block = Some(0),
            ("block", _) => {
                case.blocks.push(super::block(Narrowing::default()));
                block = Some(case.blocks.len() - 1);
            }
            (_, Some(at)) => apply_to_block(&mut case, at, key, value),
            (_, None) => apply(&mut case, key, value),
        }
    }
    case
}

fn said(decision: &Decision) -> String {
    match decision {
        Decision::Deny(denial) => denial.code().text().to_owned(),
        Decision::Allow(Reservation { purpose, territory, .. }) => {
            let mut words = vec!["allow".to_owned()];
            words.extend(purpose.as_ref().map(ToString::to_string));
            words.extend(territory.map(|code| format!("@{code}")));
            words.join(" ")
        }
    }
}

fn rows() -> impl Iterator<Item = [&'static str; 3]> {
    let tables = [life::ROWS, certificate::ROWS, words::ROWS, numbers::ROWS];
    let lines = tables.into_iter().flat_map(str::lines).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let parts: Vec<_> = line.split('|').map(str::trim).collect();
        <[&str; 3]>::try_from(parts).unwrap_or_else(|_| panic!("not a row: {line}"))
    })
}

#[test]
fn every_row_is_decided_as_it_says() {
    let wrong = rows().filter_map(|[terms, facts, expect]| {
        let case = read(terms, facts);
        let found = case.decide();
        if let Decision::Allow(reservation) = &found {
            assert_eq!(reservation.price, case.request.price_max, "{terms} | {facts}");
        }
        (said(&found) != expect)
            .then(|| format!("{terms} | {facts} | {expect}, but {}", said(&found)))
    });
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every row is another situation, also where it is spelt in another way.
#[test]
fn rows_are_many_and_distinct() {
    let mut seen = BTreeSet::new();
    for [terms, facts, _] in rows() {
        assert!(seen.insert(format!("{:?}", read(terms, facts))), "{terms} | {facts}");
    }
    assert!(seen.len() >= ROWS_MIN, "{}", seen.len());
}

#[test]
fn every_refusal_has_a_row() {
    let codes: BTreeSet<_> = rows().map(|[_, _, expect]| expect).collect();
    for code in REFUSALS {
        assert!(codes.contains(code.text()), "{code}");
    }
}
