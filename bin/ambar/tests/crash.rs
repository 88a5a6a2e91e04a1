//! A node that is killed again and again: no answer is lost, none is paid twice, and the
//! books agree in the end. Clients do what the documentation tells them: each call has an
//! idempotency key, and a call without an answer is made again with the same key.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
mod support;

use ambar_base::{Checkpoint, Committee, NetworkId, PublicKey};
use common::text;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::http::Request;
use support::market::{Market, credits, nano, until};

/// How often the node is killed.
const KILLS: usize = 20;
/// Longest life of the node after it is ready, milliseconds.
const LIFE_MS_MAX: u64 = 250;
/// Clients at the same time; each second one streams.
const CLIENTS: usize = 4;
/// Tokens of each answer.
const TOKENS: u32 = 10;
/// Which lives the node leads; by default others each time.
const SEED_VARIABLE: &str = "AMBAR_CRASH_SEED";
/// Between two tries of a client whose node is gone.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// A call's answer as its client has it.
#[derive(Debug)]
struct Received {
    key: String,
    receipt: String,
    text: String,
}

/// Where clients find the node, and whether they go on.
struct Address {
    url: RwLock<String>,
    over: AtomicBool,
}

/// One client.
struct Client<'a> {
    address: &'a Address,
    certificate: &'a str,
    model: &'a str,
    number: usize,
}

impl Client<'_> {
    fn streams(&self) -> bool {
        self.number % 2 == 1
    }

    /// Makes call after call until told to stop; the last one is finished too.
    fn work(&self) -> Vec<Received> {
        let mut received = Vec::new();
        while !self.address.over.load(Ordering::Acquire) {
            let key = format!("client-{}-call-{}", self.number, received.len());
            received.push(self.insist(&key));
        }
        received
    }

    /// Makes a call until it is answered.
    fn insist(&self, key: &str) -> Received {
        let request = self.request(key);
        until("the answer is there", || {
            let url = self.address.url.read().unwrap().clone();
            let found = self.attempt(&request, &url);
            if found.is_none() {
                thread::sleep(RETRY_PAUSE);
            }
            found.map(|(receipt, text)| Received { key: key.to_owned(), receipt, text })
        })
    }

    fn request(&self, key: &str) -> Request {
        let message = json!({ "role": "user", "content": key });
        let body = json!({
            "model": self.model, "messages": [message], "max_tokens": TOKENS,
            "stream": self.streams(),
        });
        let request = Request::post("/v1/chat/completions", body.to_string());
        request.bearer(self.certificate).header("Idempotency-Key", key)
    }

    /// Receipt and text; nothing if the answer did not come whole, or not now.
    fn attempt(&self, request: &Request, url: &str) -> Option<(String, String)> {
        let answer = request.send(url).ok()?;
        if answer.status != 200 {
            let later = matches!(answer.status, 429 | 503);
            assert!(later, "a call may be refused for a while, not for ever: {answer:?}");
            return None;
        }
        if self.streams() {
            return streamed(&answer.text);
        }
        let message = &answer.json()["choices"][0]["message"];
        Some((answer.header("ambar-receipt")?.to_owned(), text(message, "content")))
    }
}

/// Receipt and text of a stream that says that it is over.
fn streamed(events: &str) -> Option<(String, String)> {
    events.contains("data: [DONE]").then_some(())?;
    let receipt = events.lines().find_map(|line| line.strip_prefix(": ambar-receipt "))?;
    let mut whole = String::new();
    for line in events.lines().filter_map(|line| line.strip_prefix("data: {")) {
        let event: Value = serde_json::from_str(&format!("{{{line}")).unwrap();
        whole += event["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
    }
    Some((receipt.to_owned(), whole))
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn seed() -> u64 {
    let drawn = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var(SEED_VARIABLE).map_or_else(|_| drawn(), |text| text.parse().unwrap());
    println!("{SEED_VARIABLE}={seed}");
    seed
}

#[test]
fn a_node_that_is_killed_loses_and_repeats_nothing() {
    let mut chance = Chance(seed());
    let mut market = Market::open();
    let model = market.model("model", &format!("null:tokens={TOKENS},delay_ms=3"));
    let channel = market.license(&model, "50");
    let certificate = market.mint(&channel, &[]);
    let address =
        Address { url: RwLock::new(market.url().to_owned()), over: AtomicBool::new(false) };
    let received: Vec<Received> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (address, certificate, model) = (&address, &certificate, &model);
                scope.spawn(move || Client { address, certificate, model, number }.work())
            })
            .collect();
        for _ in 0..KILLS {
            // The moment of the fault: nothing waits for it.
            thread::sleep(Duration::from_millis(chance.below(LIFE_MS_MAX)));
            market.kill();
            market.start();
            market.url().clone_into(&mut address.url.write().unwrap());
        }
        address.over.store(true, Ordering::Release);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    println!("{} calls over {KILLS} kills", received.len());
    assert!(received.len() > CLIENTS, "clients came through between the kills");
    let books = Books { market: &market, channel, certificate };
    books.agree_with(&received);
}

/// What the node says after all of it.
struct Books<'a> {
    market: &'a Market,
    channel: String,
    certificate: String,
}

impl Books<'_> {
    fn agree_with(&self, received: &[Received]) {
        let whole: Vec<_> = (0..TOKENS).map(|word| format!("w{word}")).collect();
        let whole = whole.join(" ");
        let audit = self.market.audit(received.len() as u64);
        let mut spent = 0;
        for Received { key, receipt, text: answer } in received {
            assert_eq!(*answer, whole, "the answer to {key}");
            let row = self.market.receipt_of(&self.certificate, key);
            assert_eq!(text(&row, "id"), *receipt, "the receipt of {key}");
            assert_eq!(row["outcome"], "full", "{row}");
            spent += nano(&text(&row, "price"));
        }
        assert_eq!(nano(&text(&audit, "debits")), spent, "{audit}");
        assert_eq!(self.market.remaining(&self.channel), 50_000_000_000 - spent);
        println!("{} credits for {} calls", credits(spent), received.len());
        self.fill_their_channel(received);
        self.verify_elsewhere(received);
    }

    /// Each receipt verifies with nothing but the network's key.
    fn verify_elsewhere(&self, received: &[Received]) {
        let status = self.market.person().json(&["status"]);
        let key = PublicKey::from_did(&text(&status, "network_key")).unwrap();
        let trusted = Checkpoint {
            network: NetworkId(text(&status, "network").parse().unwrap()),
            committee: Committee::new(0, vec![key]).unwrap(),
        };
        for Received { receipt, .. } in received {
            let path = format!("/api/v1/receipts/{receipt}/proof");
            let request = Request::get(path).bearer(&self.certificate);
            let mut proof = request.open(self.market.url()).unwrap();
            assert_eq!(proof.status, 200, "the proof of {receipt}");
            let report = ambar_receipt::verify(&proof.bytes().unwrap(), Some(&trusted));
            assert!(report.ok, "{receipt}: {report:?}");
        }
    }

    /// Each sequence number is a charged call or a void leaf, and none is missing.
    fn fill_their_channel(&self, received: &[Received]) {
        let paid: BTreeSet<&str> = received.iter().map(|one| one.receipt.as_str()).collect();
        assert_eq!(paid.len(), received.len(), "two keys, two receipts");
        let numbers = until("every number is settled", || {
            let numbers = self.numbers();
            let last = *numbers.keys().last()?;
            (numbers.len() as u64 == last + 1).then_some(numbers)
        });
        println!("{} calls were cut off and are void", numbers.len() - received.len());
        for (n, outcome) in &numbers {
            let expect = if paid.contains(format!("{}-{n}", self.channel).as_str()) {
                "full"
            } else {
                "void"
            };
            assert_eq!(outcome, expect, "number {n} of the channel");
        }
    }

    /// Outcomes by sequence number.
    fn numbers(&self) -> BTreeMap<u64, String> {
        let blocks = settled_leaves(self.market, &self.channel);
        blocks.into_iter().collect()
    }
}

/// Number and outcome of each leaf of a channel on the ledger.
fn settled_leaves(market: &Market, channel: &str) -> Vec<(u64, String)> {
    let list = ["receipt", "list", "--as", "app", "--channel", channel, "--limit", "1000"];
    let rows = market.person().json(&list);
    let leaf = |row: &Value| {
        let id = text(row, "id");
        (id.split_once('-').unwrap().1.parse().unwrap(), text(row, "outcome"))
    };
    rows.as_array().unwrap().iter().map(leaf).collect()
}
