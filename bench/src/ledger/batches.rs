//! A network with everything that a call refers to, and signed batches of calls.

use crate::world::{World, contributors, dataset, derived, key, model, prompt, shares, terms};
use ambar_base::{Cid, Digest, Encode, Price};
use ambar_ledger::Operation;
use ambar_ledger::transaction::{Actor, BatchSigners, Envelope, Settle, TRANSACTION_VERSION};
use ambar_licence::Right;
use ambar_receipt::{BatchHeader, Counter, Leaf, Line, SignedBatch, call_id};

/// Channels that take turns.
pub const CHANNELS: u64 = 64;
/// Credits of one channel: more than its calls cost.
const CHANNEL_CREDITS: Price = Price(1_400_000_000);
/// Heights within which a batch may apply.
const EXPIRY_HEIGHTS: u64 = 100_000;
const CONTRIBUTORS: [&str; 8] = ["Ada", "Ben", "Cleo", "Dov", "Eva", "Finn", "Gil", "Hana"];

/// A network with everything that a call refers to.
pub struct Market {
    /// The network.
    pub world: World,
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
    /// Opens every account, capsule, grant and channel.
    pub fn new() -> Self {
        let mut world = World::new();
        for name in ["author", "caller", "curator", "developer", "operator", "pretrainer", "tuner"]
        {
            world.person(name);
        }
        let node = world.node("operator");
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
        for (owner, id) in [("author", ask_id), ("developer", llm_id), ("curator", data_id)] {
            world.serve(owner, id, "operator");
        }
        let grant = world.accept("caller", ask_id).expect(accepted);
        let channels = (0..CHANNELS)
            .map(|_| world.channel("caller", "operator", vec![grant], CHANNEL_CREDITS))
            .collect();
        world.block(1000);
        let tokens = [(Counter::TokensIn, 256), (Counter::TokensOut, 64)];
        let mut passages = world.line(data, data_grant, node, &[(Counter::RetrievedBytes, 700)]);
        let weights: Vec<_> = (0..8).map(|index| (index, 112_500_000)).collect();
        passages.shares = vec![shares(data, 1, &weights)];
        let lines = vec![
            world.line(ask, grant, node, &[]),
            world.line(llm, llm_grant, node, &tokens),
            passages,
        ];
        Self { world, node, channels, lines }
    }

    /// Call number `index` of a run: channels take turns.
    fn leaf(&self, index: u64) -> Leaf {
        let channel = self.channels[(index % CHANNELS) as usize];
        let n = index / CHANNELS;
        let call = call_id(channel, &Digest::of(b"holder"), &n.to_string());
        let details = Digest::of(&call.0);
        Leaf { call, details, ..self.world.leaf(channel, n, self.lines.clone()) }
    }

    /// The encoded transaction that settles batch `number` of a run.
    fn batch(&self, number: u64, leaves: Vec<Leaf>) -> Vec<u8> {
        let (network, secret) = (self.world.network, key("operator's node"));
        let header = BatchHeader::of(self.node, number, &leaves)
            .expect("the leaves are as many as a batch may hold");
        let sign =
            |lines: &ambar_receipt::NodeLines| lines.sign(network, (self.node, number), &secret);
        let nodes = header.nodes.iter().map(sign).collect();
        let signature = header.sign(network, &secret);
        let signers = BatchSigners::single(secret.public(), &header);
        let batch = SignedBatch { header, signature, nodes };
        let envelope = Envelope {
            network,
            version: TRANSACTION_VERSION,
            actor: Actor::Node(self.node),
            nonce: number,
            expires: self.world.ledger.height().after(EXPIRY_HEIGHTS),
            fee_payer: None,
            fee_cap: Price::CREDIT,
            operations: vec![Operation::Settle(Settle { batch, signers, leaves })],
        };
        envelope.sign(&secret).to_bytes()
    }

    /// The transactions that settle `calls` calls in batches of `size`.
    pub fn batches(&self, calls: u64, size: u64) -> Vec<Vec<u8>> {
        let batch = |number| {
            let leaves = (number * size..(number + 1) * size).map(|index| self.leaf(index));
            self.batch(number, leaves.collect())
        };
        (0..calls / size).map(batch).collect()
    }
}
