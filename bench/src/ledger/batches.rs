//! A network with everything that a call refers to, and signed batches of calls.

use crate::world::{World, contributors, dataset, derived, key, model, prompt, shares, terms};
use ambar_base::{Cid, Digest, Encode, Height, Inception, Moment, Price};
use ambar_ledger::transaction::{Actor, BatchSigners, Envelope, Settle, TRANSACTION_VERSION};
use ambar_ledger::{Genesis, Operation};
use ambar_licence::Right;
use ambar_receipt::{BatchHeader, Counter, Leaf, Line, SignedBatch, call_id};
use std::ops::Range;

/// Credits of one gateway's channels together: more than their calls cost, less than a
/// caller has.
const CALLER_CREDITS: Price = Price(90_000_000_000);
/// Heights within which a batch may apply.
const EXPIRY_HEIGHTS: u64 = 100_000;
const CONTRIBUTORS: [&str; 8] = ["Ada", "Ben", "Cleo", "Dov", "Eva", "Finn", "Gil", "Hana"];

/// A network with everything that a call refers to.
pub struct Market {
    /// The network.
    pub world: World,
    /// When calls are admitted.
    pub admitted: (Height, Moment),
    /// Its gateways, which serve as well.
    pub gateways: Vec<Gateway>,
}

/// A gateway and what is called through it.
pub struct Gateway {
    operator: String,
    node: u64,
    channels: Vec<u64>,
    /// A call's lines: they are the same for each call.
    lines: Vec<Line>,
}

/// A model derived from two others: its plan pays three royalty lines.
fn derived_model(world: &mut World) -> (u64, Cid) {
    let rights = [Right::Call, Right::Compose];
    let mut parents = Vec::new();
    for name in ["pretrainer", "tuner"] {
        let manifest = model(world.id(name));
        let (_, id) = publish(world, name, manifest, &terms(&rights, 1, 0));
        parents.push((id, 200_000_000));
    }
    let manifest = derived(world.id("developer"), &parents);
    publish(world, "developer", manifest, &terms(&rights, 200_000, 0))
}

fn publish(
    world: &mut World,
    name: &str,
    manifest: ambar_capsule::Manifest,
    terms: &ambar_licence::Terms,
) -> (u64, Cid) {
    world.publish(name, manifest, terms, None, vec![]).expect("the ledger's tests publish so")
}

fn datanet(world: &mut World) -> (u64, Cid) {
    let table = contributors(&CONTRIBUTORS);
    let rule = terms(&[Right::Call, Right::Compose], 9_000, 0);
    let manifest = dataset(world.id("curator"), &table);
    let published = world.publish("curator", manifest, &rule, Some(&table), vec![]);
    published.expect("the ledger's tests publish so")
}

impl Market {
    /// Opens every account, capsule, grant and channel of a network with so many gateways and
    /// so many channels to each, which take turns.
    pub fn new(gateways: usize, channels: u64, change: impl FnOnce(&mut Genesis)) -> Self {
        let mut world = World::with(change);
        for name in ["author", "curator", "developer", "pretrainer", "tuner"] {
            world.person(name);
        }
        let ((llm, llm_id), (data, data_id)) = (derived_model(&mut world), datanet(&mut world));
        let accepted = "everybody may accept these terms";
        let llm_grant = world.accept("author", llm_id).expect(accepted);
        let data_grant = world.accept("author", data_id).expect(accepted);
        let manifest = prompt(world.id("author"), llm_id, data_id);
        let rule = terms(&[Right::Call], 0, 100_000);
        let grants = vec![llm_grant, data_grant];
        let (ask, ask_id) = world
            .publish("author", manifest, &rule, None, grants)
            .expect("the author holds a grant for each component");
        let opened = (0..gateways).map(|index| {
            let (operator, caller) = (format!("operator {index}"), format!("caller {index}"));
            world.person(&operator);
            world.person(&caller);
            let grant = world.accept(&caller, ask_id).expect(accepted);
            let node = world.node(&operator);
            for (owner, id) in [("author", ask_id), ("developer", llm_id), ("curator", data_id)] {
                world.serve(owner, id, &operator);
            }
            let credits = Price(CALLER_CREDITS.0 / channels);
            let channels = (0..channels)
                .map(|_| world.channel(&caller, &operator, vec![grant], credits))
                .collect::<Vec<_>>();
            (operator, node, grant, channels)
        });
        let opened: Vec<_> = opened.collect();
        world.block(1000);
        let tokens = [(Counter::TokensIn, 256), (Counter::TokensOut, 64)];
        let gateways = opened.into_iter().map(|(operator, node, grant, channels)| {
            let read = [(Counter::RetrievedBytes, 700)];
            let mut passages = world.line(data, data_grant, node, &read);
            let weights: Vec<_> = (0..8).map(|index| (index, 112_500_000)).collect();
            passages.shares = vec![shares(data, 1, &weights)];
            let lines = vec![
                world.line(ask, grant, node, &[]),
                world.line(llm, llm_grant, node, &tokens),
                passages,
            ];
            Gateway { operator, node, channels, lines }
        });
        let gateways = gateways.collect();
        let admitted = (world.ledger.height(), world.ledger.time());
        Self { world, admitted, gateways }
    }

    /// A gateway's call number `index` of a run: channels take turns.
    fn leaf(&self, gateway: &Gateway, index: u64) -> Leaf {
        let turns = gateway.channels.len() as u64;
        let (channel, n) = (gateway.channels[(index % turns) as usize], index / turns);
        let call = call_id(channel, &Digest::of(b"holder"), &n.to_string());
        let details = Digest::of(&call.0);
        let (admitted, time) = self.admitted;
        Leaf { call, details, admitted, time, ..self.world.leaf(channel, n, gateway.lines.clone()) }
    }

    /// The encoded transaction that settles a gateway's batch `number` of a run.
    fn batch(&self, gateway: &Gateway, number: u64, leaves: Vec<Leaf>) -> Vec<u8> {
        let secret = key(&format!("{}'s node", gateway.operator));
        let (network, node) = (self.world.network, gateway.node);
        let header = BatchHeader::of(node, number, &leaves)
            .expect("the leaves are as many as a batch may hold");
        let sign = |lines: &ambar_receipt::NodeLines| lines.sign(network, (node, number), &secret);
        let nodes = header.nodes.iter().map(sign).collect();
        let signature = header.sign(network, &secret);
        let signers = BatchSigners::single(secret.public(), &header);
        let batch = SignedBatch { header, signature, nodes };
        let envelope = Envelope {
            network,
            version: TRANSACTION_VERSION,
            actor: Actor::Node(node),
            nonce: number,
            expires: self.world.ledger.height().after(EXPIRY_HEIGHTS),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations: vec![Operation::Settle(Settle {
                batch,
                signers,
                leaves,
                vouchers: Vec::new(),
            })],
        };
        envelope.sign(&secret).to_bytes()
    }

    /// The transaction with which a gateway's operator opens `count` accounts: number `number`
    /// of a run.
    pub fn opening(&self, gateway: usize, number: u64, count: u64) -> Vec<u8> {
        let (network, operator) = (self.world.network, &self.gateways[gateway].operator);
        let accounts = (0..count).map(|index| {
            let first = key(&format!("{operator}'s account {number}.{index}"));
            let inception = Inception::single(first.public()).sign(network, &first);
            Operation::CreateAccount(inception)
        });
        let mut envelope = self.world.envelope(operator, accounts.collect());
        envelope.nonce += number;
        envelope.expires = self.world.ledger.height().after(EXPIRY_HEIGHTS);
        envelope.sign(&key(operator)).to_bytes()
    }

    /// The transactions that settle a gateway's batches of these numbers, of `size` calls each.
    pub fn batches(&self, gateway: usize, numbers: Range<u64>, size: u64) -> Vec<Vec<u8>> {
        let gateway = &self.gateways[gateway];
        let batch = |number| {
            let calls = number * size..(number + 1) * size;
            let leaves = calls.map(|index| self.leaf(gateway, index));
            self.batch(gateway, number, leaves.collect())
        };
        numbers.map(batch).collect()
    }
}
