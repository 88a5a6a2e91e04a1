//! A model that two nodes serve is called through the gateway of a third, which has no engine:
//! whoever serves is paid, one that is away is not waited for, and the receipt says why.

use super::cluster::{Cluster, status};
use super::common::{Person, text};
use super::support::market::until;
use super::{TERMS, funded};
use serde_json::Value;
use std::fs;

/// The nodes that serve; the first is the owner's own.
const SERVERS: [usize; 2] = [1, 2];
const NULL: &str = "null:tokens=4";
/// The node that the channel is open to.
const GATEWAY: usize = 0;

pub struct Grid {
    pub cluster: Cluster,
    app: Person,
    model: String,
    certificate: String,
    /// The numbers of the serving nodes on the ledger.
    pub numbers: Vec<String>,
}

fn node(cluster: &Cluster, at: usize, member: &str) -> String {
    let status = status(cluster.url(at)).unwrap();
    let said = &status["node"][member];
    said.as_str().map_or_else(|| said.to_string(), str::to_owned)
}

impl Grid {
    fn open() -> Self {
        Self::open_with([NULL, NULL], "")
    }

    /// Two nodes serve with these engines; the gateway has this in its configuration besides.
    pub fn open_with(engines: [&str; 2], gateway: &str) -> Self {
        let cluster = Cluster::start_configured(4, GATEWAY, gateway);
        let owner = Person::new(&cluster.home(SERVERS[0]), cluster.url(SERVERS[0]));
        owner.json(&["key", "new", "owner"]);
        owner.json(&["account", "fund", "100", "--as", "owner"]);
        let (card, terms) = (cluster.write("card.md", "M"), cluster.write("t.toml", TERMS));
        let publish = ["publish", &card, "--kind", "model", "--name", "M", "--terms", &terms];
        let how = ["--engine", engines[0], "--as", "owner"];
        let model = text(&owner.json(&[&publish[..], &how].concat()), "id");
        let second = node(&cluster, SERVERS[1], "did");
        owner.json(&["capsule", "allow", &model, &second, "--as", "owner"]);
        cluster.agree();
        let operator = Person::new(&cluster.home(SERVERS[1]), cluster.url(SERVERS[1]));
        operator.json(&["capsule", "serve", &model, "--engine", engines[1]]);
        let app = funded(&cluster, "app", GATEWAY);
        let gateway = node(&cluster, GATEWAY, "did");
        let license = ["license", &model, "--gateway", &gateway, "--fund", "5", "--yes"];
        let channel = text(&app.json(&license), "channel");
        let certificate = text(&app.json(&["cert", "mint", "--channel", &channel]), "cert");
        let certificate = cluster.write("app.cert", certificate);
        cluster.agree();
        let numbers = SERVERS.map(|at| node(&cluster, at, "number")).to_vec();
        Self { cluster, app, model, certificate, numbers }
    }

    /// One call; its receipt.
    pub fn call(&self) -> Value {
        let call = ["call", &self.model, "--cert", &self.certificate, "Hello"];
        let called = self.app.json(&call);
        assert_eq!(called["text"], "w0 w1 w2 w3", "{called}");
        self.receipt(&text(&called, "receipt"))
    }

    fn receipt(&self, id: &str) -> Value {
        self.app.json(&["receipt", "show", id, "--cert", &self.certificate])
    }

    /// The receipt of a call, once it has settled.
    pub fn settled(&self, receipt: &Value) -> Value {
        until("the call is settled", || {
            let receipt = self.receipt(&text(receipt, "id"));
            receipt["settled"].is_u64().then_some(receipt)
        })
    }
}

/// Which node served, and what became of the candidates.
pub fn served(receipt: &Value) -> (String, Vec<(String, String)>) {
    let candidates = receipt["routing"][0]["candidates"].as_array().cloned().unwrap_or_default();
    let verdict = |one: &Value| (text(one, "node"), text(one, "verdict"));
    (text(&receipt["lines"][0], "node"), candidates.iter().map(verdict).collect())
}

#[test]
fn a_gateway_without_an_engine_calls_those_who_have_one() {
    let mut grid = Grid::open();
    let receipt = grid.call();
    let (first, candidates) = served(&receipt);
    assert!(grid.numbers.contains(&first), "{receipt:#}");
    assert_eq!(candidates.len(), 2, "{receipt:#}");
    assert_eq!(candidates[0], (first.clone(), "served".to_owned()));
    assert_eq!(candidates[1].1, "spare");
    let paid = grid.settled(&receipt);
    let roles: Vec<String> =
        paid["payments"].as_array().unwrap().iter().map(|paid| text(paid, "role")).collect();
    assert!(roles.contains(&"node".to_owned()), "{paid:#}");

    // It verifies anywhere, with the signature of the node that served.
    let file = grid.cluster.path("receipt.cbor");
    let file = file.to_str().unwrap();
    let id = text(&receipt, "id");
    let certificate = grid.certificate.clone();
    grid.app.json(&["receipt", "export", &id, "--out", file, "--cert", &certificate]);
    let verified = grid.app.json(&["receipt", "verify", file]);
    assert_eq!(verified["ok"], true, "{verified:#}");

    // The one that served is gone: the other is asked, before anything of an answer has come.
    let gone = grid.numbers.iter().position(|number| *number == first).unwrap();
    let other = grid.numbers[1 - gone].clone();
    grid.cluster.kill(SERVERS[gone]);
    let receipt = grid.call();
    let (second, candidates) = served(&receipt);
    assert_eq!(second, other, "{receipt:#}");
    assert!(candidates.contains(&(first.clone(), "failed".to_owned())), "{receipt:#}");
    grid.settled(&receipt);

    // It is not asked again soon, and the books agree everywhere in the end.
    let (node, candidates) = served(&grid.call());
    assert_eq!((node, &candidates[0].0), (other.clone(), &other));
    grid.cluster.start_again(&[SERVERS[gone]]);
    grid.cluster.wait_until_sound();
    for url in grid.cluster.urls() {
        let person = Person::new(&grid.cluster.path("auditor"), &url);
        until("the books agree", || {
            let audit = person.json(&["audit"]);
            (audit["ok"] == true && audit["debits"] == audit["credits"]).then_some(())
        });
    }
}

#[test]
fn a_node_that_is_away_delays_only_what_it_served() {
    let mut grid = Grid::open();
    // Whoever serves the next calls is killed before it can sign for the last of them.
    let (server, _) = served(&grid.call());
    let at = grid.numbers.iter().position(|number| *number == server).unwrap();
    let last = grid.call();
    grid.cluster.kill(SERVERS[at]);
    let (by, _) = served(&last);
    let (next, _) = served(&grid.call());
    assert_ne!(next, server, "somebody else serves");
    grid.cluster.start_again(&[SERVERS[at]]);
    grid.cluster.wait_until_sound();
    let settled = grid.settled(&last);
    assert_eq!(text(&settled["lines"][0], "node"), by);
    assert_eq!(settled["outcome"], "full", "{settled:#}");
}

#[test]
fn records_are_searched_where_they_are() {
    let cluster = Cluster::start(4);
    let owner = Person::new(&cluster.home(1), cluster.url(1));
    owner.json(&["key", "new", "owner"]);
    owner.json(&["account", "fund", "100", "--as", "owner"]);
    let records = cluster.path("records");
    fs::create_dir(&records).unwrap();
    let said = "The lighthouse keeper counted forty seven ships before the storm began.";
    fs::write(records.join("log.txt"), said).unwrap();
    fs::write(records.join("other.txt"), "Nothing here is about the sea at all.").unwrap();
    let (records, terms) = (records.to_str().unwrap(), cluster.write("t.toml", TERMS));
    let publish = ["publish", records, "--kind", "dataset", "--name", "Log", "--terms", &terms];
    let dataset = text(&owner.json(&[&publish[..], &["--as", "owner"]].concat()), "id");
    cluster.agree();
    let app = funded(&cluster, "app", GATEWAY);
    let gateway = node(&cluster, GATEWAY, "did");
    let license = ["license", &dataset, "--gateway", &gateway, "--fund", "5", "--yes"];
    let channel = text(&app.json(&license), "channel");
    let certificate = text(&app.json(&["cert", "mint", "--channel", &channel]), "cert");
    let certificate = cluster.write("app.cert", certificate);
    let question = "How many ships did the lighthouse keeper count?";
    let called = app.json(&["call", &dataset, "--cert", &certificate, question]);
    assert!(text(&called, "text").contains(said), "{called}");
    let receipt = until("the call is settled", || {
        let show = ["receipt", "show", &text(&called, "receipt"), "--cert", &certificate];
        let receipt = app.json(&show);
        receipt["settled"].is_u64().then_some(receipt)
    });
    assert_eq!(text(&receipt["lines"][0], "node"), node(&cluster, 1, "number"), "{receipt:#}");
    let bytes = receipt["lines"][0]["counters"]["retrieved_bytes"].as_u64();
    assert!(bytes >= Some(said.len() as u64), "{receipt:#}");
    // What was found, and what the answer quotes, is paid for by evidence of that node.
    let paid = receipt["payments"].as_array().unwrap();
    let methods: Vec<&str> = paid.iter().filter_map(|paid| paid["method"].as_str()).collect();
    let all = methods.join(" ");
    assert!(all.contains("retrieval") && all.contains("verbatim"), "{receipt:#}");
}
