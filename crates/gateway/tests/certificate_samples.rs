//! The sample certificates answer as they say, here and in Biscuit's library for Python, run by
//! the interpreter that `AMBAR_PYTHON` names.

use ambar_base::{Coded, Digest, Moment, NetworkId, Price, PublicKey};
use ambar_gateway::certificate::open;
use ambar_licence::{
    ChannelView, Decision, Delegation, GrantView, Request, Right, Situation, Spent, Terms, decide,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const SAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../licence/samples/");

fn samples() -> Value {
    let text = std::fs::read_to_string(format!("{SAMPLES}certificates.json")).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} of {value}"))
}

fn key(samples: &Value, name: &str) -> PublicKey {
    PublicKey(text(samples, name).parse::<Digest>().expect("32 bytes").0)
}

/// The answer as a code, under terms that take nothing away.
fn answer(samples: &Value, row: &Value) -> String {
    let (session, channel) = (key(samples, "session_key"), number(samples, "channel"));
    let network = NetworkId(text(samples, "network").parse().expect("a digest"));
    let lookup = |number| (number == channel).then_some(session);
    let opened = match open(text(row, "certificate"), lookup, network, &key(samples, "gateway")) {
        Ok(opened) => opened,
        Err(error) => return error.code().to_string(),
    };
    let asked = &row["request"];
    let spent = Spent { price: Price::ZERO, calls: number(asked, "calls_before") };
    let narrowings: Vec<_> = opened.blocks.iter().map(|block| (&block.narrowing, spent)).collect();
    let price = Price(number(asked, "price_nano"));
    let request = Request {
        capsule: text(asked, "capsule").parse().expect("an id"),
        purpose: asked["purpose"].as_str().map(|word| word.parse().expect("a purpose")),
        right: Right::Call,
        agent: asked["agent"].as_str().map(|did| PublicKey::from_did(did).expect("a DID")),
        price_max: price,
        line_max: price,
        unit_price: Price::ZERO,
    };
    let terms = Terms { delegation: Delegation { depth: 8 }, ..Terms::granting([Right::Call]) };
    let situation = Situation {
        terms: &terms,
        grant: GrantView {
            accepted: Moment(0),
            revoked: false,
            calls_used: 0,
            spent: Price::ZERO,
            rate_wait_ms: 0,
            territory: None,
            licensee_ok: true,
        },
        channel: ChannelView {
            remaining: Price(1_000),
            expires: Moment(u64::MAX),
            closing: false,
            unit_price_max: Price::ZERO,
            capsule_ok: true,
        },
        narrowings: &narrowings,
        request: &request,
        now: Moment(number(asked, "time_ms")),
        ledger_age_ms: 0,
    };
    match decide(&situation) {
        Decision::Allow(_) => "allow".to_owned(),
        Decision::Deny(denial) => denial.code().to_string(),
    }
}

#[test]
fn every_certificate_answers_as_it_says() {
    let samples = samples();
    let rows = samples["rows"].as_array().expect("rows");
    for row in rows {
        assert_eq!(answer(&samples, row), text(row, "expect"), "{}", text(row, "name"));
    }
    let answers: BTreeSet<_> = rows.iter().map(|row| text(row, "expect")).collect();
    assert_eq!(answers.len(), 8, "{answers:?}");
}

#[test]
fn another_implementation_answers_alike() {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with biscuit-python; ./check does so");
    let script = format!("{SAMPLES}check_certificates.py");
    let output =
        Command::new(python).arg(script).arg(format!("{SAMPLES}certificates.json")).output();
    let output = output.expect("the interpreter runs");
    assert!(output.status.success(), "{output:?}");
}
