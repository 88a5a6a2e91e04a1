//! A market before a witness: somebody who publishes, somebody who pays, and what they ask the
//! node for, well and badly.

use crate::common::{Person, text};
use crate::document::Document;
use crate::support::http::{Answer, Request};
use crate::support::market::Market;
use crate::witness::Witness;
use ambar_base::{
    AccountId, Digest, Encode, Height, Inception, Moment, NetworkId, Price, SecretKey,
};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{Actor, Envelope, TRANSACTION_VERSION};
use ambar_node::KeyStore;
use ambar_node::keys::KeyFile;
use ambar_node::signing::RequestStamp;
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// A price for each call, and rights to build on it and fetch it.
pub const TERMS: &str = "terms = 1\ngrants = [\"call\", \"compose\", \"fetch\", \"derive\"]\n\
    [price]\nper_call = \"0.001\"\n[derivatives]\nallowed = true\n";
/// A record.
pub const RECORD: &str = "The American continents are henceforth not to be considered as \
    subjects for future colonization by any European powers.\n";

/// The routes of the dialect that make calls, by operation.
pub const CALLS: [&str; 4] = ["chat_completion", "completion", "embedding", "response"];

/// Something to provoke, and what it is about.
pub type Section = (&'static str, fn(&World));

/// The market and what is in it.
pub struct World {
    pub market: Market,
    pub witness: Witness,
    pub network: NetworkId,
    /// A model that answers at once.
    pub model: String,
    /// The application's grant for it, its channel and a certificate.
    pub grant: String,
    pub channel: String,
    pub certificate: String,
    /// A dataset that this node serves.
    pub dataset: String,
    /// What did not fail as it should.
    pub complaints: Mutex<Vec<String>>,
}

/// A request that is being written.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: &'static str,
    pub path: String,
    pub body: Vec<u8>,
    pub headers: Vec<(String, String)>,
}

impl Ask {
    pub fn new(method: &str, path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let method = match method {
            "POST" => "POST",
            "PUT" => "PUT",
            _ => "GET",
        };
        Self { method, path: path.into(), body: body.into(), headers: Vec::new() }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, "")
    }

    pub fn post(path: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", path, body.to_string())
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, certificate: &str) -> Self {
        self.header("Authorization", &format!("Bearer {certificate}"))
    }

    /// Signed for a network by a key.
    pub fn signed(self, network: NetworkId, key: &SecretKey) -> Self {
        let body = Digest::of(&self.body);
        let (method, target) = (self.method.to_owned(), self.path.clone());
        let stamp = RequestStamp { method, target, body, time: now() };
        let signature = stamp.sign(network, key);
        self.header("ambar-key", &key.public().did())
            .header("ambar-time", &stamp.time.0.to_string())
            .header("ambar-digest", &body.to_string())
            .header("ambar-signature", &hex::encode(signature.0))
    }

    pub fn send(&self, url: &str) -> Answer {
        let (path, body) = (self.path.as_str(), self.body.clone());
        let request = match self.method {
            "POST" => Request::post(path, body),
            "PUT" => Request::put(path, body),
            _ => Request::get(path),
        };
        let with = |request: Request, (name, value): &(String, String)| request.header(name, value);
        let request = self.headers.iter().fold(request, with);
        let mut opened = request.open(url).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let bytes = opened.bytes().unwrap_or_else(|error| panic!("{error}: {self:?}"));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: opened.status, headers: opened.headers.clone(), text }
    }
}

/// The time now.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Moment(since.as_millis().try_into().unwrap())
}

impl World {
    pub fn open() -> Self {
        let market = Market::open();
        let witness = Witness::before(market.url(), Document::of(market.url()));
        let status = market.person().json(&["status"]);
        let network = NetworkId(text(&status, "network").parse().unwrap());
        let mut world = Self {
            market,
            witness,
            network,
            model: String::new(),
            grant: String::new(),
            channel: String::new(),
            certificate: String::new(),
            dataset: String::new(),
            complaints: Mutex::default(),
        };
        world.person().json(&["key", "new", "stranger"]);
        world.person().json(&["account", "fund", "10", "--as", "stranger"]);
        world.model = world.publish("quick", TERMS, "null:tokens=4");
        let licensed = world.license(&world.model, &["--fund", "20"]);
        world.grant = text(&licensed, "grant");
        world.channel = text(&licensed, "channel");
        world.certificate = world.market.mint(&world.channel, &[]);
        world.dataset = world.publish_records("records", &[]);
        world.gather();
        world
    }

    /// Opens the pool `harbour`, with one submission.
    fn gather(&self) {
        let create = ["datanet", "create", "harbour", "--theme", "Harbours", "--as", "owner"];
        self.person().json(&create);
        let record = self.market.write("harbour.txt", "The light on the pier.\n");
        let submit = ["datanet", "submit", "harbour", &record, "--licence", "CC0-1.0"];
        self.person().json(&[&submit[..], &["--as", "owner"]].concat());
    }

    pub fn url(&self) -> &str {
        self.witness.url()
    }

    /// Somebody with the market's keys, seen by the witness.
    pub fn person(&self) -> Person {
        Person::new(self.market.home(), self.url())
    }

    /// Sends a request past the witness.
    pub fn send(&self, ask: &Ask) -> Answer {
        ask.send(self.url())
    }

    /// The same; it must fail so. What fails otherwise is told at the end, all at once.
    pub fn refused(&self, ask: &Ask, code: &str) {
        self.expect(&self.send(ask), code, &format!("{} {}", ask.method, ask.path));
    }

    /// That an answer is a failure with this code.
    pub fn expect(&self, answer: &Answer, code: &str, what: &str) {
        if !answer.text.contains(&format!("\"{code}\"")) {
            let Answer { status, text, .. } = answer;
            let complaint = format!("{what}: not {code}, but {status} {text}");
            self.complaints.lock().unwrap().push(complaint);
        }
    }

    /// A key of the market, by name.
    pub fn key(&self, name: &str) -> SecretKey {
        KeyStore::of(self.market.home()).load(name, None).unwrap()
    }

    /// The account that a key has opened.
    pub fn account(&self, key: &SecretKey) -> AccountId {
        Inception::single(key.public()).id(self.network)
    }

    /// Signed by a key of the market.
    pub fn signed(&self, ask: Ask, name: &str) -> Ask {
        ask.signed(self.network, &self.key(name))
    }

    /// The session key of a channel of the application.
    pub fn session(&self, channel: &str) -> SecretKey {
        let folder = self.market.home().join("sessions").join(self.network.to_string());
        let path = folder.join(format!("{channel}.key"));
        KeyFile::read(&path).unwrap().open(&path, None).unwrap()
    }

    /// Publishes a model; its id.
    pub fn publish(&self, name: &str, terms: &str, engine: &str) -> String {
        let card = self.market.write(&format!("{name}.md"), name);
        let terms = self.market.write(&format!("{name}.toml"), terms);
        let publish = ["publish", &card, "--kind", "model", "--name", name, "--terms", &terms];
        let published = [&publish[..], &["--engine", engine, "--as", "owner"]].concat();
        text(&self.person().json(&published), "id")
    }

    /// Publishes a dataset of one record; its id.
    pub fn publish_records(&self, name: &str, more: &[&str]) -> String {
        let folder = self.market.files.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("one.txt"), format!("{name}: {RECORD}")).unwrap();
        let terms = self.market.write(&format!("{name}.toml"), TERMS);
        let folder = folder.to_str().unwrap();
        let publish = ["publish", folder, "--kind", "dataset", "--name", name, "--terms", &terms];
        let published = [&publish[..], &["--as", "owner"], more].concat();
        text(&self.person().json(&published), "id")
    }

    /// Accepts terms as the application; grant and channel.
    pub fn license(&self, id: &str, more: &[&str]) -> Value {
        let license = [&["license", id, "--as", "app", "--yes"], more].concat();
        self.person().json(&license)
    }

    /// A capsule of its own with these terms, and a certificate for it.
    pub fn stall(&self, name: &str, terms: &str, engine: &str) -> Stall {
        let model = self.publish(name, terms, engine);
        let licensed = self.license(&model, &[]);
        let (grant, channel) = (text(&licensed, "grant"), text(&licensed, "channel"));
        let certificate = self.market.mint(&channel, &[]);
        Stall { model, grant, channel, certificate }
    }

    /// The transaction of an account with these operations.
    pub fn envelope(&self, key: &SecretKey, operations: Vec<Operation>) -> Envelope {
        let id = self.account(key);
        let shown = Request::get(format!("/api/v1/accounts/{id}")).send(self.market.url());
        let nonce = shown.unwrap().json()["nonce"].as_u64().unwrap_or_default();
        Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Account(id),
            nonce,
            expires: Height(u64::MAX),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        }
    }

    /// Submits operations as the owner of a key.
    pub fn act(&self, name: &str, operations: Vec<Operation>) -> Answer {
        let key = self.key(name);
        let envelope = self.envelope(&key, operations);
        self.submit(envelope.sign(&key).to_bytes())
    }

    /// Submits the bytes of a transaction.
    pub fn submit(&self, bytes: Vec<u8>) -> Answer {
        self.send(&Ask::new("POST", "/api/v1/transactions", bytes))
    }
}

/// A capsule, the application's grant and channel, and a certificate.
pub struct Stall {
    pub model: String,
    pub grant: String,
    pub channel: String,
    pub certificate: String,
}

/// The request of a call, without a certificate.
pub fn call(operation: &str, model: &str) -> Ask {
    asking(operation, model, "one two three")
}

/// The same with something to ask.
pub fn asking(operation: &str, model: &str, question: &str) -> Ask {
    let message = json!({ "role": "user", "content": question });
    let (path, body) = match operation {
        "chat_completion" => (
            "/v1/chat/completions",
            json!({ "model": model, "messages": [message], "max_tokens": 4 }),
        ),
        "completion" => {
            ("/v1/completions", json!({ "model": model, "prompt": question, "max_tokens": 4 }))
        }
        "embedding" => ("/v1/embeddings", json!({ "model": model, "input": question })),
        "response" => {
            ("/v1/responses", json!({ "model": model, "input": question, "max_output_tokens": 4 }))
        }
        other => panic!("{other} makes no call"),
    };
    Ask::post(path, &body)
}
