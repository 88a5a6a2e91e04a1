//! Royalty lines that are sold, capsules that are given away, and accounts whose recovery
//! begins and ends, by the command line against a node.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::text;
use serde_json::Value;
use support::market::{Market, nano, question, until};

/// Tokens of each answer.
const TOKENS: u32 = 8;

/// A market with a model of the owner, a buyer with money, and a certificate to call with.
struct Stall {
    market: Market,
    model: String,
    line: String,
    certificate: String,
}

impl Stall {
    fn open() -> Self {
        let market = Market::open();
        for name in ["buyer", "other"] {
            market.person().json(&["key", "new", name]);
            market.person().json(&["account", "fund", "100", "--as", name]);
        }
        let model = market.model("quick", &format!("null:tokens={TOKENS}"));
        let channel = market.license(&model, "5");
        let certificate = market.mint(&channel, &[]);
        let line = until("the line is listed", || {
            let lines = market.person().json(&["royalty", "list", "--as", "owner"]);
            lines.get(0).map(|line| text(line, "id"))
        });
        Self { market, model, line, certificate }
    }

    fn ask(&self, words: &[&str], who: &str) -> Value {
        self.market.person().json(&[words, &["--as", who]].concat())
    }

    /// The lines that somebody holds.
    fn held(&self, who: &str) -> Vec<String> {
        let lines = self.ask(&["royalty", "list"], who);
        lines.as_array().unwrap().iter().map(|line| text(line, "id")).collect()
    }

    fn account(&self, who: &str) -> Value {
        self.ask(&["account", "show"], who)
    }

    fn did(&self, who: &str) -> String {
        text(&self.account(who), "did")
    }

    /// The statement's rows of one kind: direction and nano-credit.
    fn rows(&self, who: &str, kind: &str) -> Vec<(String, u64)> {
        let statement = self.ask(&["account", "statement"], who);
        let rows = statement["rows"].as_array().unwrap().iter();
        let rows = rows.filter(|row| row["kind"] == kind);
        rows.map(|row| (text(row, "direction"), nano(&text(row, "amount")))).collect()
    }

    /// Waits until owner and buyer were paid royalty for so many calls each.
    fn paid(&self, calls: (usize, usize)) {
        let rows = |who| self.rows(who, "royalty").len();
        until("they are paid", || ((rows("owner"), rows("buyer")) == calls).then_some(()));
    }

    fn call(&self) {
        self.market.call(&self.certificate, &question(&self.model, TOKENS)).ok();
    }
}

#[test]
fn a_line_is_sold_and_later_calls_pay_the_buyer() {
    let stall = Stall::open();
    let (market, line) = (&stall.market, stall.line.as_str());
    stall.call();
    market.audit(1);
    stall.paid((1, 0));

    let buy = ["royalty", "buy", line, "--yes", "--as", "buyer"];
    market.person().run(&buy).failed(4, "not_found");
    stall.ask(&["royalty", "sell", line, "7", "--to", &stall.did("buyer")], "owner");
    let offered = stall.ask(&["royalty", "list"], "owner");
    assert_eq!(offered[0]["offer"]["price"], "7.000000000", "{offered}");
    let elsewhere = ["royalty", "buy", line, "--yes", "--as", "other"];
    market.person().run(&elsewhere).failed(3, "not_authorised");
    let dear = ["royalty", "buy", line, "--price", "8", "--yes", "--as", "buyer"];
    market.person().run(&dear).failed(2, "transaction_invalid");
    // Nobody can be asked here.
    let unsure = ["royalty", "buy", line, "--as", "buyer"];
    market.person().run(&unsure).failed(2, "invalid_request");
    assert_eq!(stall.held("owner"), [line]);

    let bought = market.person().json(&buy);
    assert_eq!(bought["results"][0]["kind"], "sold", "{bought}");
    until("the index has it", || (stall.held("buyer") == [line]).then_some(()));
    assert!(stall.held("owner").is_empty());
    let price = 7_000_000_000;
    assert_eq!(stall.rows("owner", "sale"), [("in".to_owned(), price)]);
    assert_eq!(stall.rows("buyer", "sale"), [("out".to_owned(), price)]);

    // Calls that are admitted at the block of the sale still pay the seller.
    until("a later block is final", || {
        let height = market.person().json(&["status"])["height"].as_u64();
        (height > bought["height"].as_u64()).then_some(())
    });
    stall.call();
    market.audit(2);
    stall.paid((1, 1));
    assert_eq!(stall.rows("owner", "royalty"), stall.rows("buyer", "royalty"));
}

#[test]
fn offers_are_withdrawn_and_lines_and_capsules_given_away() {
    let stall = Stall::open();
    let (market, line) = (&stall.market, stall.line.as_str());
    let buyer = stall.did("buyer");
    stall.ask(&["royalty", "sell", line, "7", "--days", "1"], "owner");
    market
        .person()
        .run(&["royalty", "withdraw", line, "--as", "buyer"])
        .failed(3, "not_authorised");
    stall.ask(&["royalty", "withdraw", line], "owner");
    market.person().run(&["royalty", "withdraw", line, "--as", "owner"]).failed(4, "not_found");
    stall.ask(&["royalty", "sell", line, "7"], "owner");
    stall.ask(&["royalty", "transfer", line, &buyer], "owner");
    let buy = ["royalty", "buy", line, "--yes", "--as", "other"];
    market.person().run(&buy).failed(4, "not_found");
    until("the index has it", || (stall.held("buyer") == [line]).then_some(()));

    let give = ["capsule", "transfer", &stall.model, &buyer];
    market.person().run(&[&give[..], &["--as", "other"]].concat()).failed(3, "not_authorised");
    stall.ask(&give, "owner");
    let capsule = market.person().json(&["show", &stall.model]);
    assert_eq!(text(&capsule, "owner"), text(&stall.account("buyer"), "id"));
    assert_eq!(text(&capsule, "creator"), text(&stall.account("owner"), "id"));
}

/// The delay of a recovery is longer than a test: what comes after it is tested on the ledger.
#[test]
fn a_recovery_begins_and_its_owner_ends_it() {
    let stall = Stall::open();
    let market = &stall.market;
    for name in ["cold", "friend", "fresh"] {
        market.person().json(&["key", "new", name]);
    }
    let owner = stall.did("owner");
    let recover = ["account", "recover", &owner, "--keys", "fresh", "--with", "cold", "friend"];
    let recover = [&recover[..], &["--as", "buyer"]].concat();
    market.person().run(&recover).failed(3, "not_authorised");
    let set = ["account", "recovery", "set", "cold", "friend", "--threshold", "2"];
    let set = stall.ask(&set, "owner");
    assert_eq!(stall.account("owner")["recovery"], set["recovery"]);

    // One of two is not all of them.
    let one = ["account", "recover", &owner, "--keys", "fresh", "--with", "cold"];
    let one = [&one[..], &["--as", "buyer"]].concat();
    market.person().run(&one).failed(3, "not_authorised");
    let begun = market.person().json(&recover);
    let blocks = begun["from_height"].as_u64().unwrap() - begun["height"].as_u64().unwrap();
    assert!((3_590..=3_600).contains(&blocks), "{begun}");
    assert_eq!(stall.account("owner")["recovering"]["from"], begun["from"]);
    let finish = ["account", "recovery", "finish", &owner, "--as", "buyer"];
    market.person().run(&finish).failed(2, "transaction_invalid");
    market.person().run(&recover).failed(2, "transaction_invalid");
    let stranger = ["account", "recovery", "cancel", "--as", "buyer"];
    market.person().run(&stranger).failed(4, "not_found");

    stall.ask(&["account", "recovery", "cancel"], "owner");
    assert_eq!(stall.account("owner")["recovering"], Value::Null);
    market.person().run(&finish).failed(4, "not_found");
    // A new key of the account leaves its recovery as it was.
    stall.ask(&["key", "rotate"], "owner");
    assert_eq!(stall.account("owner")["recovery"], set["recovery"]);
}
