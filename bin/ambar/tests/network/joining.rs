//! A node joins a network whose only validator makes all blocks: it follows, is registered, and
//! serves calls that come in at the validator's gateway.

use super::cluster::{Cluster, height, status};
use super::common::{Person, text};
use super::support::market::until;
use super::{TERMS, funded, settled_everywhere};
use serde_json::Value;

/// The validator, which has no engine.
const GATEWAY: usize = 0;

fn node(cluster: &Cluster, at: usize) -> Value {
    status(cluster.url(at)).unwrap()["node"].clone()
}

#[test]
fn a_node_joins_a_network_of_one_validator_and_serves() {
    let mut cluster = Cluster::start(1);
    let joined = cluster.join();
    // Somebody else's node opens the account that pays the bond.
    let operator = Person::new(&cluster.home(joined), cluster.url(GATEWAY));
    operator.json(&["account", "fund", "100", "--as", "operator"]);
    cluster.start_again(&[joined]);

    // It is another node than the validator, and has its blocks.
    let (first, second) = (node(&cluster, GATEWAY), node(&cluster, joined));
    assert!(second["number"].is_string() && second["number"] != first["number"], "{second}");
    let stands = height(cluster.url(GATEWAY)).unwrap();
    until("it follows", || (height(cluster.url(joined))? > stands).then_some(()));
    cluster.agree();
    cluster.wait_until_sound();

    let mut owner = operator;
    owner.json(&["key", "new", "owner"]);
    owner.json(&["account", "fund", "100", "--as", "owner"]);
    cluster.agree();
    cluster.url(joined).clone_into(&mut owner.node);
    let (card, terms) = (cluster.write("card.md", "M"), cluster.write("t.toml", TERMS));
    let publish = ["publish", &card, "--kind", "model", "--name", "M", "--terms", &terms];
    let how = ["--engine", "null:tokens=4", "--as", "owner"];
    let model = text(&owner.json(&[&publish[..], &how].concat()), "id");
    cluster.agree();

    let app = funded(&cluster, "app", GATEWAY);
    let license = ["license", &model, "--gateway", &text(&first, "did"), "--fund", "5", "--yes"];
    let channel = text(&app.json(&license), "channel");
    let certificate = text(&app.json(&["cert", "mint", "--channel", &channel]), "cert");
    let certificate = cluster.write("app.cert", certificate);
    let called = app.json(&["call", &model, "--cert", &certificate, "Hello"]);
    assert_eq!(called["text"], "w0 w1 w2 w3", "{called}");
    settled_everywhere(&cluster);
    let receipt = app.json(&["receipt", "show", &text(&called, "receipt"), "--cert", &certificate]);
    assert_eq!(text(&receipt["lines"][0], "node"), text(&second, "number"), "{receipt:#}");
}
