//! Prints certificates with what they answer: `crates/licence/samples/certificates.json`.
//!
//! Biscuit draws a key for each block, so every run prints other certificates; the answers stay.

use ambar_base::{Cid, Digest, Moment, NetworkId, Price, PublicKey, SecretKey};
use ambar_gateway::certificate::{mint, narrow};
use ambar_licence::Narrowing;
use serde_json::{Value, json};

const CHANNEL: u64 = 7;
const NOW: u64 = 1_800_000_000_000;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn network() -> NetworkId {
    NetworkId(Digest::of(b"network"))
}

fn capsule(name: &str) -> Cid {
    Cid::of(name.as_bytes())
}

/// A chain of blocks, rooted in a session key.
fn chain(session: u8, blocks: &[Narrowing]) -> String {
    let [first, rest @ ..] = blocks else { panic!("a certificate has a block") };
    let minted = mint(&key(session), network(), CHANNEL, &key(2).public(), first);
    let narrowed = |certificate: String, block| narrow(&certificate, block).expect("it narrows");
    rest.iter().fold(minted.expect("it is minted"), narrowed)
}

fn none() -> Narrowing {
    Narrowing::default()
}

fn budget(nano: u64) -> Narrowing {
    Narrowing { budget: Some(Price(nano)), ..none() }
}

fn calls(calls: u64) -> Narrowing {
    Narrowing { calls: Some(calls), ..none() }
}

fn expires(ms: u64) -> Narrowing {
    Narrowing { expires: Some(Moment(ms)), ..none() }
}

fn purposes(words: &[&str]) -> Narrowing {
    let words = words.iter().map(|word| word.parse().expect("a purpose")).collect();
    Narrowing { purposes: Some(words), ..none() }
}

fn capsules(names: &[&str]) -> Narrowing {
    Narrowing { capsules: Some(names.iter().map(|name| capsule(name)).collect()), ..none() }
}

fn agent(agent: PublicKey) -> Narrowing {
    Narrowing { agent: Some(agent), ..none() }
}

/// What is asked: a price, how many calls were made before, and who signed.
fn request(change: &Value) -> Value {
    let mut request = json!({
        "time_ms": NOW, "price_nano": 100, "calls_before": 0, "purpose": "research",
        "capsule": capsule("a").to_string(), "agent": null,
    });
    for (name, value) in change.as_object().expect("an object") {
        request[name] = value.clone();
    }
    request
}

/// A name, the root's key, the blocks, what the request changes, and the answer.
type Row = (&'static str, u8, Vec<Narrowing>, Value, &'static str);

/// Money and calls.
fn counted() -> Vec<Row> {
    vec![
        ("one block takes nothing away", 1, vec![none()], json!({}), "allow"),
        ("rooted in another key", 9, vec![none()], json!({}), "certificate_invalid"),
        ("a budget that holds the call", 1, vec![budget(100)], json!({}), "allow"),
        ("a budget that is one short", 1, vec![budget(99)], json!({}), "budget_exceeded"),
        (
            "a child's budget above its parent's",
            1,
            vec![budget(99), budget(1_000)],
            json!({}),
            "budget_exceeded",
        ),
        (
            "a child's budget below its parent's",
            1,
            vec![budget(1_000), budget(99)],
            json!({}),
            "budget_exceeded",
        ),
        ("the last call of two", 1, vec![calls(2)], json!({ "calls_before": 1 }), "allow"),
        (
            "a third call of two",
            1,
            vec![calls(2)],
            json!({ "calls_before": 2 }),
            "call_limit_exceeded",
        ),
        ("no calls at all", 1, vec![none(), calls(0)], json!({}), "call_limit_exceeded"),
    ]
}

/// Time.
fn timed() -> Vec<Row> {
    vec![
        ("the last moment", 1, vec![expires(NOW)], json!({}), "allow"),
        (
            "a second too late",
            1,
            vec![expires(NOW)],
            json!({ "time_ms": NOW + 1_000 }),
            "certificate_expired",
        ),
        (
            "a child that lives longer",
            1,
            vec![expires(NOW - 1_000), expires(NOW)],
            json!({}),
            "certificate_expired",
        ),
    ]
}

/// Purposes and capsules.
fn named() -> Vec<Row> {
    vec![
        ("one of two purposes", 1, vec![purposes(&["research", "teaching"])], json!({}), "allow"),
        ("another purpose", 1, vec![purposes(&["teaching"])], json!({}), "purpose_not_allowed"),
        (
            "purposes without a common one",
            1,
            vec![purposes(&["research"]), purposes(&["teaching"])],
            json!({}),
            "purpose_not_allowed",
        ),
        ("one of two capsules", 1, vec![capsules(&["a", "b"])], json!({}), "allow"),
        ("another capsule", 1, vec![capsules(&["b"])], json!({}), "capsule_not_allowed"),
        (
            "a child adds no capsule",
            1,
            vec![capsules(&["b"]), capsules(&["a", "b"])],
            json!({}),
            "capsule_not_allowed",
        ),
    ]
}

/// Agents, depth, and everything together.
fn signed() -> Vec<Row> {
    let deep = |last: Narrowing| [vec![none(); 8], vec![last]].concat();
    let signer = key(3).public();
    let with = |a: Narrowing, b: Narrowing| a.meet(b).expect("both hold");
    vec![
        (
            "the agent has signed",
            1,
            vec![none(), agent(signer)],
            json!({ "agent": signer.did() }),
            "allow",
        ),
        (
            "nobody has signed",
            1,
            vec![none(), agent(signer)],
            json!({}),
            "agent_signature_required",
        ),
        (
            "another agent has signed",
            1,
            vec![agent(signer)],
            json!({ "agent": key(4).public().did() }),
            "agent_signature_required",
        ),
        ("nine blocks", 1, deep(budget(100)), json!({}), "allow"),
        ("nine blocks, the last one short", 1, deep(budget(99)), json!({}), "budget_exceeded"),
        (
            "all at once",
            1,
            vec![with(with(budget(100), calls(1)), with(expires(NOW), purposes(&["research"])))],
            json!({}),
            "allow",
        ),
    ]
}

fn main() {
    let rows = [counted(), timed(), named(), signed()].concat();
    let row = |(name, session, blocks, change, expect): Row| {
        json!({
            "name": name, "certificate": chain(session, &blocks), "request": request(&change),
            "expect": expect,
        })
    };
    let samples = json!({
        "session_key": hex::encode(key(1).public().0),
        "gateway": hex::encode(key(2).public().0),
        "network": network().to_string(),
        "channel": CHANNEL,
        "rows": rows.into_iter().map(row).collect::<Vec<_>>(),
    });
    println!("{}", serde_json::to_string_pretty(&samples).expect("JSON of JSON"));
}
