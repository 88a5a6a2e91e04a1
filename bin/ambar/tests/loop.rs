//! The whole loop through the real binary, as a newcomer reads it: a node, publishing,
//! licensing, a narrowed certificate, a call, its receipt verified elsewhere, the audit.
//! The engine is the null engine, so that what is tested is everything around it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod common;
#[path = "common/node.rs"]
mod node;

use common::{NOBODY, Person, text};
use node::Node;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

const DATASET_TERMS: &str = "terms = 1\ngrants = [\"call\", \"compose\"]\n\
    [price]\nper_call = \"0.0002\"\n";
const MODEL_TERMS: &str = "terms = 1\ngrants = [\"call\", \"compose\", \"fetch\"]\n\
    [price]\nper_mu = \"0.000002\"\n";
const PROMPT_TERMS: &str = "terms = 1\ngrants = [\"call\"]\n[price]\nper_call = \"0.0001\"\n";
const CONTRIBUTORS: &str = "[[record]]\npath = \"monroe.txt\"\nname = \"James Monroe\"\n\
    licence = \"CC0-1.0\"\nsource = \"https://example.org\"\n";
const PROMPT: &str = "prompt = 1\nsystem = \"Quote.\"\n\
    template = \"{{passages}} {{question}}\"\npassages_max = 2\ncontext_bytes_max = 900\n\
    [roles]\nmodel = \"model\"\ndatanet = \"dataset\"\n";
const MONROE: &str = "The American continents are henceforth not to be considered as subjects \
    for future colonization by any European powers.\n";
const QUESTION: &str = "What did Monroe say about European powers and colonization?";
/// Looks at a receipt until it is settled.
const LOOKS_MAX: usize = 600;

/// A node with its operator, and an application with a home of its own.
struct World {
    _folder: tempfile::TempDir,
    node: Node,
    operator: Person,
    app: Person,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("operator");
        let node = Node::start(&home);
        let operator = Person::new(&home, node.url());
        let app = Person::new(&folder.path().join("app"), node.url());
        for (person, name) in [(&operator, "author"), (&app, "app")] {
            person.json(&["key", "new", name]);
            person.json(&["account", "fund", "10", "--as", name]);
        }
        Self { _folder: folder, node, operator, app }
    }

    fn path(&self, name: &str) -> String {
        self._folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, contents: &str) -> String {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    fn publish(&self, path: &str, kind: &str, terms: &str, more: &[&str]) -> String {
        let terms = self.write(&format!("{kind}.toml"), terms);
        let base = ["publish", path, "--kind", kind, "--name", kind, "--terms", &terms];
        let published = self.operator.json(&[&base[..], &["--as", "author"], more].concat());
        text(&published, "id")
    }

    /// Model, dataset and prompt; their ids.
    fn publish_all(&self) -> [String; 3] {
        let card = self.write("card.md", "A service.");
        let model = self.publish(&card, "model", MODEL_TERMS, &["--engine", "null:tokens=8"]);
        self.write("records/monroe.txt", MONROE);
        self.write("records/other.txt", "Nothing about that matter stands in this record.\n");
        self.write("records/contributors.toml", CONTRIBUTORS);
        let records = self.path("records");
        let dataset = self.publish(&records, "dataset", DATASET_TERMS, &[]);
        let prompt = self.write("ask/prompt.toml", PROMPT);
        let uses = ["--uses", &model, "--uses", &dataset];
        let without = [
            "publish",
            &prompt,
            "--kind",
            "prompt",
            "--name",
            "Ask",
            "--terms",
            &self.write("prompt.toml", PROMPT_TERMS),
            "--as",
            "author",
        ];
        let refused = self.operator.run(&[&without[..], &uses].concat());
        refused.failed(3, "grant_missing");
        assert!(refused.err.contains("--no-channel"), "{refused:?}");
        for id in [&model, &dataset] {
            let accept = ["license", id, "--as", "author", "--no-channel", "--yes"];
            assert_eq!(self.operator.json(&accept)["channel"], Value::Null);
        }
        let prompt = self.publish(&prompt, "prompt", PROMPT_TERMS, &uses);
        [model, dataset, prompt]
    }

    /// A certificate for these capsules.
    fn certificate(&self, capsules: &[&str]) -> String {
        let mut channel = String::new();
        for (at, id) in capsules.iter().enumerate() {
            let last = at + 1 == capsules.len();
            let how: &[&str] = if last { &["--fund", "2"] } else { &["--no-channel"] };
            let licensed = self.app.json(&[&["license", id, "--yes"], how].concat());
            if last {
                channel = text(&licensed, "channel");
            }
        }
        let minted = self.app.json(&["cert", "mint", "--channel", &channel]);
        self.write("app.cert", &text(&minted, "cert"))
    }

    /// The receipt, once it is settled.
    fn settled(&self, receipt: &str) -> Value {
        for _ in 0..LOOKS_MAX {
            let found = self.app.json(&["receipt", "show", receipt]);
            if found["settled"].is_u64() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("receipt {receipt} did not settle");
    }
}

#[test]
fn publish_license_call_prove_settle() {
    let world = World::new();
    let [model, dataset, prompt] = world.publish_all();
    let certificate = world.certificate(&[&model, &prompt]);

    let narrowed = world.app.json(&["cert", "narrow", &certificate, "--calls", "1"]);
    let narrowed = world.write("narrow.cert", &text(&narrowed, "cert"));
    let inspected = world.app.json(&["cert", "inspect", &narrowed]);
    assert_eq!(inspected["blocks"][1]["calls"], 1);

    let called = world.app.json(&["call", &prompt, "--cert", &narrowed, QUESTION]);
    assert_eq!(text(&called, "text"), "w0 w1 w2 w3 w4 w5 w6 w7");
    let receipt = text(&called, "receipt");
    let excess = world.app.run(&["call", &prompt, "--cert", &narrowed, QUESTION]);
    excess.failed(3, "call_limit_exceeded");

    let shown = world.settled(&receipt);
    assert_eq!(shown["price"], called["price"]);
    paid_exactly(&shown);
    verified_elsewhere(&world, &receipt);

    // A second call streams: text on standard output, the receipt on standard error.
    let streamed = world.app.run(&["call", &model, "--cert", &certificate, "Hello"]);
    assert_eq!((streamed.code, streamed.out.as_str()), (0, "w0 w1 w2 w3 w4 w5 w6 w7\n"));
    assert!(streamed.err.contains("receipt ") && streamed.err.contains(" credits for "));

    let said = streamed.err.split("receipt ").nth(1).unwrap();
    world.settled(said.split(':').next().unwrap());
    assert_eq!(world.app.json(&["receipt", "list"]).as_array().unwrap().len(), 2);
    let audit = world.app.json(&["audit"]);
    assert_eq!((audit["ok"].clone(), audit["calls"].clone()), (true.into(), 2.into()));
    assert_eq!((audit["receipts"].clone(), audit["settled"].clone()), (2.into(), 2.into()));
    reads(&world, [&model, &dataset, &prompt]);
}

/// Everybody on the call path is paid, and the amounts sum to the price to the last digit.
fn paid_exactly(receipt: &Value) {
    let payments = receipt["payments"].as_array().unwrap();
    let amounts = payments.iter().map(|payment| text(payment, "amount"));
    let units = |amount: String| amount.replace('.', "").parse::<u128>().unwrap();
    let sum: u128 = amounts.map(units).sum();
    assert_eq!(sum, units(text(receipt, "price")) * 1_000_000_000, "{receipt}");
    let monroe = payments.iter().find(|payment| payment["name"] == "James Monroe");
    assert_eq!(monroe.unwrap()["role"], "contributor", "{receipt}");
    for role in ["royalty", "node", "network", "burn"] {
        assert!(payments.iter().any(|payment| payment["role"] == role), "{role} in {receipt}");
    }
}

/// An empty home without a node believes the file and the network's key, and nothing else.
fn verified_elsewhere(world: &World, receipt: &str) {
    let out = world.path("receipt.cose");
    world.app.json(&["receipt", "export", receipt, "--out", &out]);
    let empty = tempfile::tempdir().unwrap();
    let auditor = Person::new(empty.path(), NOBODY);
    let key = text(&world.node.ready, "network_key");
    let verify = ["receipt", "verify", &out, "--network-key", &key];
    let report = auditor.json(&verify);
    assert_eq!((&report["ok"], &report["network"]), (&true.into(), &world.node.ready["network"]));
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true));
    let stranger = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    auditor
        .run(&["receipt", "verify", &out, "--network-key", stranger])
        .failed(5, "receipt_invalid");
    trusted_files(world, &auditor, &out);
    let mut bytes = fs::read(&out).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&out, bytes).unwrap();
    auditor.run(&verify).failed(5, "receipt_invalid");
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "verifying leaves no trace");
}

/// A checkpoint and a genesis do what the key does; anything else is told what would.
fn trusted_files(world: &World, auditor: &Person, receipt: &str) {
    let path = world.path("checkpoint.toml");
    let written = world.app.json(&["network", "checkpoint", "--out", &path]);
    assert_eq!(written["network"], world.node.ready["network"], "{written}");
    assert_eq!(written["validators"][0], world.node.ready["network_key"], "{written}");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(world.app.run(&["network", "checkpoint"]).out, text);
    let genesis = world.operator.home.join("network").join("genesis");
    let verify =
        |trusted: &str| auditor.run(&["receipt", "verify", receipt, "--network-key", trusted]);
    for trusted in [path.as_str(), genesis.to_str().unwrap()] {
        let ran = verify(trusted);
        assert!(ran.code == 0 && ran.out.contains("final by 1 vote in epoch 0"), "{ran:?}");
    }
    let ran = verify(receipt);
    ran.failed(2, "document_invalid");
    assert!(ran.err.contains("neither a checkpoint nor a genesis"), "{ran:?}");
    let other = text.replace("epoch = 0", "epoch = 1");
    fs::write(&path, other).unwrap();
    let ran = verify(&path);
    ran.failed(5, "receipt_invalid");
    assert!(
        ran.err.contains("The block is of epoch 0; the committee of epoch 1 is known"),
        "{ran:?}"
    );
}

/// What people read of all this.
fn reads(world: &World, [model, dataset, prompt]: [&str; 3]) {
    let app = &world.app;
    let lineage = app.run(&["lineage", prompt]).out;
    for component in ["─ uses as datanet: dataset [dataset]", "─ uses as model: model [model]"]
    {
        assert!(lineage.contains(component), "{lineage}");
    }
    assert!(lineage.contains("contributors to the call"), "{lineage}");
    assert!(app.run(&["lineage", prompt, "--format", "dot"]).out.starts_with("digraph"));
    let found = app.json(&["search", "model", "--kind", "model"]);
    assert_eq!(found["hits"][0]["id"], model);
    assert_eq!(
        app.json(&["datanet", "show", dataset])["contributors"].as_array().unwrap().len(),
        2
    );
    let traced = app.run_with(&["trace", dataset, "--json"], MONROE).json();
    assert_eq!(traced["shares"][0]["contributor"], "James Monroe", "{traced}");
    let verified = app.json(&["verify", model]);
    assert_eq!(verified["ok"], true, "{verified}");
    let out = world.path("fetched");
    assert_eq!(app.json(&["fetch", model, "--out", &out])["files"], 1);
    assert_eq!(fs::read_to_string(Path::new(&out).join("card.md")).unwrap(), "A service.");
    app.run(&["fetch", dataset, "--out", &world.path("other")]).failed(3, "right_not_granted");
    let statement = app.json(&["account", "statement"]);
    assert!(statement["rows"].as_array().unwrap().len() >= 3, "{statement}");
    assert_eq!(app.json(&["grant", "list"]).as_array().unwrap().len(), 2);
    let channels = app.json(&["channel", "list"]);
    let channel = text(&channels[0], "id");
    app.json(&["channel", "fund", &channel, "1"]);
    app.json(&["channel", "close", &channel]);
    assert!(app.json(&["channel", "list"])[0]["closing"].is_u64());
}

#[test]
fn keys_rotate_and_accounts_stay() {
    let world = World::new();
    let before = world.app.json(&["account", "show"]);
    let rotated = world.app.json(&["key", "rotate", "--as", "app"]);
    assert_eq!(rotated["account"], before["id"]);
    let after = world.app.json(&["account", "show", "--as", "app"]);
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["keys"][0], rotated["did"]);
    let operator = text(&world.node.ready, "owner");
    world.app.json(&["account", "transfer", &operator, "1", "--as", "app"]);
    world.app.json(&["account", "statement", "--as", "app"]);
}

#[test]
fn a_home_is_used_by_one_node_at_a_time() {
    let world = World::new();
    let second = world.operator.run(&["start", "--listen", "127.0.0.1:0"]);
    second.failed(6, "home_in_use");
    let address = world.node.url().trim_start_matches("http://");
    world.app.run(&["start", "--listen", address]).failed(6, "address_in_use");
}
