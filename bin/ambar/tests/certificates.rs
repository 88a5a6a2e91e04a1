//! Certificates on the wire: what each bound refuses, which certificates are none, and that
//! no bound gives way when many call at once or a client leaves.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use ambar_base::{Moment, NetworkId, PublicKey, SecretKey};
use ambar_gateway::authorisation::{Authorisation, fingerprint};
use ambar_gateway::certificate;
use ambar_licence::Narrowing;
use ambar_node::keys::KeyFile;
use common::text;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};
use support::http::{Answer, Opened, Request};
use support::market::{Market, chat, credits, nano, question, until};

/// Tokens of each answer of the quick model.
const TOKENS: u32 = 8;

/// What the tests call.
struct Stall {
    market: Market,
    model: String,
    other: String,
    channel: String,
}

impl Stall {
    fn open() -> Self {
        let market = Market::open();
        let model = market.model("quick", &format!("null:tokens={TOKENS}"));
        let other = market.model("other", &format!("null:tokens={TOKENS}"));
        market.license(&other, "1");
        let channel = market.license(&model, "5");
        Self { market, model, other, channel }
    }

    fn ask(&self, certificate: &str) -> Answer {
        self.market.call(certificate, &question(&self.model, TOKENS))
    }

    /// What a call costs; it is charged once.
    fn price(&self) -> u64 {
        let answer = self.ask(&self.market.mint(&self.channel, &[]));
        answer.ok();
        nano(answer.header("ambar-price").unwrap())
    }

    fn session(&self) -> (SecretKey, NetworkId, PublicKey) {
        let status = self.market.person().json(&["status"]);
        let network = text(&status, "network");
        let folder = self.market.home().join("sessions").join(&network);
        let path = folder.join(format!("{}.key", self.channel));
        let key = KeyFile::read(&path).unwrap().open(&path, None).unwrap();
        let gateway = PublicKey::from_did(&text(&status["node"], "did")).unwrap();
        (key, NetworkId(network.parse().unwrap()), gateway)
    }
}

#[test]
fn each_bound_refuses_with_its_own_code() {
    let stall = Stall::open();
    let price = stall.price();
    let whole = stall.market.mint(&stall.channel, &[]);
    let check = |limits: &[&str], allowed: usize, status: u16, code: &str| {
        let narrowed = stall.market.narrow(&whole, limits);
        for _ in 0..allowed {
            stall.ask(&narrowed).ok();
        }
        stall.ask(&narrowed).refused(status, code);
        // What is narrowed further is not wider.
        let further = stall.market.narrow(&narrowed, &["--calls", "1000", "--budget", "1000"]);
        stall.ask(&further).refused(status, code);
        stall.ask(&whole).ok();
        allowed + 1
    };
    let budget = credits(2 * price + price / 2);
    let agent = SecretKey::from_seed(&[7; 32]).public().did();
    let calls = check(&["--budget", &budget], 2, 402, "budget_exceeded")
        + check(&["--calls", "3"], 3, 403, "call_limit_exceeded")
        + check(&["--expires", "2026-01-01T00:00:00Z"], 0, 401, "certificate_expired")
        + check(&["--capsule", &stall.other], 0, 403, "capsule_not_allowed")
        + check(&["--purpose", "surveillance"], 0, 403, "purpose_not_allowed")
        + check(&["--purpose", "a", "--purpose", "b"], 0, 403, "purpose_required")
        + check(&["--agent", &agent], 0, 401, "agent_signature_required");
    stall.market.audit(1 + calls as u64);
}

#[test]
fn purposes_are_declared_within_the_certificate() {
    let stall = Stall::open();
    let certificate = stall.market.mint(&stall.channel, &["--purpose", "a", "--purpose", "b"]);
    let check = |purpose: &str, refused: Option<&str>| {
        let request = chat(&question(&stall.model, TOKENS)).bearer(&certificate);
        let answer = request.header("Ambar-Purpose", purpose).send(stall.market.url()).unwrap();
        match refused {
            Some(code) => answer.refused(403, code),
            None => {
                let receipt = answer.header("ambar-receipt").unwrap();
                let path = format!("/api/v1/receipts/{receipt}");
                assert_eq!(stall.market.ask(&certificate, &path).ok()["purpose"], purpose);
            }
        }
    };
    check("a", None);
    check("b", None);
    check("c", Some("purpose_not_allowed"));
    check("surveillance", Some("purpose_not_allowed"));
}

#[test]
fn certificates_that_are_none_here() {
    let stall = Stall::open();
    let (session, network, gateway) = stall.session();
    let channel: u64 = stall.channel.parse().unwrap();
    let stranger = SecretKey::from_seed(&[9; 32]);
    let elsewhere = NetworkId(ambar_base::Digest::of(b"another network"));
    let none = Narrowing::default();
    let mint = |key: &SecretKey, network, channel, gateway: &PublicKey| {
        certificate::mint(key, network, channel, gateway, &none).unwrap()
    };
    let good = mint(&session, network, channel, &gateway);
    stall.ask(&good).ok();
    let check = |certificate: &str, status: u16, code: &str| {
        stall.ask(certificate).refused(status, code);
        let listed = stall.market.ask(certificate, "/v1/models");
        listed.refused(status, code);
    };
    // Signed again by somebody else, without the bounds of the first.
    check(&mint(&stranger, network, channel, &gateway), 401, "certificate_invalid");
    check(&mint(&session, elsewhere, channel, &gateway), 400, "wrong_network");
    check(&mint(&session, network, channel, &stranger.public()), 403, "audience_mismatch");
    check(&mint(&session, network, 4_000_000, &gateway), 404, "channel_unknown");
    check(&cut(&good), 401, "certificate_invalid");
    check(&altered(&good), 401, "certificate_invalid");
    check("sk-1234567890", 401, "certificate_invalid");
    stall.market.audit(1);
}

fn cut(certificate: &str) -> String {
    certificate[..certificate.len() / 2].to_owned()
}

/// With one character of its signatures changed.
fn altered(certificate: &str) -> String {
    let mut text = certificate.to_owned().into_bytes();
    let place = text.len() - 40;
    text[place] = if text[place] == b'A' { b'B' } else { b'A' };
    String::from_utf8(text).unwrap()
}

#[test]
fn another_implementation_narrows() {
    let stall = Stall::open();
    let price = stall.price();
    let whole = stall.market.mint(&stall.channel, &[]);
    let check = |arguments: &[&str], allowed: usize, status: u16, code: &str| {
        let narrowed = narrow_with_python(&whole, arguments);
        for _ in 0..allowed {
            stall.ask(&narrowed).ok();
        }
        stall.ask(&narrowed).refused(status, code);
    };
    check(&["--budget", &(3 * price).to_string()], 3, 402, "budget_exceeded");
    check(&["--calls", "2"], 2, 403, "call_limit_exceeded");
    check(&["--expires", "2026-01-01T00:00:00+00:00"], 0, 401, "certificate_expired");
    check(&["--capsule", &stall.other], 0, 403, "capsule_not_allowed");
    check(&["--purpose", "surveillance"], 0, 403, "purpose_not_allowed");
    stall.market.audit(1 + 3 + 2);
}

fn narrow_with_python(certificate: &str, arguments: &[&str]) -> String {
    let python = std::env::var_os("AMBAR_PYTHON")
        .expect("set AMBAR_PYTHON to a Python interpreter with biscuit-python; ./check does so");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/gateway/tests/narrow_with_python.py");
    let mut command = Command::new(python);
    let command = command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(certificate.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn bounds_hold_when_many_call_at_once() {
    const CALLERS: usize = 32;
    let stall = Stall::open();
    let price = stall.price();
    let whole = stall.market.mint(&stall.channel, &[]);
    let check = |limits: &[&str], allowed: usize, status: u16, code: &str| {
        let narrowed = stall.market.narrow(&whole, limits);
        let answers = at_once(CALLERS, || stall.ask(&narrowed));
        let (ok, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
        assert_eq!(ok.len(), allowed, "{answers:?}");
        refused.iter().for_each(|answer| answer.refused(status, code));
    };
    check(&["--budget", &credits(5 * price)], 5, 402, "budget_exceeded");
    check(&["--calls", "5"], 5, 403, "call_limit_exceeded");
    stall.market.audit(1 + 5 + 5);
}

fn at_once<T: Send>(count: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(&work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn an_empty_channel_refuses_before_any_work() {
    let stall = Stall::open();
    let price = stall.price();
    let fund = credits(3 * price + price / 2);
    let channel = stall.market.license(&stall.model, &fund);
    let certificate = stall.market.mint(&channel, &[]);
    let answers = at_once(12, || stall.ask(&certificate));
    let (ok, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!(ok.len(), 3, "{answers:?}");
    for answer in refused {
        answer.refused(402, "channel_empty");
        assert_eq!(answer.header("ambar-receipt"), None, "{answer:?}");
    }
    stall.market.audit(1 + 3);
    assert_eq!(stall.market.remaining(&channel), price / 2);
    stall.ask(&certificate).refused(402, "channel_empty");
    assert_eq!(stall.market.remaining(&channel), price / 2);
    stall.market.person().json(&["channel", "fund", &channel, &credits(price), "--as", "app"]);
    stall.ask(&certificate).ok();
    stall.market.audit(1 + 4);
}

#[test]
fn a_client_that_leaves_pays_for_what_it_got() {
    /// Long enough that nobody waits for its end.
    const SLOW_TOKENS: u32 = 2_000;
    let market = Market::open();
    let slow = market.model("slow", &format!("null:tokens={SLOW_TOKENS},delay_ms=10"));
    let quick = market.model("quick", &format!("null:tokens={TOKENS}"));
    let channel = market.license(&slow, "5");
    let quick_channel = market.license(&quick, "5");
    let certificate = market.mint(&channel, &[]);
    let mut body = question(&slow, SLOW_TOKENS);
    body["stream"] = true.into();
    let left = leave(&market, &certificate, &body, "left-early");
    let row = market.receipt_of(&certificate, "left-early");
    assert_eq!((text(&row, "id"), text(&row, "outcome")), (left, "partial".into()));
    let path = format!("/api/v1/receipts/{}", text(&row, "id"));
    let receipt = market.ask(&certificate, &path).ok();
    let delivered = receipt["lines"][0]["counters"]["tokens_out"].as_u64().unwrap();
    assert!((1..u64::from(SLOW_TOKENS) / 2).contains(&delivered), "{receipt}");
    market.audit(1);
    let paid = nano(&text(&row, "price"));
    assert_eq!(market.remaining(&channel), 5_000_000_000 - paid);
    // A call that is whole comes back as it was; one that was left is not made again.
    let again = chat(&body).bearer(&certificate).header("Idempotency-Key", "left-early");
    let again = again.send(market.url()).unwrap();
    assert_eq!(again.header("ambar-replayed"), Some("true"), "{again:?}");
    assert_eq!(
        market.call(&market.mint(&quick_channel, &[]), &question(&quick, TOKENS)).status,
        200
    );
    market.audit(2);
}

/// Begins a stream and reads some of it.
fn begin(market: &Market, certificate: &str, body: &Value, key: &str) -> Opened {
    let request: Request = chat(body).bearer(certificate).header("Idempotency-Key", key);
    let mut opened = request.open(market.url()).unwrap();
    assert_eq!(opened.status, 200);
    let mut read = String::new();
    while !read.contains(" w5\"") {
        read += &String::from_utf8(opened.chunk().unwrap()).unwrap();
    }
    opened
}

#[test]
fn a_revoked_block_takes_what_was_narrowed_from_it() {
    let stall = Stall::open();
    let market = &stall.market;
    let root = market.mint(&stall.channel, &[]);
    let [ann, bob] = ["7", "8"].map(|calls| market.narrow(&root, &["--calls", calls]));
    let ann_friend = market.narrow(&ann, &["--calls", "3"]);
    let revoke = |certificate: &str, how: &[&str]| {
        let command = [&["cert", "revoke", "-", "--json"][..], how].concat();
        market.person().run_with(&command, certificate)
    };
    for certificate in [&root, &ann, &ann_friend, &bob] {
        stall.ask(certificate).ok();
    }
    // Whoever holds one may end it; twice is once.
    for _ in 0..2 {
        assert_eq!(revoke(&ann, &[]).json()["revoked"], true);
    }
    for certificate in [&ann, &ann_friend] {
        stall.ask(certificate).refused(403, "certificate_revoked");
        market.ask(certificate, "/v1/models").refused(403, "certificate_revoked");
    }
    stall.ask(&bob).ok();
    stall.ask(&root).ok();
    // Only the payer ends what a certificate was narrowed from.
    revoke(&bob, &["--as", "owner", "--block", "0"]).failed(3, "not_authorised");
    revoke(&bob, &["--as", "app", "--block", "2"]).failed(2, "invalid_request");
    revoke(&altered(&bob), &[]).failed(3, "certificate_invalid");
    stall.ask(&root).ok();
    revoke(&bob, &["--as", "app", "--block", "0"]).json();
    for certificate in [&root, &bob] {
        stall.ask(certificate).refused(403, "certificate_revoked");
    }
    // A certificate that is minted again is another.
    stall.ask(&market.mint(&stall.channel, &["--calls", "1"])).ok();
    market.audit(8);
}

#[test]
fn a_call_under_way_ends_with_what_it_rests_on() {
    /// Half a minute: nobody waits for its end.
    const SLOW_TOKENS: u32 = 3_000;
    let market = Market::open();
    let slow = market.model("slow", &format!("null:tokens={SLOW_TOKENS},delay_ms=10"));
    let mut body = question(&slow, SLOW_TOKENS);
    body["stream"] = true.into();
    let check = |key: &str, code: &str, revoke: &dyn Fn(&str, &str)| {
        let licensed =
            market.person().json(&["license", &slow, "--as", "app", "--fund", "5", "--yes"]);
        let certificate = market.mint(&text(&licensed, "channel"), &[]);
        let opened = begin(&market, &certificate, &body, key);
        revoke(&certificate, &text(&licensed, "grant"));
        let rest = opened.read().unwrap().text;
        assert!(rest.contains(code) && !rest.contains("[DONE]"), "{rest}");
        let row = until("the receipt is listed", || {
            let rows = market.person().json(&["receipt", "list", "--as", "app"]);
            let of_channel = |row: &&Value| row["channel"] == licensed["channel"];
            rows.as_array().unwrap().iter().find(of_channel).cloned()
        });
        assert_eq!(row["outcome"], "partial", "{row}");
        assert!(nano(&text(&row, "price")) > 0, "{row}");
    };
    check("one", "certificate_revoked", &|certificate, _| {
        market.person().run_with(&["cert", "revoke", "-", "--json"], certificate).json();
    });
    check("two", "grant_revoked", &|_, grant| {
        market.person().json(&["grant", "revoke", grant, "--as", "app"]);
    });
    market.audit(2);
}

/// Begins a stream, reads some of it and hangs up; the receipt's id.
fn leave(market: &Market, certificate: &str, body: &Value, key: &str) -> String {
    let opened = begin(market, certificate, body, key);
    let receipt = opened.headers.iter().find(|(name, _)| name == "ambar-receipt");
    receipt.unwrap().1.clone()
}

#[test]
fn a_certificate_sees_its_own_receipts_only() {
    let stall = Stall::open();
    let whole = stall.market.mint(&stall.channel, &[]);
    let [ann, bob] = ["7", "8"].map(|calls| stall.market.narrow(&whole, &["--calls", calls]));
    let answer = stall.ask(&ann);
    let path = format!("/api/v1/receipts/{}", answer.header("ambar-receipt").unwrap());
    let check = |certificate: &str, status: u16| {
        assert_eq!(stall.market.ask(certificate, &path).status, status);
    };
    check(&ann, 200);
    check(&whole, 200);
    check(&bob, 403);
    assert_eq!(Request::get(&path).send(stall.market.url()).unwrap().status, 401);
    let file = stall.market.write("ann.cert", json!({ "cert": ann }).to_string());
    let out = stall.market.files.path().join("receipt");
    let export = ["receipt", "export", answer.header("ambar-receipt").unwrap()];
    let export = [&export[..], &["--cert", &file, "--out", out.to_str().unwrap()]].concat();
    stall.market.audit(1);
    stall.market.person().json(&export);
    assert!(!fs::read(&out).unwrap().is_empty());
    let verified = stall.market.person().json(&["receipt", "verify", out.to_str().unwrap()]);
    assert_eq!(verified["ok"], true, "{verified}");
}

#[test]
fn an_agents_certificate_works_with_its_signature() {
    let stall = Stall::open();
    let market = &stall.market;
    let did = text(&market.person().json(&["key", "new", "bot"]), "did");
    market.person().json(&["key", "new", "thief"]);
    let whole = market.mint(&stall.channel, &[]);
    let bound = market.write("bot.cert", market.narrow(&whole, &["--agent", &did]));
    let call = |how: &[&str]| {
        let call = ["call", &stall.model, "--cert", &bound, "Hello", "--json"];
        market.person().run(&[&call[..], how].concat())
    };
    call(&[]).failed(3, "agent_signature_required");
    call(&["--agent", "thief"]).failed(3, "agent_signature_required");
    call(&["--agent", "bot", "--price-max", "0.000000001"]).failed(3, "price_above_limit");
    let answer = call(&["--agent", "bot", "--price-max", "1"]).json();
    assert!(text(&answer, "text").starts_with("w0 w1"), "{answer}");
    // Streams are signed alike.
    let streamed =
        market.person().run(&["call", &stall.model, "--cert", &bound, "Hello", "--agent", "bot"]);
    assert!(streamed.code == 0 && streamed.out.starts_with("w0 w1"), "{streamed:?}");
    market.audit(2);
}

/// The signature that a call carried, with the certificate, in a thief's hands.
#[test]
fn a_stolen_signature_repeats_one_answer() {
    let stall = Stall::open();
    let market = &stall.market;
    let agent = SecretKey::from_seed(&[9; 32]);
    let whole = market.mint(&stall.channel, &[]);
    let bound = market.narrow(&whole, &["--agent", &agent.public().did()]);
    let described = certificate::inspect(&bound).unwrap();
    let path = "/v1/chat/completions";
    let body = question(&stall.model, TOKENS).to_string();
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let authorisation = Authorisation {
        network: described.authority.network,
        channel: described.authority.channel,
        holder: described.holder,
        request: fingerprint(path, body.as_bytes()),
        key: "one".into(),
        purpose: None,
        price_max: None,
        time: Moment(time.try_into().unwrap()),
        salt: None,
    };
    let signature = hex::encode(authorisation.sign(&agent).0);
    let send = |body: &str, key: &str, time: u64| {
        let request = Request::post(path, body.as_bytes().to_vec()).bearer(&bound);
        let request = request.header("Content-Type", "application/json");
        let request = request.header("Idempotency-Key", key);
        let request = request.header("Ambar-Agent", &agent.public().did());
        let request = request.header("Ambar-Agent-Time", &time.to_string());
        request.header("Ambar-Agent-Signature", &signature).send(market.url()).unwrap()
    };
    let time = authorisation.time.0;
    send(&body, "one", time).ok();
    let again = send(&body, "one", time);
    assert_eq!(again.header("ambar-replayed"), Some("true"), "{again:?}");
    send(&body, "two", time).refused(401, "signature_invalid");
    send(&body, "two", time + 1).refused(401, "signature_invalid");
    let other = question(&stall.model, TOKENS + 1).to_string();
    assert!(send(&other, "one", time).status >= 400);
    market.audit(1);
}
