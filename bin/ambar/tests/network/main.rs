//! A network of four validators, each a process of its own: one order whoever was asked, one
//! may be lost, two stop it, and it goes on when they are back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod files;
mod hedge;
mod joining;
mod namespaces;
#[path = "../common/node.rs"]
mod node;
mod race;
mod routing;
mod sealed;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "../support/mod.rs"]
mod support;

use cluster::{Cluster, digest, height, status};
use common::{Person, text};
use serde_json::Value;

const TERMS: &str = "terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"0.001\"\n";

/// An account with credits from the faucet of the node that its home talks to.
fn funded(cluster: &Cluster, name: &str, node: usize) -> Person {
    let person = Person::new(&cluster.path(name), cluster.url(node));
    person.json(&["key", "new", name]);
    let funded = person.json(&["account", "fund", "100", "--as", name]);
    assert_eq!(funded["opened"], true, "{funded}");
    person
}

/// Publishes a model at node 0, whose engine answers with numbered words; its id.
fn publish(cluster: &Cluster) -> String {
    let owner = Person::new(&cluster.home(0), cluster.url(0));
    owner.json(&["key", "new", "owner"]);
    owner.json(&["account", "fund", "100", "--as", "owner"]);
    let (card, terms) = (cluster.write("card.md", "A model."), cluster.write("t.toml", TERMS));
    let publish = ["publish", &card, "--kind", "model", "--name", "M", "--terms", &terms];
    let how = ["--engine", "null:tokens=4", "--as", "owner"];
    text(&owner.json(&[&publish[..], &how].concat()), "id")
}

/// Accepts the terms through node 1, and calls at the gateway of node 0; the receipt.
fn call(cluster: &Cluster, app: &mut Person, model: &str) -> String {
    let gateway = text(&status(cluster.url(0)).unwrap()["node"], "did");
    let license = ["license", model, "--gateway", &gateway, "--fund", "5", "--yes"];
    let channel = text(&app.json(&license), "channel");
    let certificate = text(&app.json(&["cert", "mint", "--channel", &channel]), "cert");
    let certificate = cluster.write("app.cert", certificate);
    cluster.url(0).clone_into(&mut app.node);
    let called = app.json(&["call", model, "--cert", &certificate, "Hello"]);
    assert_eq!(called["text"], "w0 w1 w2 w3");
    text(&called, "receipt")
}

/// Every node has settled the receipt's call with the same charge, and the books of each agree.
fn settled_everywhere(cluster: &Cluster) {
    for url in cluster.urls() {
        let person = Person::new(&cluster.path("auditor"), &url);
        let audit: Value = support::market::until("the call is settled", || {
            let audit = person.json(&["audit"]);
            (audit["calls"] == 1).then_some(audit)
        });
        assert_eq!((&audit["ok"], &audit["debits"]), (&true.into(), &audit["credits"]), "{audit}");
    }
}

#[test]
fn four_validators_agree_lose_one_stall_without_two_and_heal() {
    let mut cluster = Cluster::start(4);
    let model = publish(&cluster);
    let mut app = funded(&cluster, "app", 1);
    let receipt = call(&cluster, &mut app, &model);
    assert!(receipt.contains('-'), "{receipt}");
    settled_everywhere(&cluster);
    cluster.agree();

    // One is killed: the rest go on, and it catches up.
    cluster.kill(3);
    funded(&cluster, "later", 2);
    cluster.agree();
    cluster.start_again(&[3]);
    cluster.agree();

    // Two are gone: nothing is final, and the others say so.
    cluster.kill(0);
    cluster.kill(1);
    for node in [2, 3] {
        cluster.wait_for_problem(node, "consensus stalled: 2 of 4 validators heard, 3 needed");
    }
    let stands = height(cluster.url(2)).unwrap();
    let age = |status: Value| status["age_ms"].as_u64().unwrap();
    let before = age(status(cluster.url(2)).unwrap());
    support::market::until("a while passes", || {
        let now = age(status(cluster.url(2)).unwrap());
        (now >= before + 1_000).then_some(())
    });
    assert_eq!(height(cluster.url(2)), Some(stands), "no block without a quorum");
    cluster.start_again(&[0, 1]);
    cluster.wait_until_sound();
    funded(&cluster, "healed", 0);
    cluster.agree();
}

#[test]
fn a_digest_is_of_a_block() {
    let cluster = Cluster::start(1);
    let one = digest(cluster.url(0), 1);
    assert_eq!(one.len(), 64, "{one}");
    assert_ne!(one, digest(cluster.url(0), 0));
}
