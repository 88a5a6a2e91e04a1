//! Volume tiers: a call is billed at the tier that its grant had reached when it was admitted, and
//! ledger, gateway and verifier agree on which that is.
use crate::world::{World, derived, key, model, proof, terms};
use ambar_base::{Amount, Cid, Encode, ErrorCode, Price, codec};
use ambar_ledger::object::Volume;
use ambar_ledger::query::State;
use ambar_ledger::{Key, Refusal};
use ambar_licence::{PriceRule, PriceTier, Right, Terms};
use ambar_receipt::export::PlacedFact;
use ambar_receipt::fact::TierFact;
use ambar_receipt::{Counter, Fact, Leaf, ReceiptDocument, Report, verify};
use proptest::prelude::*;

const COUNTS: &[(Counter, u64)] = &[(Counter::TokensIn, 400), (Counter::TokensOut, 20)];

/// Per call, from so many calls on.
fn tiered(first: u64, tiers: &[(u64, u64)]) -> Terms {
    let rule = |per_call: u64| PriceRule { per_call: Price(per_call), ..PriceRule::default() };
    let tier = |(from_calls, per_call): &(u64, u64)| PriceTier {
        from_calls: *from_calls,
        price: rule(*per_call),
    };
    let tiers = tiers.iter().map(tier).collect();
    Terms { tiers, ..terms(&[Right::Call], 0, first) }
}

struct Market {
    world: World,
    version: u64,
    grant: u64,
    /// Gateway and channel of two operators.
    doors: [(u64, u64); 2],
}

const OPERATORS: [&str; 2] = ["olga", "otto"];

fn market(terms: &Terms) -> Market {
    let mut world = World::new();
    for name in ["ana", "ben", "olga", "otto"] {
        world.person(name);
    }
    let ana = world.id("ana");
    let (version, id) = world.publish("ana", model(ana), terms, None, vec![]).unwrap();
    let grant = world.accept("ben", id).unwrap();
    let doors = OPERATORS.map(|name| {
        let node = world.node(name);
        world.serve("ana", id, name);
        (node, world.channel("ben", name, vec![grant], Price(30 * Price::CREDIT.0)))
    });
    world.block(1_000);
    Market { world, version, grant, doors }
}

impl Market {
    /// Call `n` through one of the gateways, admitted now.
    fn leaf(&self, door: usize, n: u64) -> Leaf {
        let (node, channel) = self.doors[door];
        let line = self.world.line(self.version, self.grant, node, COUNTS);
        self.world.leaf(channel, n, vec![line])
    }

    fn settle(&mut self, door: usize, leaves: Vec<Leaf>) -> Result<(), Refusal> {
        self.world.settle(OPERATORS[door], self.doors[door].0, leaves)
    }

    fn volume(&self) -> Option<Volume> {
        self.world.ledger.object(&Key::Volume(self.grant)).unwrap()
    }

    fn verified(&self, document: &ReceiptDocument) -> Report {
        let file = document.seal(&key(&format!("{}'s node", OPERATORS[0])));
        verify(&file, Some(&proof::checkpoint(&self.world)))
    }
}

fn royalty(leaf: &Leaf) -> u64 {
    leaf.lines[0].royalty.0
}

/// The same call at another royalty.
fn priced(leaf: &Leaf, royalty: u64) -> Leaf {
    let mut leaf = leaf.clone();
    leaf.lines[0].royalty = Price(royalty);
    let sum = leaf.lines[0].royalty.checked_add(leaf.lines[0].node_fee).unwrap();
    leaf.network_fee = ambar_receipt::bill::network_fee(sum, ambar_base::Weight(20_000_000));
    leaf
}

fn code(result: Result<(), Refusal>) -> Option<ErrorCode> {
    result.err().map(|refusal| refusal.code)
}

#[test]
fn the_price_changes_with_the_next_height() {
    let mut market = market(&tiered(900_000, &[(2, 500_000), (3, 100_000)]));
    assert_eq!(market.volume(), None, "nothing is kept before the first call");
    let first = market.leaf(0, 0);
    assert_eq!(royalty(&first), 900_000);
    market.settle(0, vec![first]).unwrap();
    // The second settles in the same block as a third that was admitted with it.
    let (second, third, late) = (market.leaf(0, 1), market.leaf(0, 2), market.leaf(0, 3));
    market.settle(0, vec![second]).unwrap();
    assert_eq!(market.volume().map(|volume| volume.calls), Some(2));
    assert_eq!(royalty(&market.leaf(0, 2)), 900_000, "not at the height of the settlement");
    assert_eq!(
        code(market.settle(0, vec![priced(&third, 500_000)])),
        Some(ErrorCode::ReceiptInvalid)
    );
    market.settle(0, vec![third]).unwrap();
    market.world.block(1_000);
    // Two tiers were reached in one block: the last counts.
    let now = market.leaf(0, 4);
    assert_eq!(royalty(&now), 100_000);
    assert_eq!(
        code(market.settle(0, vec![priced(&now, 900_000)])),
        Some(ErrorCode::ReceiptInvalid)
    );
    assert_eq!(
        code(market.settle(0, vec![priced(&late, 100_000)])),
        Some(ErrorCode::ReceiptInvalid)
    );
    market.settle(0, vec![late, now]).unwrap();
    assert_eq!(market.volume().map(|volume| (volume.calls, *volume.tier.latest())), Some((5, 2)));
}

#[test]
fn calls_of_two_gateways_count_together() {
    let mut market = market(&tiered(900_000, &[(2, 500_000)]));
    let (one, other) = (market.leaf(0, 0), market.leaf(1, 0));
    let under_way = market.leaf(1, 1);
    market.settle(0, vec![one]).unwrap();
    market.settle(1, vec![other]).unwrap();
    market.world.block(1_000);
    let next = [market.leaf(0, 1), market.leaf(1, 2)];
    assert_eq!(next.each_ref().map(royalty), [500_000; 2], "both see it at once");
    let [first, second] = next;
    market.settle(0, vec![first]).unwrap();
    market.settle(1, vec![second, under_way]).unwrap();
    assert_eq!(market.volume().map(|volume| volume.calls), Some(5));
}

#[test]
fn grants_without_tiers_keep_nothing() {
    let mut market = market(&tiered(900_000, &[]));
    let leaf = market.leaf(0, 0);
    market.settle(0, vec![leaf]).unwrap();
    let table = Key::Volume(0).table();
    assert!(market.world.ledger.entries().all(|(key, _)| !key.starts_with(&table)));
}

#[test]
fn parents_get_their_floor_in_the_last_tier() {
    let mut world = World::new();
    for name in ["ana", "cleo"] {
        world.person(name);
    }
    let mut floor = terms(&[Right::Call], 0, 1);
    floor.derivatives.floor_per_call = Price(60_000);
    let (ana, cleo) = (world.id("ana"), world.id("cleo"));
    let (_, parent): (u64, Cid) = world.publish("cleo", model(cleo), &floor, None, vec![]).unwrap();
    let manifest = || derived(ana, &[(parent, 100_000_000)]);
    let mut publish = |tiers: &[(u64, u64)]| {
        world.publish("ana", manifest(), &tiered(900_000, tiers), None, vec![])
    };
    let short = publish(&[(10, 700_000), (20, 599_999)]);
    assert_eq!(short.unwrap_err().code, ErrorCode::NotAuthorised);
    publish(&[(10, 700_000), (20, 600_000)]).unwrap();
}

/// A market in which the second call reached a tier, and the receipts of the calls around it.
fn around() -> (Market, Vec<ReceiptDocument>) {
    let mut market = market(&tiered(900_000, &[(2, 500_000)]));
    let early = market.leaf(0, 2);
    let before = vec![market.leaf(0, 0), market.leaf(0, 1)];
    market.settle(0, before).unwrap();
    market.world.block(1_000);
    let leaves = [early, market.leaf(0, 3)];
    assert_eq!(leaves.each_ref().map(royalty), [900_000, 500_000]);
    let node = market.doors[0].0;
    let documents = proof::settle(&mut market.world, OPERATORS[0], node, &leaves);
    (market, documents)
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report.checks.iter().filter(|check| !check.ok);
    failed.map(|check| check.name).collect()
}

fn tier_of(document: &ReceiptDocument) -> (usize, TierFact) {
    let found = document.facts.iter().enumerate().find_map(|(at, placed)| {
        match codec::decode(&placed.fact).unwrap() {
            Fact::Tier(tier) => Some((at, tier)),
            _ => None,
        }
    });
    found.unwrap()
}

#[test]
fn receipts_recompute_the_tier_offline() {
    let (market, documents) = around();
    for mut document in documents {
        let report = market.verified(&document);
        assert!(report.ok, "{report:#?}");
        let (at, tier) = tier_of(&document);
        // Another tier, as of the same heights.
        let forged = Fact::Tier(TierFact { tier: 1 - tier.tier, ..tier });
        let honest = document.facts[at].clone();
        document.facts[at].fact = forged.to_bytes();
        let report = market.verified(&document);
        assert_eq!(failed(&report), ["facts-root", "royalty"], "{report:#?}");
        let unknown = Fact::Tier(TierFact { tier: 7, ..tier });
        document.facts[at].fact = unknown.to_bytes();
        assert!(failed(&market.verified(&document)).contains(&"facts-root"));
        document.facts[at] = honest;
        document.facts.remove(at);
        let report = market.verified(&document);
        assert!(failed(&report).contains(&"facts-complete") && !report.ok, "{report:#?}");
    }
}

#[test]
fn a_tier_of_another_time_is_no_fact_of_this_call() {
    let (market, documents) = around();
    let (_, early) = tier_of(&documents[0]);
    let (at, late) = tier_of(&documents[1]);
    assert_eq!((early.tier, late.tier, early.span.until), (0, 1, Some(late.span.from)));
    let mut later = documents[1].clone();
    let (from, _) = tier_of(&documents[0]);
    let swapped: PlacedFact = documents[0].facts[from].clone();
    later.facts[at] = swapped;
    assert!(failed(&market.verified(&later)).contains(&"facts-complete"));
}

/// Tiers that fall, as (calls more, part of the price before in 256ths).
fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((1u64..6, 0u64..=256), 0..=8)
}

fn falling(steps: &[(u64, u64)]) -> Terms {
    let (mut calls, mut price) = (0, 900_000);
    let tiers: Vec<_> = steps
        .iter()
        .map(|(more, part)| {
            calls += more;
            price = price * part / 256;
            (calls, price)
        })
        .collect();
    tiered(900_000, &tiers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A much simpler machine says what each call costs; the ledger takes no other price, and
    /// every receipt recomputes.
    #[test]
    fn ledger_gateway_and_verifier_agree(
        steps in steps(), blocks in prop::collection::vec((1usize..4, any::<bool>()), 1..9),
    ) {
        let terms = falling(&steps);
        prop_assert_eq!(terms.check(), Ok(()));
        let mut market = market(&terms);
        let (mut settled, mut n, mut spent) = (0u64, [0u64; 2], 0u64);
        for (calls, second) in blocks {
            let door = usize::from(second);
            let at = terms.tiers.iter().rev().find(|tier| tier.from_calls <= settled);
            let expect = at.map_or(terms.price, |tier| tier.price).per_call.0;
            let leaves: Vec<_> = (0..calls as u64).map(|more| market.leaf(door, n[door] + more)).collect();
            for leaf in &leaves {
                prop_assert_eq!(royalty(leaf), expect, "after {} calls", settled);
                spent += leaf.price().unwrap().0;
            }
            let wrong = priced(&leaves[0], expect + 1);
            prop_assert_eq!(code(market.settle(door, vec![wrong])), Some(ErrorCode::ReceiptInvalid));
            let node = market.doors[door].0;
            for document in proof::settle(&mut market.world, OPERATORS[door], node, &leaves) {
                let file = document.seal(&key(&format!("{}'s node", OPERATORS[door])));
                let report = verify(&file, Some(&proof::checkpoint(&market.world)));
                prop_assert!(report.ok, "{:#?}", report);
            }
            market.world.ledger.check().unwrap();
            settled += calls as u64;
            n[door] += calls as u64;
            market.world.block(1_000);
        }
        let taken: Vec<_> =
            market.doors.iter().map(|(_, channel)| market.world.channel_state(*channel).spent).collect();
        let taken = ambar_base::amount::total(taken);
        prop_assert_eq!(taken, Some(Amount::from(Price(spent))));
        let counted = market.volume().map_or(0, |volume| volume.calls);
        prop_assert_eq!(counted, if terms.tiers.is_empty() { 0 } else { settled });
    }
}
