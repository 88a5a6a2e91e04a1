//! Terms beside the published ones, by the command line against a node: to one account, to try,
//! and with a price that falls.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::{Ran, text};
use serde_json::Value;
use support::market::{Market, nano, question, until};

/// Tokens of each answer.
const TOKENS: u32 = 8;

/// A market with a model, and somebody else with money.
struct Stall {
    market: Market,
    model: String,
}

impl Stall {
    fn open() -> Self {
        let market = Market::open();
        market.person().json(&["key", "new", "other"]);
        market.person().json(&["account", "fund", "100", "--as", "other"]);
        let model = market.model("quick", &format!("null:tokens={TOKENS}"));
        Self { market, model }
    }

    /// Offers terms that let be called and say these lines.
    fn offer(&self, lines: &str, options: &[&str]) -> String {
        let terms = format!("terms = 1\ngrants = [\"call\"]\n{lines}");
        let terms = self.market.write("offered.toml", terms);
        let make = ["offer", "make", &self.model, "--terms", &terms, "--as", "owner"];
        text(&self.market.person().json(&[&make[..], options].concat()), "offer")
    }

    fn license(&self, who: &str, options: &[&str]) -> Ran {
        let license = ["license", &self.model, "--as", who, "--fund", "5", "--yes", "--json"];
        self.market.person().run(&[&license[..], options].concat())
    }

    /// A certificate of a channel that was just opened.
    fn certificate(&self, licensed: &Value) -> String {
        self.market.mint(&text(licensed, "channel"), &[])
    }

    /// Makes a call; its price in nano-credit.
    fn call(&self, certificate: &str) -> u64 {
        let answer = self.market.call(certificate, &question(&self.model, TOKENS));
        let price = answer.header("ambar-price").unwrap().to_owned();
        answer.ok();
        nano(&price)
    }

    /// Exports the receipt of the channel's call and verifies it offline.
    fn verify(&self, who: &str, licensed: &Value, n: u64) {
        let person = self.market.person();
        let id = format!("{}-{n}", text(licensed, "channel"));
        let file = self.market.files.path().join("receipt");
        let file = file.to_str().unwrap();
        until("the receipt can be exported", || {
            let ran = person.run(&["receipt", "export", &id, "--out", file, "--as", who]);
            (ran.code == 0).then_some(())
        });
        let genesis = self.market.home().join("network/genesis");
        let genesis = genesis.to_str().unwrap();
        let report = person.json(&["receipt", "verify", file, "--network-key", genesis]);
        assert_eq!(report["ok"], true, "{report}");
    }
}

#[test]
fn an_offer_to_one_account_is_cheaper_for_it_alone() {
    let stall = Stall::open();
    let person = stall.market.person();
    let app = text(&person.json(&["account", "show", "--as", "app"]), "did");
    let offer = stall.offer("price.per_call = \"0.0005\"", &["--to", &app]);
    let listed = until("the offer is listed", || {
        let listed = person.json(&["offer", "list", "--as", "app"]);
        listed.get(0).cloned()
    });
    assert_eq!((text(&listed, "id"), &listed["over"]), (offer.clone(), &Value::Bool(false)));
    let capsule = person.json(&["show", &stall.model]);
    assert_eq!(capsule["offers"], Value::Array(Vec::new()), "it is to nobody else: {capsule}");
    let verbose = person.run(&["offer", "list", &stall.model, "--verbose"]);
    assert!(verbose.out.contains("price.per_call (cheaper): "), "{verbose:?}");

    stall.license("other", &["--offer", &offer]).failed(4, "not_found");
    let shown = stall.license("app", &["--offer", &offer]);
    let price = "price: 0.000000000 credits per MU + 0.000500000 per call";
    assert!(shown.err.contains("The owner asks 0.000500000 credits per call"), "{shown:?}");
    assert!(shown.err.contains(price), "{shown:?}");
    let private = shown.json();
    assert_eq!(text(&private, "offer"), offer);
    let public = stall.license("other", &[]).json();
    assert_eq!(public["offer"], Value::Null);

    let cheap = stall.call(&stall.certificate(&private));
    let dear = stall.call(&stall.certificate(&public));
    assert!(cheap > 500_000 && cheap < 1_000_000 && dear > 1_000_000, "{cheap} {dear}");
    stall.market.audit(2);
    stall.verify("app", &private, 0);
    stall.verify("other", &public, 0);

    person.json(&["offer", "withdraw", &offer, "--as", "owner"]);
    stall.license("app", &["--offer", &offer]).failed(4, "not_found");
    // Grants under it stay.
    stall.call(&stall.certificate(&private));
    stall.market.audit(3);
}

#[test]
fn a_trial_is_taken_once_and_its_quota_ends_it() {
    let stall = Stall::open();
    let lines = "term.days = 3\nquota = { calls = 2, per = \"term\" }";
    let trial = stall.offer(lines, &["--once", "--limit", "9"]);
    until("the trial is listed", || {
        let capsule = stall.market.person().json(&["show", &stall.model]);
        capsule["offers"].get(0).cloned()
    });
    let shown = stall.license("app", &["--trial"]);
    for words in ["trial", "published", "2 calls in all", "The grant ends 3 days after"] {
        assert!(shown.err.contains(words), "{words}: {shown:?}");
    }
    let taken = shown.json();
    assert_eq!(text(&taken, "offer"), trial);
    stall.license("app", &["--trial"]).failed(4, "not_found");
    let certificate = stall.certificate(&taken);
    stall.call(&certificate);
    stall.call(&certificate);
    let third = stall.market.call(&certificate, &question(&stall.model, TOKENS));
    third.refused(429, "quota_exceeded");
    let grants = stall.market.person().json(&["grant", "list", "--as", "app"]);
    assert_eq!(grants[0]["current"], true, "{grants}");
    assert_ne!(grants[0]["of"], grants[0]["terms"], "{grants}");
    stall.market.audit(2);
    // Somebody else has theirs.
    assert_eq!(text(&stall.license("other", &["--trial"]).json(), "offer"), trial);
}

#[test]
fn the_price_falls_once_enough_calls_have_settled() {
    let stall = Stall::open();
    let person = stall.market.person();
    let lines =
        "[price]\nper_call = \"0.0005\"\n[[price.tier]]\nfrom_calls = 2\nper_call = \"0.0001\"";
    let offer = stall.offer(lines, &[]);
    until("the offer is listed", || {
        person.json(&["show", &stall.model])["offers"].get(0).map(|_| ())
    });
    let shown = stall.license("app", &["--offer", &offer]);
    let tier =
        "Once 2 calls under the grant have settled, the owner asks 0.000100000 credits per call";
    assert!(shown.err.contains(tier) && shown.err.contains("less from 2 calls"), "{shown:?}");
    let taken = shown.json();
    let certificate = stall.certificate(&taken);
    let first = [stall.call(&certificate), stall.call(&certificate)];
    assert_eq!(first[0], first[1]);
    stall.market.audit(2);
    let grant = person.json(&["grant", "list", "--as", "app"])[0].clone();
    assert_eq!((&grant["calls"], &grant["tier"]), (&2.into(), &1.into()), "{grant}");
    // The tier holds from the block after the one that settled the second call.
    let height = || person.json(&["status"])["height"].as_u64();
    let settled = height();
    until("a later block is final", || (height() > settled).then_some(()));
    let third = stall.call(&certificate);
    // The royalty, and the network's part of it.
    assert_eq!(first[0] - third, 400_000 + 8_000);
    stall.market.audit(3);
    for n in [0, 2] {
        stall.verify("app", &taken, n);
    }
}
