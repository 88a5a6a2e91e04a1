//! A node of its own with models to call: an owner who publishes, an application that pays.
//! The engines are null engines, so that every answer and every price is known.

use crate::common::{Person, text};
use crate::node::{Node, Starting};
use crate::support::http::{Answer, Request};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Within which a node becomes what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Terms with a price for work and one for each call.
const TERMS: &str = "\
terms = 1
grants = [\"call\", \"compose\"]
purposes = { deny = [\"surveillance\"] }
[price]
per_mu = \"0.000002\"
per_call = \"0.001\"
[delegation]
depth = 2
";

/// A home with its running node, and files beside it.
pub struct Market {
    node: Option<Node>,
    url: String,
    /// Terms, cards and certificates.
    pub files: TempDir,
    home: PathBuf,
}

impl Market {
    /// A new network; `owner` and `app` have money.
    pub fn open() -> Self {
        let files = tempfile::tempdir().unwrap();
        let home = files.path().join("home");
        Self::start_in(files, home)
    }

    /// The same with its home somewhere else.
    pub fn open_at(home: &Path) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), home.to_owned())
    }

    fn start_in(files: TempDir, home: PathBuf) -> Self {
        let node = Node::start(&home);
        let url = node.url().to_owned();
        let market = Self { node: Some(node), url, files, home };
        market.wait_ready();
        for name in ["owner", "app"] {
            market.person().json(&["key", "new", name]);
            market.person().json(&["account", "fund", "100", "--as", name]);
        }
        market.write("terms.toml", TERMS);
        market
    }

    /// The node's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whose keys and node these are.
    pub fn person(&self) -> Person {
        Person::new(&self.home, &self.url)
    }

    /// The home's directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Kills the node's process; nobody answers after that.
    pub fn kill(&mut self) {
        // Dropping a node kills its process and waits for its end.
        self.node = None;
    }

    /// Starts the node again on the same home, on another port.
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    /// The same with more arguments.
    pub fn start_with(&mut self, more: &[&str]) {
        let node = Starting::with(&self.home, more, None).ready();
        self.url = node.url().to_owned();
        self.node = Some(node);
        self.wait_ready();
    }

    fn wait_ready(&self) {
        until("the node is ready", || {
            let answer = Request::get("/readyz").send(&self.url).ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Writes a file; its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.files.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Publishes a model that a null engine serves; its id.
    pub fn model(&self, name: &str, engine: &str) -> String {
        let card = self.write(&format!("{name}.md"), name);
        let terms = self.write("terms.toml", TERMS);
        let publish = ["publish", &card, "--kind", "model", "--name", name, "--terms", &terms];
        let engine = ["--engine", engine, "--as", "owner"];
        text(&self.person().json(&[&publish[..], &engine].concat()), "id")
    }

    /// Licenses a capsule to the application; the channel for all its grants.
    pub fn license(&self, id: &str, credits: &str) -> String {
        let license = ["license", id, "--as", "app", "--fund", credits, "--yes"];
        text(&self.person().json(&license), "channel")
    }

    /// A certificate of a channel.
    pub fn mint(&self, channel: &str, limits: &[&str]) -> String {
        let mint = ["cert", "mint", "--channel", channel];
        text(&self.person().json(&[&mint[..], limits].concat()), "cert")
    }

    /// A certificate that can do less.
    pub fn narrow(&self, certificate: &str, limits: &[&str]) -> String {
        let narrow = ["cert", "narrow", "-", "--json"];
        text(&self.person().run_with(&[&narrow[..], limits].concat(), certificate).json(), "cert")
    }

    /// Makes a call; the node must answer, whatever it says.
    pub fn call(&self, certificate: &str, body: &Value) -> Answer {
        chat(body).bearer(certificate).send(&self.url).unwrap()
    }

    /// Asks the node's own API as the holder of a certificate.
    pub fn ask(&self, certificate: &str, path: &str) -> Answer {
        Request::get(path).bearer(certificate).send(&self.url).unwrap()
    }

    /// The receipt row of a call by its idempotency key, once there is one.
    pub fn receipt_of(&self, certificate: &str, key: &str) -> Value {
        let path = format!("/api/v1/receipts?idempotency_key={key}");
        until("the receipt is there", || match self.ask(certificate, &path).ok() {
            Value::Array(rows) if rows.is_empty() => None,
            Value::Array(rows) => {
                assert_eq!(rows.len(), 1, "one key, one receipt: {rows:?}");
                rows.into_iter().next()
            }
            other => panic!("{other}"),
        })
    }

    /// What is left in a channel of the application, nano-credit.
    pub fn remaining(&self, channel: &str) -> u64 {
        let channels = self.person().json(&["channel", "list", "--as", "app"]);
        let found = channels.as_array().unwrap().iter().find(|row| row["id"] == channel);
        nano(&text(found.unwrap_or_else(|| panic!("no channel {channel}")), "remaining"))
    }

    /// Waits until this many charged calls are settled and kept; the audit, whose books agree.
    pub fn audit(&self, calls: u64) -> Value {
        until("every call is settled", || {
            let audit = self.person().json(&["audit"]);
            assert_eq!(audit["ok"], true, "{audit}");
            assert!(audit["calls"].as_u64().unwrap() <= calls, "{audit}");
            (audit["receipts"] == calls).then_some(())
        });
        let audit = self.person().json(&["audit"]);
        for counted in ["calls", "receipts", "settled", "decisions"] {
            assert_eq!(audit[counted], calls, "{audit}");
        }
        assert_eq!(audit["debits"], audit["credits"], "{audit}");
        audit
    }
}

/// A chat request with one question.
pub fn question(model: &str, max_tokens: u32) -> Value {
    let message = json!({ "role": "user", "content": "one two three" });
    json!({ "model": model, "messages": [message], "max_tokens": max_tokens })
}

/// The request that carries a chat's body.
pub fn chat(body: &Value) -> Request {
    Request::post("/v1/chat/completions", body.to_string())
}

/// An amount in credits as nano-credit; further decimals must be zero.
pub fn nano(amount: &str) -> u64 {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let (nine, rest) = fraction.split_at(fraction.len().min(9));
    assert!(rest.bytes().all(|digit| digit == b'0'), "{amount}");
    format!("{whole}{nine:0<9}").parse().unwrap()
}

/// Nano-credit as an amount in credits.
pub fn credits(nano: u64) -> String {
    format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000)
}

/// Looks until something is there, for as long as a test has patience.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(look).unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}

/// The same, of something that may never be there.
pub fn within<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        thread::sleep(LOOK_PAUSE);
    }
}
