//! Terms beside the published ones, by the command line against a node: to one account, and to try.
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

    /// Offers terms with this price for each call, and more lines.
    fn offer(&self, per_call: &str, lines: &str, options: &[&str]) -> String {
        let terms =
            format!("terms = 1\ngrants = [\"call\"]\n{lines}[price]\nper_call = \"{per_call}\"\n");
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
    let offer = stall.offer("0.0005", "", &["--to", &app]);
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
    let lines = "term.days = 3\nquota = { calls = 2, per = \"term\" }\n";
    let trial = stall.offer("0", lines, &["--once", "--limit", "9"]);
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
