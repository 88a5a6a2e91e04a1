//! Claims about calls, by the command line against a node: a breach ends its grant, what was
//! counted too high is paid back, and the books agree afterwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::text;
use serde_json::Value;
use support::http::Answer;
use support::market::{Market, chat, nano, question, until};

/// Tokens of each answer.
const TOKENS: u32 = 8;
/// Terms that end with a breach and let things be built on them.
const TERMS: &str = "\
terms = 1
grants = [\"call\", \"derive\"]
purposes = { deny = [\"advertising\"] }
revoke_if = [\"breach\", \"non_payment\"]
[price]
per_mu = \"0.000002\"
per_call = \"0.001\"
[derivatives]
allowed = true
share = \"20%\"
";

/// A market with a model under these terms, and a certificate to call it for research.
struct Court {
    market: Market,
    model: String,
    certificate: String,
    evidence: String,
}

impl Court {
    fn open() -> Self {
        let market = Market::open();
        let model = publish(&market, "quick", TERMS, &[]).json();
        let model = text(&model, "id");
        let channel = market.license(&model, "5");
        let certificate = market.mint(&channel, &["--purpose", "research"]);
        let evidence = market.write("evidence.txt", "what was found");
        Self { market, model, certificate, evidence }
    }

    fn call(&self) -> Answer {
        let request = chat(&question(&self.model, TOKENS)).bearer(&self.certificate);
        request.header("Ambar-Purpose", "research").send(self.market.url()).unwrap()
    }

    /// The receipt of a call that has settled; so many have.
    fn receipt(&self, calls: u64) -> String {
        let answer = self.call();
        answer.ok();
        self.market.audit(calls);
        answer.header("ambar-receipt").unwrap().to_owned()
    }

    fn dispute<'a>(&'a self, receipt: &'a str, claim: &'a str, who: &'a str) -> Vec<&'a str> {
        let open = ["dispute", "open", receipt, claim, "--evidence", &self.evidence];
        let rest = ["--statement", "It was sold on.", "--yes", "--as", who];
        [&open[..], &rest].concat()
    }

    fn opened(&self, receipt: &str, claim: &str, who: &str) -> String {
        text(&self.market.person().json(&self.dispute(receipt, claim, who)), "dispute")
    }

    fn resolve(&self, dispute: &str, words: &[&str]) -> Value {
        let resolve = ["dispute", "resolve", dispute, "--reason", "The log shows it."];
        self.market.person().json(&[&resolve[..], words].concat())
    }

    fn show(&self, dispute: &str) -> Value {
        self.market.person().json(&["dispute", "show", dispute])
    }

    fn grants(&self) -> Value {
        self.market.person().json(&["grant", "list", "--as", "app"])
    }
}

fn publish(market: &Market, name: &str, terms: &str, more: &[&str]) -> common::Ran {
    let card = market.write(&format!("{name}.md"), name);
    let terms = market.write(&format!("{name}.toml"), terms);
    let engine = format!("null:tokens={TOKENS}");
    let publish = ["publish", &card, "--kind", "model", "--name", name, "--terms", &terms];
    let rest = ["--engine", &engine, "--json"];
    market.person().run(&[&publish[..], &rest, more, owner(more)].concat())
}

fn owner(more: &[&str]) -> &'static [&'static str] {
    if more.contains(&"--as") { &[] } else { &["--as", "owner"] }
}

#[test]
fn a_breach_that_is_upheld_ends_the_grant() {
    let court = Court::open();
    let (market, person) = (&court.market, court.market.person());
    let receipt = court.receipt(1);
    let shown = person.json(&["receipt", "show", &receipt, "--as", "owner"]);
    assert_eq!(shown["purpose"], "research", "{shown}");

    person.run(&court.dispute(&receipt, "--breach", "app")).failed(3, "not_authorised");
    let unsure: Vec<_> = court.dispute(&receipt, "--breach", "owner");
    let unsure: Vec<_> = unsure.into_iter().filter(|word| *word != "--yes").collect();
    person.run(&unsure).failed(2, "invalid_request");
    let dispute = court.opened(&receipt, "--breach", "owner");
    person.run(&court.dispute(&receipt, "--breach", "owner")).failed(2, "transaction_invalid");
    let object = court.show(&dispute);
    assert_eq!(
        (text(&object, "state"), text(&object, "receipt")),
        ("open".into(), receipt.clone())
    );
    let compare = ["dispute", "show", &dispute, "--evidence"];
    person.json(&[&compare[..], &[court.evidence.as_str()]].concat());
    let other = market.write("other.txt", "something else");
    person.run(&[&compare[..], &[other.as_str()]].concat()).failed(2, "document_invalid");
    until("the receipt says it", || {
        let shown = person.json(&["receipt", "show", &receipt, "--as", "app"]);
        (shown["disputes"][0] == dispute.as_str()).then_some(())
    });
    assert_eq!(court.grants()[0]["disputes"][0], dispute.as_str());
    let listed = person.json(&["dispute", "list", "--open", "--receipt", &receipt]);
    assert_eq!(
        (listed["open"].as_u64(), text(&listed["disputes"][0], "id")),
        (Some(1), dispute.clone())
    );

    // It is called on meanwhile.
    court.call().ok();
    let decide = ["dispute", "resolve", &dispute, "--uphold", "--reason", "x", "--as", "owner"];
    person.run(&decide).failed(3, "not_authorised");
    let upheld = court.resolve(&dispute, &["--uphold"]);
    assert_eq!(upheld["results"][0]["kind"], "dispute_closed", "{upheld}");
    let grant = &court.grants()[0];
    assert_eq!(grant["breach"], upheld["height"], "{grant}");
    // From the next block on, wherever it is called.
    assert_eq!(grant["revoked"].as_u64(), upheld["height"].as_u64().map(|height| height + 1));
    until("a later block is final", || {
        (person.json(&["status"])["height"].as_u64() > upheld["height"].as_u64()).then_some(())
    });
    court.call().refused(403, "grant_revoked");
    market.audit(2);
}

#[test]
fn what_was_counted_too_high_is_paid_back() {
    let court = Court::open();
    let person = court.market.person();
    let receipt = court.receipt(1);
    person.run(&court.dispute(&receipt, "--overstated", "owner")).failed(3, "not_authorised");
    let first = court.opened(&receipt, "--overstated", "app");
    person.json(&["dispute", "withdraw", &first, "--as", "app"]);
    assert_eq!(court.show(&first)["state"], "withdrawn");
    let lapse = ["dispute", "lapse", &first, "--as", "owner"];
    person.run(&lapse).failed(2, "transaction_invalid");

    let dispute = court.opened(&receipt, "--overstated", "app");
    let price = text(&court.show(&dispute), "price");
    let over = ["--uphold", "--refund", "1"];
    let resolve = ["dispute", "resolve", &dispute, "--reason", "x"];
    person.run(&[&resolve[..], &over].concat()).failed(2, "transaction_invalid");
    court.resolve(&dispute, &["--uphold"]);
    let object = court.show(&dispute);
    assert_eq!(object["state"], "upheld", "{object}");
    assert_eq!(nano(&text(&object, "refund")), nano(&price));
    let refunds = until("the statement has it", || {
        let statement = person.json(&["account", "statement", "--as", "app"]);
        let rows = statement["rows"].as_array().unwrap().clone().into_iter();
        let rows: Vec<_> = rows.filter(|row| row["kind"] == "refund").collect();
        (!rows.is_empty()).then_some(rows)
    });
    assert_eq!(refunds.len(), 1, "{refunds:?}");
    assert_eq!(nano(&text(&refunds[0], "amount")), nano(&price));
    assert_eq!(refunds[0]["receipt"], receipt.as_str());
    court.market.audit(1);
}

#[test]
fn reasons_of_a_revocation_are_those_of_the_terms() {
    let court = Court::open();
    let person = court.market.person();
    let grant = text(&court.grants()[0], "id");
    let refused = |reason: &str, clause: &str| {
        let revoke = ["grant", "revoke", &grant, "--reason", reason, "--as", "owner"];
        let ran = person.run(&revoke);
        ran.failed(3, "not_authorised");
        assert!(ran.err.contains(clause), "{ran:?}");
    };
    refused("owner", "revoke_if: the terms of grant");
    refused("breach", "no dispute about a breach");
    refused("non_payment", "less than a day ago");
    person
        .run(&["grant", "revoke", &grant, "--reason", "no", "--as", "owner"])
        .failed(2, "invalid_request");
    person.json(&["grant", "revoke", &grant, "--as", "app"]);
}

#[test]
fn what_is_built_on_others_keeps_their_clauses() {
    let court = Court::open();
    let (market, parent) = (&court.market, court.model.as_str());
    let from = |share: &str| format!("{parent}={share}");
    let check = |terms: &str, share: &str, code: &str, clause: &str| {
        let ran = publish(market, "derived", terms, &["--from", &from(share), "--as", "app"]);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(ran.err.contains(code) && ran.err.contains(clause), "{ran:?}");
    };
    let narrow = TERMS.replace("revoke_if = [\"breach\", \"non_payment\"]\n", "");
    check(&narrow.replace("advertising", "war"), "20%", "terms_invalid", "purposes.deny");
    check(
        &narrow.replace("\"derive\"", "\"fetch\""),
        "20%",
        "terms_invalid",
        "grants: it does not",
    );
    check(&narrow, "19%", "not_authorised", "derivatives.share");
    let id = text(
        &publish(market, "derived", &narrow, &["--from", &from("20%"), "--as", "app"]).json(),
        "id",
    );

    let wide = market.write("wide.toml", narrow.replace("20%", "10%"));
    let person = market.person();
    let parents = ["terms", "check", &wide, "--parent", &id];
    let ran = person.run(&parents);
    ran.failed(2, "terms_invalid");
    assert!(ran.err.contains("derivatives.share"), "{ran:?}");
    let good = market.write("good.toml", &narrow);
    person.json(&["terms", "check", &good, "--parent", &id, "--parent", parent]);
    // Somebody who accepted nothing builds nothing.
    person.json(&["key", "new", "stranger"]);
    person.json(&["account", "fund", "10", "--as", "stranger"]);
    let ran = publish(market, "second", &narrow, &["--from", &from("20%"), "--as", "stranger"]);
    ran.failed(3, "grant_missing");
}
