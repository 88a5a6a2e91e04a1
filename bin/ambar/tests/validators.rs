//! Validators as people see them: listed, registered, ranked, retired.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(dead_code, reason = "each test file uses its own part")]
mod common;
#[path = "common/node.rs"]
mod node;

use common::{Person, text};
use node::Node;
use serde_json::Value;

/// The row of a validator that is found by a member.
fn row<'a>(listed: &'a Value, member: &str, value: &str) -> &'a Value {
    let rows = listed["validators"].as_array().unwrap();
    let found = rows.iter().find(|row| row[member] == value);
    found.unwrap_or_else(|| panic!("no {member} {value}: {listed}"))
}

#[test]
fn a_validator_is_registered_ranked_and_retired() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A home gets its keys when its node starts.
    drop(Node::start(second.path()));
    let node = Node::start(first.path());
    let council = Person::new(first.path(), node.url());
    let newcomer = Person::new(second.path(), node.url());

    let listed = council.json(&["network", "validators"]);
    assert_eq!((&listed["epoch"], &listed["next"]), (&Value::from(0), &Value::Null));
    let old = text(row(&listed, "status", "seated"), "did");
    assert_eq!(row(&listed, "did", &old)["rank"], 1);

    newcomer.json(&["key", "new", "me"]);
    newcomer.json(&["account", "fund", "60", "--as", "me"]);
    newcomer.run(&["network", "withdraw", "--as", "me"]).failed(4, "not_found");
    let made = newcomer.json(&["network", "register", "--as", "me"]);
    assert_eq!(made["results"][0]["kind"], "validator", "{made}");
    newcomer.run(&["network", "register", "--as", "me"]).failed(3, "seat_taken");
    let listed = newcomer.json(&["network", "validators"]);
    let candidate = row(&listed, "status", "candidate");
    assert_eq!((&candidate["seated"], &candidate["rank"]), (&Value::from(false), &Value::Null));
    assert_eq!(candidate["bond"], row(&listed, "did", &old)["bond"]);
    let new = text(candidate, "did");

    newcomer.run(&["network", "rank", &new, "--as", "me"]).failed(3, "not_authorised");
    council.run(&["network", "rank", "somebody"]).failed(2, "invalid_request");
    council.json(&["network", "rank", &new, &old]);
    let listed = council.json(&["network", "validators"]);
    let ranks = [&new, &old].map(|did| row(&listed, "did", did)["rank"].clone());
    assert_eq!(ranks, [1, 2].map(Value::from));

    newcomer.json(&["network", "retire", "--as", "me"]);
    newcomer.run(&["network", "withdraw", "--as", "me"]).failed(3, "bond_locked");
    let shown = newcomer.run(&["network", "validators"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains(&new) && shown.out.contains("left in block"), "{shown:?}");
    let statement = newcomer.json(&["account", "statement", "--as", "me"]);
    let rows = statement["rows"].as_array().unwrap();
    let bond = rows.iter().find(|row| row["kind"] == "bond").unwrap();
    assert_eq!(bond["direction"], "out");
}
