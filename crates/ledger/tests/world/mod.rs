//! A small network for tests: named people, their keys, and shortcuts for what they do.
#![expect(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its own part, and a test that cannot go on panics"
)]

pub mod offers;
pub mod proof;
pub mod story;

use ambar_base::{
    AccountId, Amount, Cid, Digest, Encode, ErrorCode, Height, Inception, Moment, NetworkId, Price,
    PublicKey, SecretKey, Weight, codec,
};
use ambar_capsule::body::{DatasetBody, Modality, ModelBody, PromptBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{Component, Content, DatanetDeclaration, Parent, RoyaltyDeclaration};
use ambar_capsule::{Body, Contributor, ContributorTable, Manifest, SignedManifest};
use ambar_ledger::execution::{ROUNDS_MAX, Writes};
use ambar_ledger::key::{CALLS_PREFIX, calls_in};
use ambar_ledger::object::{Channel, Line as VersionLine, Volume};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{
    Accept, Actor, AllowServing, BatchSigners, Envelope, OpenChannel, Operation, Publish,
    RegisterNode, Settle, TRANSACTION_VERSION, Transfer,
};
use ambar_ledger::{
    Admitted, BlockContext, Execution, Genesis, Key, MemoryLedger, Need, Reads, Refusal, Step,
};
use ambar_licence::{PriceRule, Right, Terms};
use ambar_receipt::{
    BatchHeader, CallOutcome, Counter, Counters, Leaf, Line, Shares, SignedBatch, Tariff,
    TransactionOutcome, Voucher, bill, call_id,
};
use std::collections::BTreeMap;

pub const START: Moment = Moment(1_800_000_000_000);
pub const ASK: Price = Price(500);

#[derive(Clone)]
pub struct World {
    pub ledger: MemoryLedger,
    pub network: NetworkId,
    pub genesis: Genesis,
    faucet: SecretKey,
    keys: BTreeMap<String, SecretKey>,
}

/// What an execution has asked for.
#[derive(Default)]
struct Asked {
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    settled: BTreeMap<Digest, bool>,
}

impl Reads for Asked {
    fn read(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.values.get(key).map(Option::as_deref)
    }

    fn settled(&self, call: &Digest) -> Option<bool> {
        self.settled.get(call).copied()
    }
}

pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&Digest::of(name.as_bytes()).0)
}

pub fn terms(rights: &[Right], per_mu: u64, per_call: u64) -> Terms {
    let price = PriceRule { per_mu: Price(per_mu), per_call: Price(per_call), minimum: Price(0) };
    let mut terms = Terms::granting(rights.iter().copied());
    terms.price = price;
    terms.grants.insert(Right::Derive);
    terms.derivatives.allowed = true;
    terms
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Genesis)) -> Self {
        let faucet = key("faucet");
        let mut genesis = Genesis::development(faucet.public(), [7; 32]);
        change(&mut genesis);
        let ledger = MemoryLedger::new(&genesis).unwrap();
        let network = genesis.network();
        let keys = [("faucet".to_owned(), faucet.clone())].into();
        let mut world = Self { ledger, network, genesis, faucet, keys };
        world.block(1);
        world
    }

    /// Begins a block `ms` later.
    pub fn block(&mut self, ms: u64) {
        let time = if self.ledger.time() == Moment(0) { START } else { self.ledger.time() };
        let (height, time) = (self.ledger.height().after(1), time.after(ms));
        let block = BlockContext { network: self.network, height, time };
        let cold = self.in_rounds(&Execution::begin(block)).unwrap();
        self.ledger.begin(time).unwrap();
        self.assert_written(cold.0);
    }

    /// Ends the running epoch with the block; the next committee's keys.
    pub fn end_epoch(&mut self) -> Vec<PublicKey> {
        let (height, time) = (self.ledger.height(), self.ledger.time());
        let block = BlockContext { network: self.network, height, time };
        let epoch = self.ledger.roster().unwrap().epoch;
        let cold = self.in_rounds(&Execution::end(block, epoch)).unwrap();
        let outcome = self.ledger.end_epoch(epoch).unwrap();
        assert_eq!(outcome, cold.1, "rounds change nothing");
        self.assert_written(cold.0);
        self.ledger.check().unwrap();
        codec::decode(&outcome).unwrap()
    }

    /// What an execution gives that reads only what it asked for, in rounds.
    fn in_rounds(&self, execution: &Execution) -> Result<(Writes, Vec<u8>), Refusal> {
        let mut reads = Asked::default();
        for _ in 0..=ROUNDS_MAX {
            match execution.step(&reads)? {
                Step::Done { writes, outcome } => return Ok((writes, outcome)),
                Step::Need(Need { keys, calls }) => {
                    assert!(keys.iter().all(|key| !reads.values.contains_key(key)), "asked twice");
                    assert!(calls.iter().all(|call| !reads.settled.contains_key(call)));
                    let read = |key: Vec<u8>| (self.ledger.value(&key).unwrap(), key);
                    let values = keys.into_iter().map(read).map(|(value, key)| (key, value));
                    reads.values.extend(values);
                    reads.settled.extend(calls.iter().map(|call| (*call, self.listed(call))));
                }
            }
        }
        panic!("more than {ROUNDS_MAX} rounds of reading: {execution:?}");
    }

    /// Whether an entry of the state lists a call.
    pub fn listed(&self, call: &Digest) -> bool {
        let mut lists = self.ledger.entries().filter(|(key, _)| key.starts_with(CALLS_PREFIX));
        lists.any(|(_, value)| calls_in(value).unwrap().contains(call))
    }

    fn assert_written(&self, writes: Writes) {
        for (key, value) in writes {
            assert_eq!(self.ledger.value(&key).unwrap(), value, "rounds change nothing");
        }
    }

    /// An account with a hundred credits.
    pub fn person(&mut self, name: &str) -> AccountId {
        let secret = key(name);
        let inception = Inception::single(secret.public()).sign(self.network, &secret);
        let id = inception.inception.id(self.network);
        let amount = Price(100 * Price::CREDIT.0);
        let operations = vec![
            Operation::CreateAccount(inception),
            Operation::Transfer(Transfer { to: id, amount }),
        ];
        self.keys.insert(name.into(), secret);
        self.act("faucet", operations).unwrap();
        id
    }

    pub fn id(&self, name: &str) -> AccountId {
        Inception::single(key(name).public()).id(self.network)
    }

    pub fn balance(&self, id: AccountId) -> Amount {
        let (_, _, balance) = self.ledger.account(&id.to_string()).unwrap();
        balance.sum().unwrap()
    }

    pub fn envelope(&self, name: &str, operations: Vec<Operation>) -> Envelope {
        let (_, account, _) = self.ledger.account(&self.id(name).to_string()).unwrap();
        Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Account(account.id),
            nonce: account.nonce,
            expires: self.ledger.height().after(10),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        }
    }

    pub fn act(
        &mut self,
        name: &str,
        operations: Vec<Operation>,
    ) -> Result<Vec<OperationResult>, Refusal> {
        let signed = self.envelope(name, operations).sign(&self.keys[name]);
        self.apply(&signed.to_bytes())
    }

    pub fn apply(&mut self, bytes: &[u8]) -> Result<Vec<OperationResult>, Refusal> {
        let before = self.ledger.clone();
        let (height, time) = (before.height(), before.time());
        let block = BlockContext { network: self.network, height, time };
        let cold = Admitted::of(self.network, bytes)
            .and_then(|admitted| Execution::transaction(block, admitted))
            .and_then(|execution| self.in_rounds(&execution));
        let hot = self.ledger.apply(bytes);
        assert_eq!(hot, cold.clone().map(|(_, outcome)| outcome), "rounds change nothing");
        let outcome = hot.inspect_err(|_| {
            assert_eq!(self.ledger, before, "a refused transaction changes nothing");
        })?;
        self.assert_written(cold.unwrap().0);
        self.ledger.check().unwrap();
        let outcome: TransactionOutcome = codec::decode(&outcome).unwrap();
        Ok(outcome.results.iter().map(|result| codec::decode(result).unwrap()).collect())
    }

    /// The code with which an action is refused.
    pub fn refused(&mut self, name: &str, operation: Operation) -> ErrorCode {
        self.act(name, vec![operation]).unwrap_err().code
    }

    pub fn publish(
        &mut self,
        name: &str,
        manifest: Manifest,
        terms: &Terms,
        contributors: Option<&ContributorTable>,
        grants: Vec<u64>,
    ) -> Result<(u64, Cid), Refusal> {
        let derives = self.derive_grants(name, &manifest);
        let manifest = Manifest { terms: terms.id(), creator: self.id(name), ..manifest };
        let publish = Publish {
            manifest: SignedManifest::sign(&manifest, self.network, &self.keys[name]),
            terms: Some(terms.to_document()),
            contributors: contributors.map(ContributorTable::encode),
            grants,
            derives,
        };
        match &self.act(name, vec![Operation::Publish(publish)])?[..] {
            [OperationResult::Version(version)] => Ok((version.number, version.id)),
            other => panic!("{other:?}"),
        }
    }

    /// New grants for the parents that others own.
    pub fn derive_grants(&mut self, name: &str, manifest: &Manifest) -> Vec<u64> {
        let publisher = self.ledger.account_number(&self.id(name).to_string()).unwrap();
        let foreign = |world: &Self, id: &Cid| {
            let (_, version) = world.ledger.version(id).ok()?;
            let line: VersionLine =
                world.ledger.must("line", version.line, &Key::Line(version.line)).unwrap();
            (line.owner != publisher).then_some(())
        };
        let parents = manifest.derived_from.iter().map(|parent| parent.version);
        let foreign: Vec<Cid> = parents.filter(|id| foreign(self, id).is_some()).collect();
        foreign.into_iter().map(|id| self.accept(name, id).unwrap()).collect()
    }

    pub fn accept(&mut self, name: &str, version: Cid) -> Result<u64, Refusal> {
        self.accept_in(name, version, None)
    }

    /// Accepts terms for use in a territory.
    pub fn accept_in(
        &mut self,
        name: &str,
        version: Cid,
        territory: Option<&str>,
    ) -> Result<u64, Refusal> {
        let (_, object) = self.ledger.version(&version).unwrap();
        let accept = Accept {
            version,
            terms: object.terms,
            territory: territory.map(str::to_owned),
            offer: None,
        };
        match self.act(name, vec![Operation::Accept(accept)])?[..] {
            [OperationResult::Grant(number)] => Ok(number),
            ref other => panic!("{other:?}"),
        }
    }

    /// Registers a node of this person with a key of its own, named after it.
    pub fn node(&mut self, name: &str) -> u64 {
        let secret = key(&format!("{name}'s node"));
        let register = RegisterNode::new(self.network, &secret, &self.id(name), ASK);
        match self.act(name, vec![Operation::RegisterNode(register)]).unwrap()[..] {
            [OperationResult::Node(number)] => number,
            ref other => panic!("{other:?}"),
        }
    }

    pub fn serve(&mut self, owner: &str, version: Cid, node: &str) {
        let node = key(&format!("{node}'s node")).public();
        let allow = AllowServing { version, node, allowed: true };
        self.act(owner, vec![Operation::AllowServing(allow)]).unwrap();
    }

    pub fn channel(&mut self, payer: &str, node: &str, grants: Vec<u64>, amount: Price) -> u64 {
        self.channel_in(payer, node, grants, amount, false)
    }

    /// A channel in voucher mode or not.
    pub fn channel_in(
        &mut self,
        payer: &str,
        node: &str,
        grants: Vec<u64>,
        amount: Price,
        vouchers: bool,
    ) -> u64 {
        let open = OpenChannel {
            session_key: key(&format!("{payer}'s session")).public(),
            gateway: key(&format!("{node}'s node")).public(),
            grants,
            amount,
            unit_price_max: Price(1_000_000_000),
            expires: START.after(365 * Moment::DAY_MS),
            vouchers,
        };
        match self.act(payer, vec![Operation::OpenChannel(open)]).unwrap()[..] {
            [OperationResult::Channel(number)] => number,
            ref other => panic!("{other:?}"),
        }
    }

    pub fn channel_state(&self, number: u64) -> Channel {
        self.ledger.must("channel", number, &Key::Channel(number)).unwrap()
    }

    /// A line as an honest gateway writes it.
    pub fn line(&self, version: u64, grant: u64, node: u64, counts: &[(Counter, u64)]) -> Line {
        let object: ambar_ledger::object::Grant =
            self.ledger.must("grant", grant, &Key::Grant(grant)).unwrap();
        let terms = self.ledger.terms(&object.terms).unwrap();
        let counters = Counters::new(counts.iter().copied());
        let node_object: ambar_ledger::object::Node =
            self.ledger.must("node", node, &Key::Node(node)).unwrap();
        let ask = *node_object.ask.latest();
        let volume: Option<Volume> = self.ledger.object(&Key::Volume(grant)).unwrap();
        let volume = volume.unwrap_or_else(|| Volume::of(&object));
        let (tier, _) = volume.tier_at(self.ledger.height()).unwrap();
        let price = terms.price_of(tier).unwrap();
        let bill = bill::line_bill(&counters, price, &Tariff::standard(), ask).unwrap();
        let bill::LineBill { mu, royalty, node_fee } = bill;
        let shares = Vec::new();
        Line { version, grant, node, tariff: 0, counters, mu, royalty, node_fee, shares }
    }

    /// A leaf as an honest gateway writes it.
    pub fn leaf(&self, channel: u64, n: u64, lines: Vec<Line>) -> Leaf {
        let sum = lines.iter().map(|line| line.royalty.0 + line.node_fee.0).sum();
        let rate = self.genesis.parameters.network_fee;
        Leaf {
            call: call_id(channel, &Digest::of(b"holder"), &n.to_string()),
            outcome: CallOutcome::Full,
            lines,
            network_fee: bill::network_fee(Price(sum), rate),
            details: Digest::of(b"details"),
            ..Leaf::void(channel, n, self.ledger.height(), self.ledger.time())
        }
    }

    /// The settlement of leaves by the gateway of `name`, signed by it for every node.
    pub fn settlement(&self, name: &str, gateway: u64, leaves: Vec<Leaf>) -> Envelope {
        self.settlement_with(name, gateway, leaves, Vec::new())
    }

    /// The same with vouchers.
    pub fn settlement_with(
        &self,
        name: &str,
        gateway: u64,
        leaves: Vec<Leaf>,
        vouchers: Vec<(PublicKey, Voucher)>,
    ) -> Envelope {
        let secret = key(&format!("{name}'s node"));
        let node: ambar_ledger::object::Node =
            self.ledger.must("node", gateway, &Key::Node(gateway)).unwrap();
        let header = BatchHeader::of(gateway, node.next_batch, &leaves).unwrap();
        let batch = (gateway, node.next_batch);
        let nodes =
            header.nodes.iter().map(|lines| lines.sign(self.network, batch, &secret)).collect();
        let signature = header.sign(self.network, &secret);
        let signers = BatchSigners::single(secret.public(), &header);
        let batch = SignedBatch { header, signature, nodes };
        self.of_node(gateway, Operation::Settle(Settle { batch, signers, leaves, vouchers }))
    }

    /// What a node asks with its own key.
    pub fn of_node(&self, number: u64, operation: Operation) -> Envelope {
        let node: ambar_ledger::object::Node =
            self.ledger.must("node", number, &Key::Node(number)).unwrap();
        Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor: Actor::Node(number),
            nonce: node.nonce,
            expires: Height(self.ledger.height().0 + 10),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations: vec![operation],
        }
    }

    /// Applies what a node asks with its own key.
    pub fn act_as_node(
        &mut self,
        name: &str,
        number: u64,
        operation: Operation,
    ) -> Result<OperationResult, Refusal> {
        let envelope = self.of_node(number, operation);
        let results = self.apply(&envelope.sign(&key(&format!("{name}'s node"))).to_bytes())?;
        Ok(results.into_iter().next().unwrap())
    }

    pub fn settle(&mut self, name: &str, gateway: u64, leaves: Vec<Leaf>) -> Result<(), Refusal> {
        let envelope = self.settlement(name, gateway, leaves);
        let signed = envelope.sign(&key(&format!("{name}'s node")));
        self.apply(&signed.to_bytes()).map(|_| ())
    }
}

fn manifest(body: Body, holder: AccountId) -> Manifest {
    Manifest {
        ambar: 1,
        body,
        content: Content { bytes: 1, files: 1, sealed: None, table: ContentRoot([1; 32]) },
        creator: holder,
        datanet: None,
        derived_from: Vec::new(),
        description: String::new(),
        extensions: Vec::new(),
        fork: false,
        name: "capsule".into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder, weight: Weight::ONE }],
        terms: Cid::of(b""),
        uses: Vec::new(),
    }
}

pub fn model(holder: AccountId) -> Manifest {
    let body = ModelBody {
        architecture: "llama".into(),
        context_tokens: 2048,
        format: "gguf".into(),
        modality: Modality::Text,
    };
    manifest(Body::Model(body), holder)
}

pub fn derived(holder: AccountId, parents: &[(Cid, u32)]) -> Manifest {
    let parents =
        parents.iter().map(|(version, share)| Parent { share: Weight(*share), version: *version });
    Manifest { derived_from: parents.collect(), ..model(holder) }
}

pub fn contributors(names: &[&str]) -> ContributorTable {
    let names = names.iter().map(|name| Contributor::Name((*name).to_owned()));
    ContributorTable::new(names.collect()).unwrap()
}

pub fn dataset(holder: AccountId, table: &ContributorTable) -> Manifest {
    let body = DatasetBody { records: 2, media_type: "text/plain".into() };
    let half = Weight(500_000_000);
    let datanet = DatanetDeclaration {
        contributors: Cid::of(&table.encode()),
        methods: vec![(1, half), (2, half)],
        share: Weight(900_000_000),
        sharing: None,
        treasury: holder,
    };
    Manifest { datanet: Some(datanet), ..manifest(Body::Dataset(body), holder) }
}

pub fn prompt(holder: AccountId, model: Cid, datanet: Cid) -> Manifest {
    let body = PromptBody {
        context_bytes_max: 900,
        passages_max: 3,
        system: "Quote.".into(),
        template: "{{passages}} {{question}}".into(),
    };
    let component = |role: &str, version| Component { role: role.into(), version };
    let uses = vec![component("model", model), component("datanet", datanet)];
    Manifest { uses, ..manifest(Body::Prompt(body), holder) }
}

pub fn shares(datanet: u64, method: u16, weights: &[(u32, u32)]) -> Shares {
    let weights = weights.iter().map(|(index, weight)| (*index, Weight(*weight))).collect();
    Shares { datanet, method, weights, evidence: Digest::of(b"evidence") }
}
