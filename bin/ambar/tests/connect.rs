//! Calls through `ambar connect`: what arrives, what settles, and what a gateway gains that
//! invents calls, answers something else or is given old and forged vouchers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "connect/liar.rs"]
mod liar;
#[path = "common/node.rs"]
mod node;
#[path = "connect/proxy.rs"]
mod proxy;
#[path = "connect/relay.rs"]
mod relay;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use common::text;
use liar::Liar;
use proxy::Proxy;
use relay::Relay;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;
use support::http::{Opened, Request};
use support::market::{Market, chat, credits, nano, question};

/// Tokens of each answer of the quick model.
const TOKENS: u32 = 8;
/// What the channel is opened with, nano-credit.
const FUNDED: u64 = 5_000_000_000;

/// A market, and a channel of the application in voucher mode.
struct Stand {
    market: Market,
    model: String,
    channel: String,
}

impl Stand {
    fn open() -> Self {
        Self::with(&format!("null:tokens={TOKENS}"))
    }

    fn with(engine: &str) -> Self {
        let market = Market::open();
        let model = market.model("quick", engine);
        let license = ["license", &model, "--as", "app", "--fund", "5", "--vouchers", "--yes"];
        let channel = text(&market.person().json(&license), "channel");
        Self { market, model, channel }
    }

    /// A proxy before the node or something that stands before it.
    fn proxy(&self, node: &str, price_max: u64, more: &[&str]) -> Proxy {
        Proxy::start(&self.market, node, &self.channel, &credits(price_max), more)
    }

    fn body(&self) -> Value {
        question(&self.model, TOKENS)
    }

    /// What one call costs: asked of a channel that pays as gateways say.
    fn price(&self) -> u64 {
        let channel = self.market.license(&self.model, "1");
        let answer = self.market.call(&self.market.mint(&channel, &[]), &self.body());
        answer.ok();
        nano(answer.header("ambar-price").unwrap())
    }

    /// What is spent and what vouchers cover, nano-credit.
    fn state(&self) -> (u64, u64) {
        let channels = self.market.person().json(&["channel", "list", "--as", "app"]);
        let channels = channels.as_array().unwrap();
        let row = channels.iter().find(|row| row["id"] == self.channel.as_str()).unwrap();
        (nano(&text(row, "spent")), nano(&text(row, "vouched")))
    }
}

#[test]
fn answers_pass_and_every_receipt_is_verified() {
    let stand = Stand::open();
    let price_max = 100_000_000;
    let proxy = stand.proxy(stand.market.url(), price_max, &[]);
    assert_eq!(proxy.ready["channel"], stand.channel.as_str());
    assert_eq!(nano(&text(&proxy.ready, "left")), FUNDED);
    let listed = proxy.send(Request::get("/v1/models")).ok();
    assert_eq!(listed["data"][0]["id"], stand.model.as_str(), "{listed}");
    let whole = proxy.send(chat(&stand.body()));
    assert_eq!(whole.ok()["choices"][0]["message"]["content"], "w0 w1 w2 w3 w4 w5 w6 w7");
    let mut streamed = stand.body();
    streamed["stream"] = true.into();
    let streamed = proxy.send(chat(&streamed));
    assert_eq!(streamed.status, 200, "{streamed:?}");
    assert!(streamed.text.contains(": ambar-receipt ") && streamed.text.contains("[DONE]"));
    let completion = json!({ "model": stand.model, "prompt": "one two", "max_tokens": 5 });
    let completion = proxy.send(Request::post("/v1/completions", completion.to_string()));
    assert_eq!(completion.ok()["choices"][0]["text"], "w0 w1 w2 w3 w4");
    for format in ["float", "base64"] {
        let embedding =
            json!({ "model": stand.model, "input": ["one", "two"], "encoding_format": format });
        proxy.send(Request::post("/v1/embeddings", embedding.to_string())).ok();
    }
    // The same key is the same call, charged and counted once.
    let keyed = || proxy.send(chat(&stand.body()).header("Idempotency-Key", "again"));
    let first = keyed();
    first.ok();
    proxy.said("receipt verified", 6);
    assert_eq!(keyed().header("ambar-receipt"), first.header("ambar-receipt"));
    proxy.said("receipt verified", 7);
    stand.market.audit(6);
    let (spent, vouched) = stand.state();
    assert!(spent > 0 && vouched >= spent && vouched <= spent + 4 * price_max, "{vouched}");
    let said = proxy.stop();
    assert!(said.contains(&format!("7 calls acknowledged; {} credits", credits(spent))), "{said}");
}

#[test]
fn strangers_and_other_machines_are_kept_out() {
    let stand = Stand::open();
    let proxy = stand.proxy(stand.market.url(), 100_000_000, &[]);
    for request in [Request::get("/v1/models"), chat(&stand.body())] {
        request.send(&proxy.url).unwrap().refused(401, "unauthenticated");
        let guess = request.bearer("ambar-0000").send(&proxy.url).unwrap();
        guess.refused(401, "unauthenticated");
    }
    proxy.send(Request::get("/v1/files")).refused(404, "not_found");
    let person = stand.market.person();
    let connect = ["connect", "--channel", &stand.channel, "--price-max", "0.1"];
    let listen = |address: &str| person.run(&[&connect[..], &["--listen", address]].concat());
    listen("0.0.0.0:0").failed(2, "invalid_request");
    // One process signs for a channel.
    listen("127.0.0.1:0").failed(6, "home_in_use");
    let plain = stand.market.license(&stand.model, "1");
    let plain = ["connect", "--channel", &plain, "--price-max", "0.1"];
    let refused = person.run(&plain);
    assert!(refused.failed(2, "invalid_request").err.contains("--vouchers"), "{refused:?}");
}

#[test]
fn a_call_lacks_what_it_lacks() {
    let stand = Stand::open();
    let relay = Relay::before(stand.market.url());
    let proxy = stand.proxy(relay.url(), 100_000_000, &[]);
    // A certificate alone does nothing.
    let certificate = stand.market.mint(&stand.channel, &[]);
    let refused = stand.market.call(&certificate, &stand.body());
    refused.refused(402, "voucher_required");
    for lacking in ["Ambar-Agent", "Ambar-Voucher", "Ambar-Price-Max", "ambar connect"] {
        assert!(refused.text.contains(lacking), "{refused:?}");
    }
    // Whoever carries the proxy's headers to another call, or changes a voucher, is refused.
    proxy.send(chat(&stand.body())).ok();
    let sent = relay.requests().pop().unwrap();
    let resend = |change: &dyn Fn(&str, &str) -> String, body: &Value| {
        let headers = sent.headers.iter().filter(|(name, _)| name.starts_with("ambar-"));
        let mut request =
            chat(body).bearer(sent.header("authorization").split_once(' ').unwrap().1);
        for (name, value) in headers {
            request = request.header(name, &change(name, value));
        }
        let key = change("idempotency-key", sent.header("idempotency-key"));
        request.header("Idempotency-Key", &key).send(stand.market.url()).unwrap()
    };
    let same = |_: &str, value: &str| value.to_owned();
    assert_eq!(resend(&same, &stand.body()).header("ambar-replayed"), Some("true"));
    let other_key = |name: &str, value: &str| match name {
        "idempotency-key" => "another".to_owned(),
        _ => value.to_owned(),
    };
    resend(&other_key, &stand.body()).refused(401, "signature_invalid");
    let other_salt = |name: &str, value: &str| match name {
        "idempotency-key" => "another".to_owned(),
        "ambar-salt" => "00".repeat(32),
        _ => value.to_owned(),
    };
    resend(&other_salt, &stand.body()).refused(401, "signature_invalid");
    stand.market.audit(1);
}

#[test]
fn many_at_once_share_no_room() {
    let stand = Stand::open();
    let price = stand.price();
    let more = ["--parallel", "3"];
    let proxy = stand.proxy(stand.market.url(), price, &more);
    thread::scope(|scope| {
        let calls: Vec<_> =
            (0..12).map(|_| scope.spawn(|| proxy.send(chat(&stand.body())))).collect();
        for call in calls {
            call.join().unwrap().ok();
        }
    });
    proxy.said("receipt verified", 12);
    stand.market.audit(13);
    let (spent, vouched) = stand.state();
    assert_eq!(spent, 12 * price);
    assert!(vouched >= spent && vouched <= 14 * price, "{vouched}");
    // The client's own limit is lower than the call may cost: nothing is charged or lost.
    let refused = proxy.send(chat(&stand.body()).header("Ambar-Price-Max", "0.000000001"));
    refused.refused(402, "price_above_limit");
    proxy.said("nothing was charged", 1);
    proxy.send(chat(&stand.body())).ok();
    proxy.said("receipt verified", 13);
}

#[test]
fn a_gateway_that_invents_calls_gains_what_was_under_way_once() {
    let stand = Stand::open();
    let price = stand.price();
    let relay = Relay::before(stand.market.url());
    let proxy = stand.proxy(relay.url(), 2 * price, &["--parallel", "1"]);
    proxy.send(chat(&stand.body())).ok();
    proxy.said("receipt verified", 1);
    stand.market.audit(2);
    let mut liar = Liar::of(&stand.market, &stand.channel);
    let voucher = relay.requests().pop().unwrap().voucher();
    assert_eq!(voucher.total.0, 2 * price);
    // What is signed covers one call more, to the last nano-credit.
    assert_eq!(liar.settle(2, &[(liar.session(), voucher)]).unwrap_err(), "voucher_exceeded");
    liar.settle(1, &[(liar.session(), voucher)]).unwrap();
    assert_eq!(stand.state(), (2 * price, 2 * price));
    // The voucher that was seen, one of the liar's own, one that claims more: all refused.
    assert_eq!(liar.settle(1, &[(liar.session(), voucher)]).unwrap_err(), "voucher_exceeded");
    assert_eq!(liar.settle(1, &[]).unwrap_err(), "voucher_exceeded");
    assert_eq!(liar.settle(1, &[liar.forged(3 * price)]).unwrap_err(), "signature_invalid");
    let raised = ambar_receipt::Voucher { total: ambar_base::Price(3 * price), ..voucher };
    assert_eq!(liar.settle(1, &[(liar.session(), raised)]).unwrap_err(), "signature_invalid");
    assert_eq!(stand.state(), (2 * price, 2 * price));
    // The next start sees that more has settled than was called, and signs nothing.
    proxy.stop();
    let person = stand.market.person();
    let price_max = credits(2 * price);
    let connect = ["connect", "--channel", &stand.channel, "--price-max", &price_max];
    let refused = person.run(&[&connect[..], &["--listen", "127.0.0.1:0"]].concat());
    assert!(refused.failed(3, "voucher_exceeded").err.contains("--continue"), "{refused:?}");
    let proxy = stand.proxy(stand.market.url(), 2 * price, &["--continue"]);
    assert_eq!(nano(&text(&proxy.ready, "left")), FUNDED - 2 * price);
    proxy.send(chat(&stand.body())).ok();
    proxy.said("receipt verified", 1);
    assert_eq!(stand.state().0, 3 * price);
}

#[test]
fn an_answer_that_is_not_the_receipts_is_disputed() {
    let stand = Stand::open();
    let relay = Relay::before(stand.market.url());
    let proxy = stand.proxy(relay.url(), 100_000_000, &[]);
    proxy.send(chat(&stand.body())).ok();
    proxy.said("receipt verified", 1);
    relay.replace("w3 w4", "w3 x4");
    let lied = proxy.send(chat(&stand.body()));
    assert!(lied.text.contains("x4"), "{lied:?}");
    proxy.said("not for the answer that arrived", 1);
    let refused = proxy.send(chat(&stand.body()));
    refused.refused(402, "voucher_exceeded");
    assert!(refused.text.contains("--continue"), "{refused:?}");
    let signed: BTreeSet<_> = relay.requests().iter().map(|sent| sent.voucher().total).collect();
    proxy.stop();
    let again = ["connect", "--channel", &stand.channel, "--price-max", "0.1"];
    stand.market.person().run(&again).failed(3, "voucher_exceeded");
    let proxy = stand.proxy(stand.market.url(), 100_000_000, &["--continue"]);
    proxy.send(chat(&stand.body())).ok();
    proxy.said("receipt verified", 1);
    assert_eq!(signed.len(), 2, "nothing was signed after the lie: {signed:?}");
    stand.market.audit(3);
}

/// Begins a stream and reads some of it.
fn begin(proxy: &Proxy, body: &Value) -> Opened {
    let mut opened = proxy.request(chat(body)).open(&proxy.url).unwrap();
    assert_eq!(opened.status, 200);
    let mut read = String::new();
    while !read.contains(" w5\"") {
        read += &String::from_utf8(opened.chunk().unwrap()).unwrap();
    }
    opened
}

#[test]
fn a_proxy_that_is_killed_goes_on() {
    /// Long enough that nobody waits for its end.
    const SLOW_TOKENS: u32 = 2_000;
    let stand = Stand::with(&format!("null:tokens={SLOW_TOKENS},delay_ms=10"));
    let relay = Relay::before(stand.market.url());
    let price_max = 500_000_000;
    let mut slow = question(&stand.model, SLOW_TOKENS);
    slow["stream"] = true.into();
    let proxy = stand.proxy(relay.url(), price_max, &[]);
    let begun = begin(&proxy, &slow);
    // Between sign and acknowledge.
    proxy.kill();
    drop(begun);
    let proxy = stand.proxy(relay.url(), price_max, &[]);
    assert!(nano(&text(&proxy.ready, "left")) <= FUNDED - price_max, "{}", proxy.ready);
    proxy.said("receipt verified", 1);
    proxy.send(chat(&question(&stand.model, TOKENS))).ok();
    proxy.said("receipt verified", 2);
    // A client that leaves ends the call at the gateway, which charges what it delivered.
    drop(begin(&proxy, &slow));
    proxy.said("receipt verified", 3);
    stand.market.audit(3);
    let totals: Vec<_> = relay.requests().iter().map(|sent| sent.voucher().total.0).collect();
    assert_eq!(totals.len(), 3);
    assert!(totals.is_sorted(), "{totals:?}");
    let (spent, vouched) = stand.state();
    assert!(vouched <= spent + 2 * price_max, "{vouched} for {spent}");
}
