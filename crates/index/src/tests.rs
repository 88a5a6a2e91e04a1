//! The index over a ledger in memory: rows sum to balances, and building it again, or
//! after a stop, gives the same.

mod begun;
mod consolidated;
mod disputes;
mod offers;
mod royalties;

use crate::{BlockInput, EntryKind, Index, IndexError};
use ambar_base::finality::{Ballot, Evidence, Proposal, Statement};
use ambar_base::{
    AccountId, Amount, Cid, Digest, Encode, Height, Inception, Moment, NetworkId, Price, SecretKey,
    Weight,
};
use ambar_capsule::body::{Modality, ModelBody};
use ambar_capsule::chunks::ContentRoot;
use ambar_capsule::manifest::{Content, RoyaltyDeclaration};
use ambar_capsule::{Body, Manifest, SignedManifest};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{
    Accept, Actor, AllowServing, BatchSigners, Envelope, OpenChannel, Operation, Publish,
    RegisterName, RegisterNode, RegisterValidator, Settle, TRANSACTION_VERSION, Transfer,
};
use ambar_ledger::{Genesis, MemoryLedger, SignedTransaction};
use ambar_licence::{Right, Terms};
use ambar_receipt::{
    BatchHeader, CallOutcome, Counter, Counters, Leaf, Line, SignedBatch, Tariff, bill, call_id,
};
use ambar_tables::faulty::Disk;

const START: Moment = Moment(1_800_000_000_000);
const WINDOW: u64 = 5;

/// A block as it was made.
struct Made {
    height: Height,
    time: Moment,
    transactions: Vec<Vec<u8>>,
    outcomes: Vec<Vec<u8>>,
    /// The ledger after it.
    after: MemoryLedger,
}

struct World {
    genesis: Genesis,
    network: NetworkId,
    ledger: MemoryLedger,
    blocks: Vec<Made>,
}

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&Digest::of(name.as_bytes()).0)
}

impl World {
    fn new() -> Self {
        let mut genesis = Genesis::development(key("faucet").public(), [7; 32]);
        genesis.parameters.settlement_window = WINDOW;
        let (network, ledger) = (genesis.network(), MemoryLedger::new(&genesis).unwrap());
        Self { genesis, network, ledger, blocks: Vec::new() }
    }

    fn id(&self, name: &str) -> AccountId {
        Inception::single(key(name).public()).id(self.network)
    }

    /// A block with one transaction of each of these, in order.
    fn block(&mut self, acts: Vec<(&str, Vec<Operation>)>) {
        let time = self.begin();
        let (mut transactions, mut outcomes) = (Vec::new(), vec![Vec::new()]);
        for (name, operations) in acts {
            let bytes = self.sign(name, operations);
            outcomes.push(self.ledger.apply(&bytes).unwrap());
            transactions.push(bytes);
        }
        self.made(time, transactions, outcomes);
    }

    /// A block of signed transactions.
    fn transact(&mut self, transactions: Vec<Vec<u8>>) {
        let time = self.begin();
        let applied = transactions.iter().map(|bytes| self.ledger.apply(bytes).unwrap());
        let outcomes = [Vec::new()].into_iter().chain(applied).collect();
        self.made(time, transactions, outcomes);
    }

    fn begin(&mut self) -> Moment {
        let time = START.after(1_000 * (self.blocks.len() as u64 + 1));
        self.ledger.begin(time).unwrap();
        time
    }

    fn made(&mut self, time: Moment, transactions: Vec<Vec<u8>>, outcomes: Vec<Vec<u8>>) {
        let (height, after) = (self.ledger.height(), self.ledger.clone());
        self.blocks.push(Made { height, time, transactions, outcomes, after });
    }

    fn sign(&self, name: &str, operations: Vec<Operation>) -> Vec<u8> {
        let settles = matches!(operations[0], Operation::Settle(_));
        let (actor, nonce) = if settles {
            (Actor::Node(0), self.node().nonce)
        } else {
            let id = self.id(name);
            (Actor::Account(id), self.ledger.account(&id.to_string()).unwrap().1.nonce)
        };
        let envelope = Envelope {
            network: self.network,
            version: TRANSACTION_VERSION,
            actor,
            nonce,
            expires: self.ledger.height().after(10),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations,
        };
        envelope.sign(&key(name)).to_bytes()
    }

    fn node(&self) -> ambar_ledger::object::Node {
        self.ledger.must("node", 0, &ambar_ledger::Key::Node(0)).unwrap()
    }

    fn open(&self, name: &str) -> Vec<Operation> {
        let inception = Inception::single(key(name).public()).sign(self.network, &key(name));
        let amount = Price(100 * Price::CREDIT.0);
        let transfer = Transfer { to: self.id(name), amount };
        vec![Operation::CreateAccount(inception), Operation::Transfer(transfer)]
    }

    fn take_all(&self, index: &Index) {
        self.blocks.iter().for_each(|made| take(index, made, &made.after).unwrap());
    }
}

fn take(index: &Index, made: &Made, state: &MemoryLedger) -> Result<(), IndexError> {
    let Made { height, time, transactions, outcomes, .. } = made;
    index.take(BlockInput { height: *height, time: *time, transactions, outcomes }, state)
}

fn terms() -> Terms {
    let mut terms = Terms::granting([Right::Call]);
    terms.price.per_call = Price(1_000_000);
    terms
}

fn manifest(creator: AccountId) -> Manifest {
    let body = ModelBody {
        architecture: "llama".into(),
        context_tokens: 2048,
        format: "gguf".into(),
        modality: Modality::Text,
    };
    Manifest {
        ambar: 1,
        body: Body::Model(body),
        content: Content { bytes: 1, files: 1, sealed: None, table: ContentRoot([1; 32]) },
        creator,
        datanet: None,
        derived_from: Vec::new(),
        description: "Answers questions about ships.".into(),
        extensions: Vec::new(),
        fork: false,
        name: "harbour master".into(),
        previous: Vec::new(),
        royalty: vec![RoyaltyDeclaration { holder: creator, weight: Weight::ONE }],
        terms: terms().id(),
        uses: Vec::new(),
    }
}

/// A network with one call, whose channel is closed and paid out.
fn world() -> (World, Cid) {
    let (mut world, version) = market();
    let settle = settle(&world);
    world.block(vec![("carol", vec![settle])]);
    world.block(vec![("bob", vec![Operation::CloseChannel(0)])]);
    (0..WINDOW + 2).for_each(|_| world.block(vec![]));
    (world, version)
}

/// A network in which bob can call alice's capsule through carol's node.
fn market() -> (World, Cid) {
    let mut world = World::new();
    let people = [world.open("alice"), world.open("bob"), world.open("carol")];
    world.block(people.into_iter().map(|open| ("faucet", open)).collect());
    let manifest = SignedManifest::sign(&manifest(world.id("alice")), world.network, &key("alice"));
    let version = manifest.id();
    let publish = Publish {
        manifest,
        terms: Some(terms().to_document()),
        contributors: None,
        grants: Vec::new(),
        derives: Vec::new(),
    };
    let register = RegisterNode::new(world.network, &key("carol"), &world.id("carol"), Price(500));
    let name = RegisterName { name: "harbour".into(), version };
    world.block(vec![
        ("alice", vec![Operation::Publish(publish), Operation::RegisterName(name)]),
        ("carol", vec![Operation::RegisterNode(register)]),
    ]);
    let allow = AllowServing { version, node: key("carol").public(), allowed: true };
    let accept = Accept { version, terms: terms().id(), territory: None, offer: None };
    world.block(vec![
        ("alice", vec![Operation::AllowServing(allow)]),
        ("bob", vec![Operation::Accept(accept), Operation::OpenChannel(channel())]),
    ]);
    (world, version)
}

fn channel() -> OpenChannel {
    OpenChannel {
        session_key: key("session").public(),
        gateway: key("carol").public(),
        grants: vec![0],
        amount: Price(Price::CREDIT.0),
        unit_price_max: Price::CREDIT,
        expires: START.after(Moment::DAY_MS),
        vouchers: false,
    }
}

fn settle(world: &World) -> Operation {
    let counters = Counters::new([(Counter::TokensIn, 10), (Counter::TokensOut, 20)]);
    let bill = bill::line_bill(&counters, &terms().price, &Tariff::standard(), Price(500)).unwrap();
    let bill::LineBill { mu, royalty, node_fee } = bill;
    let shares = Vec::new();
    let line =
        Line { version: 0, grant: 0, node: 0, tariff: 0, counters, mu, royalty, node_fee, shares };
    let sum = Price(royalty.0 + node_fee.0);
    let leaf = Leaf {
        call: call_id(0, &Digest::of(b"holder"), "key"),
        outcome: CallOutcome::Full,
        lines: vec![line],
        network_fee: bill::network_fee(sum, world.genesis.parameters.network_fee),
        details: Digest::of(b"details"),
        ..Leaf::void(0, 0, world.ledger.height(), world.ledger.time())
    };
    let leaves = vec![leaf];
    let header = BatchHeader::of(0, 0, &leaves).unwrap();
    let sign = |lines: &ambar_receipt::NodeLines| lines.sign(world.network, (0, 0), &key("carol"));
    let nodes = header.nodes.iter().map(sign).collect();
    let signature = header.sign(world.network, &key("carol"));
    let signers = BatchSigners::single(key("carol").public(), &header);
    let batch = SignedBatch { header, signature, nodes };
    Operation::Settle(Settle { batch, signers, leaves, vouchers: Vec::new() })
}

fn index(directory: &std::path::Path, world: &World) -> Index {
    Index::open(directory, &world.genesis, 1 << 20).unwrap()
}

fn balance(index: &Index, account: &AccountId) -> i128 {
    let rows = index.statement(account, None, 1_000).unwrap();
    let signed = |amount: Amount| i128::try_from(amount.0).unwrap();
    let rows = rows.iter().map(|row| (row.entry.incoming, signed(row.entry.amount)));
    rows.map(|(incoming, amount)| if incoming { amount } else { -amount }).sum()
}

/// The rows of these people and of the reserved accounts sum to their balances.
fn assert_sums(world: &World, index: &Index, people: &[&str]) {
    let reserved = ["burn", "network", "deposits"].map(AccountId::reserved);
    let people = people.iter().map(|name| world.id(name));
    for account in people.chain(reserved) {
        let (_, _, held) = world.ledger.account(&account.to_string()).unwrap();
        let held = i128::try_from(held.sum().unwrap().0).unwrap();
        assert_eq!(balance(index, &account), held, "{account}");
    }
}

#[test]
fn rows_sum_to_balances() {
    let (world, _) = world();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    world.take_all(&index);
    assert_sums(&world, &index, &["faucet", "alice", "bob", "carol"]);
    let kinds: Vec<EntryKind> = index
        .statement(&world.id("bob"), None, 100)
        .unwrap()
        .iter()
        .map(|row| row.entry.kind)
        .collect();
    use EntryKind::{Channel, Deposit, Fee, Transfer};
    assert_eq!(kinds, [Transfer, Fee, Deposit, Channel, Fee, Channel, Deposit]);
}

/// Bonds of validators that come back or are burned, by nobody's and by somebody's report.
#[test]
fn bonds_are_in_statements() {
    let mut world = World::new();
    world.block(["alice", "bob"].map(|name| ("faucet", world.open(name))).into());
    let register = |world: &World, name: &str| {
        let register = RegisterValidator::new(world.network, &key(name), &world.id(name));
        vec![Operation::RegisterValidator(register)]
    };
    let acts = ["alice", "bob"].map(|name| (name, register(&world, name)));
    world.block(acts.into());
    world.block(vec![("bob", vec![Operation::RetireValidator])]);
    (0..WINDOW).for_each(|_| world.block(vec![]));
    world.block(vec![("bob", vec![Operation::WithdrawBond])]);
    let report = |world: &World, name: &str| {
        let proposal = Proposal { parent_view: 0, block: Digest::ZERO };
        let cast = |statement| Ballot::cast(&key(name), world.network, (0, 1), statement);
        let votes = (cast(Statement::Nullify), cast(Statement::Finalize(proposal)));
        Evidence::new(key(name).public(), (0, 1), votes.0, votes.1).unwrap()
    };
    let by_bob = Operation::ReportConflict(report(&world, "faucet"));
    world.block(vec![("bob", vec![by_bob])]);
    let by_nobody = SignedTransaction::report(world.network, report(&world, "alice"));
    world.transact(vec![by_nobody.to_bytes()]);
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    world.take_all(&index);
    assert_sums(&world, &index, &["faucet", "alice", "bob"]);
    let rows = |account: &AccountId| {
        let rows = index.statement(account, None, 100).unwrap().into_iter();
        rows.map(|row| (row.entry.kind, row.entry.incoming, row.entry.counterpart))
            .collect::<Vec<_>>()
    };
    let [bond, back] = [false, true].map(|incoming| (EntryKind::Bond, incoming, None));
    assert!(rows(&world.id("alice")).contains(&bond) && !rows(&world.id("alice")).contains(&back));
    assert!(rows(&world.id("bob")).contains(&bond) && rows(&world.id("bob")).contains(&back));
    assert!(rows(&world.id("faucet")).contains(&bond));
    let burned = rows(&AccountId::reserved("burn"));
    for cheater in ["alice", "faucet"] {
        let fees = burned.iter().filter(|row| row.2 == Some(world.id(cheater))).count();
        let acted = if cheater == "faucet" { 2 } else { 1 };
        assert_eq!(fees, acted + 1, "{cheater}");
    }
}

/// Rules that change hold from the next block, in statements as on the ledger.
#[test]
fn changed_rules_hold_from_the_next_block() {
    let mut world = World::new();
    let mut rules = world.genesis.parameters.clone();
    (rules.burn, rules.validator_bond) = (Weight::ZERO, Price(7));
    let set = vec![Operation::SetParameters(rules)];
    world.block(vec![("faucet", set), ("faucet", world.open("alice"))]);
    let register = RegisterValidator::new(world.network, &key("alice"), &world.id("alice"));
    world.block(vec![("alice", vec![Operation::RegisterValidator(register)])]);
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    world.take_all(&index);
    assert_sums(&world, &index, &["faucet", "alice"]);
}

#[test]
fn receipts_and_the_catalogue_are_found() {
    let (world, version) = world();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    world.take_all(&index);
    let receipts = index.receipts_of_account(&world.id("bob"), 10).unwrap();
    assert_eq!(receipts.len(), 1);
    assert_eq!(index.receipts_of_channel(0, 10).unwrap(), receipts);
    assert_eq!(index.receipt(0, 0).unwrap().as_ref(), receipts.first());
    assert_eq!(index.receipts_of_account(&world.id("alice"), 10).unwrap(), []);
    let batch = index.batch(0, 0).unwrap().unwrap();
    assert_eq!((batch.height, batch.outcome, batch.operation), (Height(4), 1, 0));
    let hits = index.search("ships harbour", None, 10).unwrap();
    assert_eq!(hits.iter().map(|hit| (hit.row.id, hit.score)).collect::<Vec<_>>(), [(version, 5)]);
    assert_eq!(index.search("ships", Some("dataset"), 10).unwrap(), []);
    assert_eq!(index.names(0).unwrap(), ["harbour"]);
    assert_eq!(index.changes(0, 10).unwrap().len(), 1);
    assert_eq!(index.grants(&world.id("bob")).unwrap(), [0]);
    assert_eq!(index.first_key(&world.id("bob")).unwrap(), Some(key("bob").public()));
}

#[test]
fn a_stop_in_between_changes_nothing() {
    let (world, _) = world();
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at_once = index(whole.path(), &world);
    world.take_all(&at_once);
    for made in &world.blocks {
        let part = index(parts.path(), &world);
        assert_eq!(part.cursor().after(1), made.height);
        take(&part, made, &made.after).unwrap();
        // A block that was taken in changes nothing.
        take(&part, made, &made.after).unwrap();
        part.flush().unwrap();
    }
    let resumed = index(parts.path(), &world);
    for name in ["faucet", "alice", "bob", "carol"] {
        let id = world.id(name);
        let rows = resumed.statement(&id, None, 1_000).unwrap();
        assert_eq!(rows, at_once.statement(&id, None, 1_000).unwrap());
        let page = resumed.statement(&id, Some((rows[0].height, rows[0].ordinal)), 1).unwrap();
        assert_eq!(page[..], rows[1..2.min(rows.len())]);
    }
}

#[test]
fn refusals_are_typed() {
    let (world, _) = world();
    let directory = tempfile::tempdir().unwrap();
    let index = index(directory.path(), &world);
    let order = take(&index, &world.blocks[1], &world.blocks[1].after);
    assert_eq!(order, Err(IndexError::Order { given: Height(2), next: Height(1) }));
    for made in &world.blocks[..3] {
        take(&index, made, &made.after).unwrap();
    }
    // The head's state has forgotten the batch's facts.
    let late = take(&index, &world.blocks[3], &world.ledger);
    assert_eq!(late, Err(IndexError::FactsForgotten(0, 0)));
    assert_eq!(index.cursor(), Height(3));
    drop(index);
    let other = Genesis { salt: [8; 32], ..world.genesis.clone() };
    let mismatch = Index::open(directory.path(), &other, 1 << 20).err();
    assert_eq!(mismatch, Some(IndexError::Mismatch));
}

/// The index's disk fills up in the middle of the blocks, more than once.
#[test]
fn a_full_disk_is_waited_out() {
    let (world, version) = world();
    let reference = tempfile::tempdir().unwrap();
    let whole = index(reference.path(), &world);
    world.take_all(&whole);
    for writes in 0..2 {
        let disk = Disk::default();
        let open = |disk: Disk| Index::open_on(Box::new(disk), &world.genesis, 1 << 20).unwrap();
        let index = open(disk.clone());
        for made in &world.blocks {
            disk.allow(Some(writes));
            let full = match take(&index, made, &made.after) {
                Ok(()) => index.flush(),
                refused => refused,
            };
            assert_eq!(full, Err(IndexError::DiskFull), "{writes}");
            // What was taken in is read, and nothing more is taken in.
            assert_eq!(index.cursor(), made.height);
            let next = world.blocks.iter().find(|next| next.height == made.height.after(1));
            if let Some(next) = next {
                assert_eq!(take(&index, next, &next.after), Err(IndexError::DiskFull));
            }
            let faucet = index.statement(&world.id("faucet"), None, 1_000).unwrap();
            assert!(faucet.iter().any(|row| row.height == made.height) || made.height.0 > 1);
            assert!(open(disk.image()).cursor() < made.height, "nothing half-written is kept");
            disk.allow(None);
            index.flush().unwrap();
            assert_eq!(open(disk.image()).cursor(), made.height);
        }
        assert_eq!(index.changes(0, 10).unwrap()[0].id, version);
        for name in ["faucet", "alice", "bob", "carol"] {
            let rows = |index: &Index| index.statement(&world.id(name), None, 1_000).unwrap();
            assert_eq!(rows(&index), rows(&whole));
            assert_eq!(rows(&open(disk.image())), rows(&whole));
        }
    }
}
