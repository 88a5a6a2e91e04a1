//! Random royalty graphs, prices and counters: every leaf's payouts sum to its price, they
//! reach who the plan says, and neither batching nor order nor a second run changes them.

use crate::world::{World, contributors, dataset, model};
use ambar_base::{AccountId, Amount, Cid, Digest, Price, Weight, weight};
use ambar_capsule::body::{AgentBody, Body};
use ambar_capsule::manifest::{Component, Parent, RoyaltyDeclaration};
use ambar_capsule::{Manifest, Party};
use ambar_ledger::object::{Datanet, Royalty, Version, reserved};
use ambar_ledger::query::State;
use ambar_ledger::{Key, MemoryLedger};
use ambar_licence::{PriceRule, Right, Terms};
use ambar_receipt::{Counter, Leaf, Line, Payee, Shares, bill};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;

const PEOPLE: usize = 14;
const CONTRIBUTORS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// One capsule of a graph.
#[derive(Clone, Debug)]
struct Node {
    /// Earlier capsules with raw claims on the royalty.
    parents: Vec<(Index, u32)>,
    /// Earlier capsules that are called within its calls.
    uses: Vec<Index>,
    /// Raw claims of its royalty lines.
    royalty: Vec<u32>,
    datanet: bool,
    price: [u64; 3],
}

/// One call: counters and which contributors shaped the answer, in raw claims.
#[derive(Clone, Debug)]
struct Call {
    tokens: [u64; 2],
    claims: Vec<u32>,
    methods: usize,
}

fn node() -> impl Strategy<Value = Node> {
    let price = prop_oneof![
        Just([0, 0, 1]),
        Just([0, 1, 0]),
        (0u64..5_000_000, 0u64..999, 0u64..9)
            .prop_map(|(per_mu, per_call, minimum)| [per_mu, per_call, minimum])
    ];
    (
        vec((any::<Index>(), 0u32..200), 0..4),
        vec(any::<Index>(), 0..3),
        vec(1u32..1000, 1..=8),
        any::<bool>(),
        price,
    )
        .prop_map(|(parents, uses, royalty, datanet, price)| Node {
            parents,
            uses,
            royalty,
            datanet,
            price,
        })
}

fn call() -> impl Strategy<Value = Call> {
    ([0u64..3000, 0u64..500], vec(0u32..5, CONTRIBUTORS.len()), 1usize..3)
        .prop_map(|(tokens, claims, methods)| Call { tokens, claims, methods })
}

/// Divides a weight by raw claims.
fn divide(whole: Weight, claims: &[u32]) -> Vec<Weight> {
    let tie = |index: usize| Digest::of(&index.to_le_bytes());
    let claims: Vec<_> =
        claims.iter().enumerate().map(|(i, claim)| (tie(i), u128::from(*claim))).collect();
    weight::apportion(whole, &claims).unwrap()
}

/// A network with a graph on it whose last capsule is called.
struct Grid {
    world: World,
    node: u64,
    channels: Vec<u64>,
    /// Version and grant of the called capsule and its components.
    parts: Vec<(u64, u64)>,
}

fn manifest(world: &World, spec: &Node, index: usize, earlier: &[Cid]) -> Manifest {
    let holder = |at: usize| world.id(&format!("person {}", at % PEOPLE));
    let table = contributors(&CONTRIBUTORS);
    let base = if spec.datanet { dataset(holder(0), &table) } else { model(holder(0)) };
    let weights = divide(Weight::ONE, &spec.royalty).into_iter().enumerate();
    let royalty = weights
        .filter(|(_, weight)| *weight > Weight::ZERO)
        .map(|(at, weight)| RoyaltyDeclaration { holder: holder(index * 3 + at), weight });
    let mut parents = BTreeMap::new();
    for (pick, claim) in &spec.parents {
        if !earlier.is_empty() {
            // Four parents of at most 20 % leave something to the capsule itself.
            parents.insert(*pick.get(earlier), Weight(claim * 1_000_000));
        }
    }
    let parents = parents.into_iter().map(|(version, share)| Parent { share, version });
    let name = format!("capsule {index}");
    Manifest { name, royalty: royalty.collect(), derived_from: parents.collect(), ..base }
}

fn price_terms([per_mu, per_call, minimum]: [u64; 3]) -> Terms {
    let mut terms = Terms::granting([Right::Call, Right::Compose]);
    let (per_mu, per_call, minimum) = (Price(per_mu), Price(per_call), Price(minimum));
    terms.price = PriceRule { per_mu, per_call, minimum };
    terms.derivatives.allowed = true;
    terms
}

impl Grid {
    fn new(nodes: &[Node]) -> Self {
        let mut world = World::with(|genesis| {
            (genesis.parameters.fee_base, genesis.parameters.fee_per_byte) = Default::default();
        });
        (0..PEOPLE).for_each(|at| {
            world.person(&format!("person {at}"));
        });
        world.person("operator");
        let node = world.node("operator");
        let mut grid = Self { world, node, channels: Vec::new(), parts: Vec::new() };
        let mut published: Vec<(u64, Cid)> = Vec::new();
        for (index, spec) in nodes.iter().enumerate() {
            let ids: Vec<_> = published.iter().map(|(_, id)| *id).collect();
            let manifest = manifest(&grid.world, spec, index, &ids);
            published.push(grid.publish(manifest, &price_terms(spec.price), vec![]));
        }
        grid.call_through(nodes, &published);
        grid
    }

    fn publish(&mut self, manifest: Manifest, terms: &Terms, grants: Vec<u64>) -> (u64, Cid) {
        let table = contributors(&CONTRIBUTORS);
        let table = manifest.datanet.is_some().then_some(&table);
        let world = &mut self.world;
        let (number, id) = world.publish("person 0", manifest, terms, table, grants).unwrap();
        world.serve("person 0", id, "operator");
        (number, id)
    }

    /// An agent on top uses some capsules of the graph and derives from the last one.
    fn call_through(&mut self, nodes: &[Node], published: &[(u64, Cid)]) {
        let last = nodes.last().unwrap();
        let mut used: Vec<_> = last.uses.iter().map(|pick| *pick.get(published)).collect();
        used.push(*published.last().unwrap());
        let mut uses = Vec::new();
        for (number, id) in used {
            let grant = self.world.accept("person 0", id).unwrap();
            self.parts.push((number, grant));
            uses.push(Component { role: format!("part {}", uses.len()), version: id });
        }
        let body = Body::Agent(AgentBody { instructions: "Ask.".into(), steps_max: 9 });
        let share = Weight(123_456_789);
        let derived_from = vec![Parent { share, version: published.last().unwrap().1 }];
        let agent = Manifest { body, uses, derived_from, ..model(self.world.id("person 1")) };
        let grants = self.parts.iter().map(|(_, grant)| *grant).collect();
        let (number, id) = self.publish(agent, &price_terms([7, 3, 0]), grants);
        let grant = self.world.accept("person 2", id).unwrap();
        self.parts.insert(0, (number, grant));
        self.channels = (0..2)
            .map(|_| self.world.channel("person 2", "operator", vec![grant], Price::CREDIT))
            .collect();
        self.world.block(10);
    }

    fn shares(&self, version: u64, call: &Call) -> Vec<Shares> {
        let object: Version = self.must(&Key::Version(version));
        let mut shares = Vec::new();
        for (party, whole) in object.plan.entries() {
            let Party::Datanet(datanet) = party else { continue };
            if call.claims.iter().all(|claim| *claim == 0) {
                continue;
            }
            let methods = divide(whole, &vec![1; call.methods]);
            for (method, part) in methods.into_iter().enumerate() {
                let parts = divide(part, &call.claims).into_iter().enumerate();
                let weights: Vec<_> = parts
                    .filter(|(_, weight)| *weight > Weight::ZERO)
                    .map(|(index, weight)| (index as u32, weight))
                    .collect();
                let (method, evidence) = (method as u16 + 1, Digest::of(b"evidence"));
                if !weights.is_empty() {
                    shares.push(Shares { datanet, method, weights, evidence });
                }
            }
        }
        shares
    }

    fn leaf(&self, index: u64, call: &Call) -> Leaf {
        let counts = [(Counter::TokensIn, call.tokens[0]), (Counter::TokensOut, call.tokens[1])];
        let line = |(version, grant): &(u64, u64)| Line {
            shares: self.shares(*version, call),
            ..self.world.line(*version, *grant, self.node, &counts)
        };
        let channel = self.channels[index as usize % 2];
        self.world.leaf(channel, index / 2, self.parts.iter().map(line).collect())
    }

    fn must<T: ambar_base::Decode>(&self, key: &Key) -> T {
        self.world.ledger.must("object", "", key).unwrap()
    }

    fn account(&self, payee: Payee) -> u64 {
        match payee {
            Payee::Royalty(line) => *self.must::<Royalty>(&Key::Royalty(line)).holder.latest(),
            Payee::Contributor(datanet, index) => {
                self.must::<Datanet>(&Key::Datanet(datanet)).contributors[index as usize]
            }
            Payee::Treasury(datanet) => self.must::<Datanet>(&Key::Datanet(datanet)).treasury,
            Payee::Node(_) => {
                let operator = self.world.id("operator").to_string();
                self.world.ledger.account_number(&operator).unwrap()
            }
            Payee::Network => reserved::NETWORK,
            Payee::Burn => reserved::BURN,
        }
    }

    /// What a leaf pays to whom, checked against its price.
    fn payouts(&self, leaf: &Leaf) -> BTreeMap<u64, Amount> {
        let mut paid: BTreeMap<u64, Amount> = BTreeMap::new();
        let mut pay = |payee, amount| {
            let sum = paid.entry(self.account(payee)).or_default();
            *sum = sum.checked_add(amount).unwrap();
        };
        for line in &leaf.lines {
            let version: Version = self.must(&Key::Version(line.version));
            bill::pay_line(line, &version.plan, &mut pay).unwrap();
        }
        let burn = self.world.genesis.parameters.burn;
        bill::pay_network_fee(leaf.network_fee, burn, &mut pay);
        let sum = ambar_base::amount::total(paid.values().copied());
        assert_eq!(sum, leaf.price().map(Amount::from), "payouts sum to the price");
        paid
    }

    fn balance(&self, number: u64) -> Amount {
        self.must::<ambar_ledger::object::Balance>(&Key::Balance(number)).sum().unwrap()
    }
}

/// Balances and channels: everything that holds money.
fn money(ledger: &MemoryLedger) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tables = [Key::Balance(0).table(), Key::Channel(0).table()];
    let held = |(key, _): &(&[u8], &[u8])| tables.iter().any(|table| key.starts_with(table));
    ledger.entries().filter(held).map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

fn settle(world: &World, node: u64, leaves: &[Leaf], size: usize) -> MemoryLedger {
    let mut world = world.clone();
    for batch in leaves.chunks(size) {
        world.settle("operator", node, batch.to_vec()).unwrap();
    }
    world.ledger
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn graphs_pay_exactly(
        nodes in vec(node(), 1..=12),
        calls in vec(call(), 1..9),
        size in 1usize..5,
    ) {
        let grid = Grid::new(&nodes);
        let leaves: Vec<_> = (0..).zip(&calls).map(|(n, call)| grid.leaf(n, call)).collect();
        let mut expect: BTreeMap<u64, Amount> = BTreeMap::new();
        for (account, amount) in leaves.iter().flat_map(|leaf| grid.payouts(leaf)) {
            let sum = expect.entry(account).or_insert_with(|| grid.balance(account));
            *sum = sum.checked_add(amount).unwrap();
        }
        let settled = settle(&grid.world, grid.node, &leaves, leaves.len());
        for (account, expect) in expect {
            let key = Key::Balance(account);
            let balance: ambar_ledger::object::Balance = settled.must("", "", &key).unwrap();
            prop_assert_eq!(balance.sum(), Some(expect));
        }
        let turned: Vec<_> = leaves.iter().rev().cloned().collect();
        prop_assert_eq!(money(&settled), money(&settle(&grid.world, grid.node, &turned, size)));
        let again = Grid::new(&nodes);
        prop_assert_eq!(settled, settle(&again.world, again.node, &leaves, leaves.len()));
    }

    /// Eight versions, each derived from the one before and with thirteen royalty lines.
    #[test]
    fn a_deep_chain_of_a_hundred_parties_pays_to_the_last_unit(
        royalty in vec(vec(100u32..1000, 13), 8),
        share in 40u32..180,
        price in 1u64..100,
    ) {
        let nodes: Vec<_> = royalty
            .into_iter()
            .map(|royalty| Node {
                parents: Vec::new(),
                uses: Vec::new(),
                royalty,
                datanet: false,
                price: [0, price, 0],
            })
            .collect();
        let mut world = World::new();
        let names: Vec<_> = (0..PEOPLE).map(|at| format!("person {at}")).collect();
        for name in &names {
            world.person(name);
        }
        let mut parent: Option<Cid> = None;
        for (index, spec) in nodes.iter().enumerate() {
            let mut manifest = manifest(&world, spec, index, &[]);
            let share = Weight(share * 5_000_000);
            manifest.derived_from.extend(parent.map(|version| Parent { share, version }));
            let terms = price_terms(spec.price);
            let (_, id) = world.publish("person 0", manifest, &terms, None, vec![]).unwrap();
            parent = Some(id);
        }
        let (_, version) = world.ledger.version(&parent.unwrap()).unwrap();
        let paid = version.plan.entries().map(|(_, weight)| Price(price).share(weight));
        prop_assert_eq!(ambar_base::amount::total(paid), Some(Amount::from(Price(price))));
        prop_assert_eq!(version.plan.entries().count(), 8 * 13);
    }
}

/// The burned part of a call is what the parameters say, to the last unit.
#[test]
fn the_network_burns_exactly() {
    let node = Node {
        parents: Vec::new(),
        uses: Vec::new(),
        royalty: vec![1],
        datanet: false,
        price: [1, 333, 0],
    };
    let grid = Grid::new(&[node]);
    let call = Call { tokens: [999, 77], claims: vec![0; 9], methods: 1 };
    let leaf = grid.leaf(0, &call);
    let burned = leaf.network_fee.share(grid.world.genesis.parameters.burn);
    let network = Amount(Amount::from(leaf.network_fee).0 - burned.0);
    let before = [reserved::BURN, reserved::NETWORK].map(|number| grid.balance(number).0);
    let mut world = grid.world.clone();
    world.settle("operator", grid.node, vec![leaf]).unwrap();
    let held = |name| world.balance(AccountId::reserved(name)).0;
    assert!(burned > Amount::ZERO);
    assert_eq!([held("burn"), held("network")], [before[0] + burned.0, before[1] + network.0]);
}
