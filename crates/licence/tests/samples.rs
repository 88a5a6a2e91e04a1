//! The samples for other implementations, decided by this one.

#![expect(clippy::unwrap_used, reason = "a sample that cannot be read fails the test")]

use ambar_base::{Cid, Coded, Moment, Price, PublicKey};
use ambar_licence::{
    ChannelView, Decision, GrantView, Narrowing, Purpose, Request, Reservation, Right, Situation,
    Spent, Terms, Territory, decide,
};
use serde::Deserialize;
use std::collections::BTreeSet;

const DECISIONS: &str = include_str!("../samples/decisions.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    terms: String,
    now_ms: u64,
    ledger_age_ms: u64,
    grant: GrantRow,
    channel: ChannelRow,
    blocks: Vec<BlockRow>,
    request: RequestRow,
    expect: String,
    reservation: Option<ReservationRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantRow {
    accepted_ms: u64,
    licensee_ok: bool,
    revoked: bool,
    territory: Option<Territory>,
    calls_used: u64,
    spent_nano: u64,
    rate_wait_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelRow {
    expires_ms: u64,
    closing: bool,
    capsule_ok: bool,
    unit_price_max_nano: u64,
    remaining_nano: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockRow {
    spent_nano: u64,
    calls_used: u64,
    budget_nano: Option<u64>,
    calls: Option<u64>,
    expires_ms: Option<u64>,
    purposes: Option<BTreeSet<Purpose>>,
    capsules: Option<Vec<String>>,
    agent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestRow {
    capsule: String,
    right: Right,
    purpose: Option<Purpose>,
    agent: Option<String>,
    unit_price_nano: u64,
    price_max_nano: u64,
    line_max_nano: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReservationRow {
    price_nano: u64,
    purpose: Option<Purpose>,
    territory: Option<Territory>,
}

fn cid(text: &str) -> Cid {
    text.parse().unwrap()
}

fn grant(row: &GrantRow) -> GrantView {
    GrantView {
        accepted: Moment(row.accepted_ms),
        revoked: row.revoked,
        calls_used: row.calls_used,
        spent: Price(row.spent_nano),
        rate_wait_ms: row.rate_wait_ms,
        territory: row.territory,
        licensee_ok: row.licensee_ok,
    }
}

fn channel(row: &ChannelRow) -> ChannelView {
    ChannelView {
        remaining: Price(row.remaining_nano),
        expires: Moment(row.expires_ms),
        closing: row.closing,
        unit_price_max: Price(row.unit_price_max_nano),
        capsule_ok: row.capsule_ok,
    }
}

fn block(row: &BlockRow) -> (Narrowing, Spent) {
    let agent = row.agent.as_ref().map(|did| PublicKey::from_did(did).unwrap());
    let narrowing = Narrowing {
        budget: row.budget_nano.map(Price),
        calls: row.calls,
        expires: row.expires_ms.map(Moment),
        purposes: row.purposes.clone(),
        capsules: row.capsules.as_ref().map(|ids| ids.iter().map(|id| cid(id)).collect()),
        agent,
    };
    (narrowing, Spent { price: Price(row.spent_nano), calls: row.calls_used })
}

fn decided(row: &Row) -> Decision {
    let terms = Terms::parse(&row.terms).unwrap_or_else(|errors| panic!("{}: {errors}", row.name));
    let blocks: Vec<_> = row.blocks.iter().map(block).collect();
    let narrowings: Vec<_> = blocks.iter().map(|(narrowing, spent)| (narrowing, *spent)).collect();
    let request = Request {
        capsule: cid(&row.request.capsule),
        purpose: row.request.purpose.clone(),
        right: row.request.right,
        agent: row.request.agent.as_ref().map(|did| PublicKey::from_did(did).unwrap()),
        price_max: Price(row.request.price_max_nano),
        line_max: Price(row.request.line_max_nano),
        unit_price: Price(row.request.unit_price_nano),
    };
    decide(&Situation {
        terms: &terms,
        grant: grant(&row.grant),
        channel: channel(&row.channel),
        narrowings: &narrowings,
        request: &request,
        now: Moment(row.now_ms),
        ledger_age_ms: row.ledger_age_ms,
    })
}

#[test]
fn sample_decisions() {
    let rows: Vec<Row> = serde_json::from_str(DECISIONS).unwrap();
    let names: BTreeSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert!(rows.len() >= 40 && names.len() == rows.len(), "{}", rows.len());
    for row in &rows {
        match (decided(row), &row.reservation) {
            (Decision::Allow(found), Some(expect)) => {
                assert_eq!(row.expect, "allow", "{}", row.name);
                let price = Price(expect.price_nano);
                let (purpose, territory) = (expect.purpose.clone(), expect.territory);
                assert_eq!(found, Reservation { price, purpose, territory }, "{}", row.name);
            }
            (Decision::Deny(denial), None) => {
                assert_eq!(denial.code().text(), row.expect, "{}: {denial}", row.name);
            }
            (found, _) => panic!("{}: {found:?}", row.name),
        }
    }
}
