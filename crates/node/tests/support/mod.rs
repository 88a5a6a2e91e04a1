//! A node on a free port in a temporary home, and people who act on it over HTTP.
#![expect(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and a test that cannot go on panics"
)]

use ambar_base::{AccountId, Cid, Encode, Height, Inception, NetworkId, Price, SecretKey, Weight};
use ambar_capsule::body::{DatasetBody, Modality, ModelBody, PromptBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{Component, Content, DatanetDeclaration, RoyaltyDeclaration};
use ambar_capsule::{Body, ContributorTable, Manifest, SignedManifest};
use ambar_gateway::certificate;
use ambar_ledger::transaction::{
    Accept, Actor, AllowServing, Envelope, OpenChannel, Operation, Publish, TRANSACTION_VERSION,
};
use ambar_licence::{Narrowing, Right, Terms};
use ambar_node::api::dto::{FaucetRequest, OperationView, ServingRequest};
use ambar_node::client::{Client, ClientError, Credential};
use ambar_node::files::{FileEntry, FileTable};
use ambar_node::keys::random_key;
use ambar_node::{KeyStore, Node, NodeSettings, Running};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub async fn start(home: &Path) -> Running {
    Node::start(settings(home)).await.unwrap()
}

pub fn settings(home: &Path) -> NodeSettings {
    let listen = Some(([127, 0, 0, 1], 0).into());
    NodeSettings {
        home: home.to_owned(),
        listen,
        passphrase: None,
        resume: false,
        log_prompts: false,
    }
}

/// Somebody with an account and credits.
pub struct Person {
    pub key: SecretKey,
    pub id: AccountId,
    pub network: NetworkId,
    pub client: Client,
}

impl Person {
    /// A new account with credits from the faucet.
    pub async fn new(node: &Running, credits: &str) -> Self {
        let person = Self::with_key(node, random_key().unwrap()).await;
        let inception = Inception::single(person.key.public()).sign(person.network, &person.key);
        let inception = hex::encode(inception.to_bytes());
        let request = FaucetRequest { inception, amount: credits.into() };
        let answer = person.client.faucet(&request).await.unwrap();
        assert!(answer.opened);
        assert_eq!(answer.account.id, person.id.to_string());
        person
    }

    /// The node's operator.
    pub async fn operator(node: &Running, home: &Path) -> Self {
        Self::with_key(node, KeyStore::of(home).load("operator", None).unwrap()).await
    }

    async fn with_key(node: &Running, key: SecretKey) -> Self {
        let client = Client::new(&node.base_url).unwrap();
        let network = client.network().await.unwrap();
        let client = client.with(Credential::Key(network, Box::new(key.clone())));
        let id = Inception::single(key.public()).id(network);
        Self { key, id, network, client }
    }

    pub async fn act(&self, operations: Vec<Operation>) -> Result<Vec<OperationView>, ClientError> {
        let account = self.client.account(&self.id.to_string()).await?;
        let height = self.client.status().await?.height;
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Account(self.id),
            nonce: account.nonce,
            expires: Height(height + 100),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        };
        Ok(self.client.submit(envelope.sign(&self.key).to_bytes()).await?.results)
    }

    /// Stores files as blobs and describes them.
    pub async fn upload(&self, files: &[(&str, &str)]) -> Content {
        let mut entries = Vec::new();
        for (path, text) in files {
            let blob = self.client.put_blob(text.as_bytes().to_vec()).await.unwrap();
            let root: ContentRoot = blob.root.parse().unwrap();
            assert_eq!(root, ContentRoot::of(text.as_bytes()));
            entries.push(FileEntry { bytes: blob.bytes, path: (*path).into(), root });
        }
        let table = FileTable::new(entries).unwrap();
        let stored = self.client.put_blob(table.encode()).await.unwrap();
        assert_eq!(stored.root, table.root().to_string());
        Content {
            bytes: table.bytes(),
            files: table.files.len() as u64,
            sealed: None,
            table: table.root(),
        }
    }

    pub async fn publish(
        &self,
        manifest: Manifest,
        terms: &Terms,
        table: Option<&ContributorTable>,
        grants: Vec<u64>,
    ) -> Cid {
        let manifest = Manifest { terms: terms.id(), ..manifest };
        let publish = Publish {
            manifest: SignedManifest::sign(&manifest, self.network, &self.key),
            terms: Some(terms.to_document()),
            contributors: table.map(ContributorTable::encode),
            grants,
            derives: Vec::new(),
        };
        match &self.act(vec![Operation::Publish(publish)]).await.unwrap()[..] {
            [OperationView::Version { id, .. }] => id.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn accept(&self, version: Cid, terms: &Terms) -> u64 {
        let accept = Accept { version, terms: terms.id(), territory: None, offer: None };
        match &self.act(vec![Operation::Accept(accept)]).await.unwrap()[..] {
            [OperationView::Grant { number }] => number.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// A channel to the node, and a certificate for it.
    pub async fn channel(&self, grants: Vec<u64>, credits: u64) -> (u64, String) {
        let session = random_key().unwrap();
        let gateway = self.client.status().await.unwrap().node.did;
        let gateway = ambar_base::PublicKey::from_did(&gateway).unwrap();
        let open = OpenChannel {
            session_key: session.public(),
            gateway,
            grants,
            amount: Price(credits * Price::CREDIT.0),
            unit_price_max: Price::CREDIT,
            expires: ambar_base::Moment(4_000_000_000_000),
            vouchers: false,
        };
        let number = match &self.act(vec![Operation::OpenChannel(open)]).await.unwrap()[..] {
            [OperationView::Channel { number }] => number.parse().unwrap(),
            other => panic!("{other:?}"),
        };
        let none = Narrowing::default();
        let text = certificate::mint(&session, self.network, number, &gateway, &none).unwrap();
        (number, text)
    }

    pub async fn allow(&self, version: Cid) {
        let node = self.client.status().await.unwrap().node.did;
        let node = ambar_base::PublicKey::from_did(&node).unwrap();
        let allow = AllowServing { version, node, allowed: true };
        self.act(vec![Operation::AllowServing(allow)]).await.unwrap();
    }

    /// As the operator: serves a capsule.
    pub async fn serve(&self, version: Cid, engine: Option<&str>) {
        let request = ServingRequest { engine: engine.map(str::to_owned), ..Default::default() };
        self.client.serve(&version.to_string(), &request).await.unwrap();
    }
}

pub fn terms(rights: &[Right], per_mu: u64) -> Terms {
    let mut terms = Terms::granting(rights.iter().copied());
    terms.price.per_mu = Price(per_mu);
    terms.derivatives.allowed = true;
    terms
}

fn manifest(creator: AccountId, name: &str, body: Body, content: Content) -> Manifest {
    Manifest {
        ambar: 1,
        body,
        content,
        creator,
        datanet: None,
        derived_from: Vec::new(),
        description: format!("The {name} of a test."),
        extensions: Vec::new(),
        fork: false,
        name: name.into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder: creator, weight: Weight::ONE }],
        terms: Cid::of(b""),
        uses: Vec::new(),
    }
}

pub fn model(creator: AccountId, content: Content) -> Manifest {
    let body = ModelBody {
        architecture: "null".into(),
        context_tokens: 2048,
        format: "service".into(),
        modality: Modality::Text,
    };
    manifest(creator, "parrot model", Body::Model(body), content)
}

pub fn dataset(creator: AccountId, content: Content, table: &ContributorTable) -> Manifest {
    let records = content.files - 1;
    let body = DatasetBody { records, media_type: "text/plain".into() };
    let half = Weight(500_000_000);
    let datanet = DatanetDeclaration {
        contributors: Cid::of(&table.encode()),
        methods: vec![(1, half), (2, half)],
        share: Weight(900_000_000),
        sharing: None,
        treasury: creator,
    };
    Manifest {
        datanet: Some(datanet),
        ..manifest(creator, "speeches", Body::Dataset(body), content)
    }
}

pub fn prompt(creator: AccountId, content: Content, model: Cid, datanet: Cid) -> Manifest {
    let body = PromptBody {
        context_bytes_max: 2_000,
        passages_max: 2,
        system: "Quote.".into(),
        template: "{{passages}}\n\n{{question}}".into(),
    };
    let component = |role: &str, version| Component { role: role.into(), version };
    let uses = vec![component("model", model), component("datanet", datanet)];
    Manifest { uses, ..manifest(creator, "ask the speeches", Body::Prompt(body), content) }
}

/// One HTTP request on a connection of its own: status, headers and body.
pub async fn http(node: &Running, request: String) -> (u16, String, String) {
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

pub async fn get(node: &Running, path: &str) -> (u16, String, String) {
    http(node, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
}

/// One call in the OpenAI dialect.
pub async fn chat(
    node: &Running,
    certificate: &str,
    model: &str,
    question: &str,
) -> (u16, String, String) {
    let body = format!(
        r#"{{"model":"{model}","messages":[{{"role":"user","content":"{question}"}}],"max_tokens":8}}"#
    );
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         authorization: Bearer {certificate}\r\ncontent-type: application/json\r\n\
         idempotency-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
        question.replace(' ', "-"),
        body.len()
    );
    http(node, request).await
}
