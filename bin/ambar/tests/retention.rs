//! A node that keeps few blocks: what it forgets is still proved, and what it cannot do any more
//! it says.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "support/mod.rs"]
mod support;

use ambar_ledger::Genesis;
use ambar_node::config::{Config, NetworkConfig, Retention};
use ambar_node::home::{HomeKeys, found};
use common::{NOBODY, Person, text};
use node::Node;
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::http::Request;
use support::market::until;

/// Blocks within which a batch may settle here.
const WINDOW: u64 = 100;
/// Blocks that are kept: the fewest that may be.
const KEPT: u64 = WINDOW + 128;
const TERMS: &str = "terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"0.001\"\n";

/// A home on a network of its own, with a short window and fast blocks.
fn home(directory: &Path) -> PathBuf {
    let (home, keys) = (directory.join("home"), HomeKeys::random(false).unwrap());
    let mut genesis = Genesis::development(keys.validator.public(), [7; 32]);
    genesis.parameters.settlement_window = WINDOW;
    genesis.epoch_blocks = 64;
    let listen = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let heartbeat = Duration::from_millis(50);
    let network = NetworkConfig { listen, advertise: listen, heartbeat, peers: Vec::new() };
    let retention = Retention::Newest(KEPT);
    let config = Config { network: Some(network), retention, ..Config::default() };
    found(&home, &genesis, &keys, &config, None).unwrap();
    home
}

fn status(url: &str) -> Value {
    Request::get("/api/v1/status").send(url).unwrap().json()
}

/// A call of a model that is served here; its receipt, and the block that it settled in.
fn call(directory: &Path, operator: &Person) -> (String, u64) {
    operator.json(&["key", "new", "author"]);
    operator.json(&["account", "fund", "10", "--as", "author"]);
    let write = |name: &str, contents: &str| {
        let path = directory.join(name);
        fs::write(&path, contents).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (card, terms) = (write("card.md", "A model."), write("terms.toml", TERMS));
    let publish = ["publish", &card, "--kind", "model", "--name", "M", "--terms", &terms];
    let how = ["--engine", "null:tokens=4", "--as", "author"];
    let model = text(&operator.json(&[&publish[..], &how].concat()), "id");
    let license = ["license", &model, "--fund", "5", "--as", "author", "--yes"];
    let channel = text(&operator.json(&license), "channel");
    let minted = operator.json(&["cert", "mint", "--channel", &channel]);
    let certificate = write("app.cert", &text(&minted, "cert"));
    let called = operator.json(&["call", &model, "--cert", &certificate, "Hello"]);
    let receipt = text(&called, "receipt");
    let settled = until("the call settles", || {
        operator.json(&["receipt", "show", &receipt, "--as", "author"])["settled"].as_u64()
    });
    (receipt, settled)
}

/// The receipt is exported, and verifies where nothing is known but the network's key.
fn proved(directory: &Path, operator: &Person, receipt: &str, key: &str) {
    let out = directory.join("receipt.cose");
    let out = out.to_str().unwrap();
    operator.json(&["receipt", "export", receipt, "--out", out, "--as", "author"]);
    let auditor = Person::new(&directory.join("auditor"), NOBODY);
    let report = auditor.json(&["receipt", "verify", out, "--network-key", key]);
    assert_eq!(report["ok"], true, "{report}");
    fs::remove_file(out).unwrap();
}

/// The books agree, from a block on, and the old receipt with them.
fn audited(operator: &Person, settled: u64) {
    let audit = operator.json(&["audit"]);
    assert_eq!((&audit["ok"], &audit["calls"]), (&true.into(), &0.into()), "{audit}");
    assert_eq!((&audit["receipts"], &audit["settled"]), (&1.into(), &1.into()), "{audit}");
    assert!(audit["from"].as_u64().unwrap() > settled, "{audit}");
    let said = operator.run(&["audit"]).out;
    assert!(said.contains("the oldest that is kept; run on an archive node"), "{said}");
}

/// What needs all blocks is refused with what to do.
fn refused(directory: &Path, operator: &Person, url: &str) {
    operator.run(&["audit", "--archive"]).failed(4, "history_missing");
    let out = directory.join("all.chain");
    let out = out.to_str().unwrap();
    let export = operator.run(&["chain", "export", "--out", out]);
    assert!(export.failed(4, "history_missing").err.contains("--from"), "{export:?}");
    let block = Request::get("/api/v1/blocks/1").send(url).unwrap();
    assert_eq!((block.status, &block.json()["error"]["code"]), (410, &"history_missing".into()));
}

#[test]
fn what_a_node_forgets_is_still_proved() {
    let directory = tempfile::tempdir().unwrap();
    let root = home(directory.path());
    let node = Node::start(&root);
    let key = text(&node.ready, "network_key");
    let operator = Person::new(&root, node.url());
    let (receipt, settled) = call(directory.path(), &operator);
    let now = status(node.url());
    assert_eq!((&now["oldest"], &now["blocks_kept"]), (&0.into(), &KEPT.into()), "{now}");
    operator.json(&["audit", "--archive"]);
    until("the call's block is forgotten", || {
        (status(node.url())["oldest"].as_u64()? > settled).then_some(())
    });
    let said = operator.run(&["status"]).out;
    assert!(said.contains("the newest 228 stay"), "{said}");
    proved(directory.path(), &operator, &receipt, &key);
    audited(&operator, settled);
    refused(directory.path(), &operator, node.url());

    // An index that is lost is built again from what is kept, and says from where.
    drop(node);
    fs::remove_dir_all(root.join("index")).unwrap();
    let node = Node::start(&root);
    let operator = Person::new(&root, node.url());
    let statement = operator.json(&["account", "statement", "--as", "author"]);
    assert!(statement["first"].as_u64().unwrap() > settled, "{statement}");
    assert_eq!(statement["rows"][0]["kind"], "opening", "{statement}");
    let found = operator.json(&["search", "M"]);
    assert_eq!(found["hits"][0]["name"], "M", "{found}");
    proved(directory.path(), &operator, &receipt, &key);
    audited(&operator, settled);
    drop(node);
    too_few(&root);
}

/// A window in which the node could not find its own batches is refused before it starts.
fn too_few(root: &Path) {
    let file = root.join("node.toml");
    let written = fs::read_to_string(&file).unwrap();
    let few = written.replace("bodies_kept = 228", "bodies_kept = 227");
    assert_ne!(few, written);
    fs::write(&file, few).unwrap();
    let start = Person::new(root, NOBODY).run(&["start", "--listen", "127.0.0.1:0"]);
    assert!(start.failed(2, "document_invalid").err.contains("at least 228"), "{start:?}");
}
