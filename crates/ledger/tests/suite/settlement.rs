//! One call crosses every kind of party, and the ledger believes nothing it can recompute.

use crate::world::story::{Story, story};
use crate::world::{World, model, terms};
use ambar_base::{AccountId, Amount, Digest, ErrorCode, Height, Price, Weight};
use ambar_capsule::Manifest;
use ambar_ledger::object::{Lease, Version};
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{SetAsk, TakeLease, TransferLine, TransferRoyalty};
use ambar_ledger::{Key, Operation};
use ambar_licence::{Period, Quota, Right};
use ambar_receipt::{CallOutcome, Counter, Leaf};

#[test]
fn everybody_on_the_way_is_paid_exactly() {
    let mut story = story();
    let leaf = story.leaf(0);
    let (royalties, fees): (Vec<_>, Vec<_>) =
        leaf.lines.iter().map(|line| (line.royalty, line.node_fee)).unzip();
    let escrow = |name| AccountId::escrow(&story.datanet, name);
    let (ada, ben) = (escrow("Ada"), escrow("Ben"));
    let people = ["curator", "developer", "author", "operator", "caller"];
    let before = people.map(|name| story.world.balance(story.world.id(name)));
    story.settle(vec![leaf.clone()]).unwrap();
    let after = people.map(|name| story.world.balance(story.world.id(name)));
    let gains: Vec<_> = before.iter().zip(after).map(|(b, a)| a.0.abs_diff(b.0)).collect();
    let data = royalties[2];
    assert_eq!(gains[0], data.share(Weight(100_000_000)).0);
    assert_eq!(gains[1], Amount::from(royalties[1]).0);
    assert_eq!(gains[2], Amount::from(Price(100_000)).0);
    let fee = Amount::from(Price(1_000)).0;
    let node = Amount::from(Price(fees.iter().map(|fee| fee.0).sum())).0;
    assert_eq!(gains[3], fee.abs_diff(node), "the operator earns its ask and pays the batch's fee");
    assert_eq!(gains[4], 0, "the caller paid when the channel was opened");
    assert_eq!(story.world.balance(ada), data.share(Weight(450_000_050)));
    assert_eq!(story.world.balance(ben), data.share(Weight(449_999_950)));
    let channel = story.world.channel_state(story.channel);
    assert_eq!(channel.spent, Amount::from(leaf.price().unwrap()));
}

#[test]
fn a_datanet_without_shares_pays_its_treasury() {
    let mut story = story();
    let mut leaf = story.leaf(0);
    leaf.lines[2].shares.clear();
    let royalty = leaf.lines[2].royalty;
    let curator = story.world.id("curator");
    let before = story.world.balance(curator);
    story.settle(vec![leaf]).unwrap();
    let gain = Amount(story.world.balance(curator).0 - before.0);
    assert_eq!(gain, Amount::from(royalty));
}

#[test]
fn batching_and_order_do_not_matter() {
    let states: Vec<_> = [vec![4], vec![1, 1, 1, 1], vec![3, 1]]
        .iter()
        .map(|sizes| {
            let mut story = story();
            let mut leaves: Vec<Leaf> = (0..4).map(|n| story.leaf(n)).collect();
            leaves.reverse();
            for size in sizes {
                let rest = leaves.split_off(*size);
                story.settle(std::mem::replace(&mut leaves, rest)).unwrap();
            }
            let earners = ["curator", "developer", "author"].map(|name| story.world.id(name));
            let channel = story.world.channel_state(story.channel);
            let escrow = AccountId::escrow(&story.datanet, "Ada");
            let amounts: Vec<_> =
                earners.iter().chain([&escrow]).map(|id| story.world.balance(*id)).collect();
            (amounts, channel)
        })
        .collect();
    assert_eq!(states[0], states[1]);
    assert_eq!(states[0], states[2]);
}

#[test]
fn nothing_claimed_is_believed() {
    type Change = fn(&mut Leaf);
    let check = |change: Change, expect| {
        let mut story = story();
        let mut leaf = story.leaf(0);
        change(&mut leaf);
        assert_eq!(story.refused(leaf), expect);
    };
    check(|l| l.lines[1].mu.0 += 1, ErrorCode::ReceiptInvalid);
    check(|l| l.lines[1].royalty.0 += 1, ErrorCode::ReceiptInvalid);
    check(|l| l.lines[1].node_fee.0 += 1, ErrorCode::ReceiptInvalid);
    check(|l| l.network_fee.0 += 1, ErrorCode::ReceiptInvalid);
    check(|l| l.lines[2].shares[0].weights[0].1.0 += 1, ErrorCode::ReceiptInvalid);
    check(|l| l.lines[2].shares[0].weights[0].0 = 9, ErrorCode::NotFound);
    check(|l| l.lines[1].shares = l.lines[2].shares.clone(), ErrorCode::ReceiptInvalid);
    check(|l| l.lines.swap(0, 1), ErrorCode::GrantMissing);
    check(|l| l.lines[1].grant = l.lines[0].grant, ErrorCode::GrantMissing);
    check(|l| l.lines[1].node = 77, ErrorCode::NotFound);
    check(|l| l.lines[1].tariff = 1, ErrorCode::NotFound);
    check(|l| l.time.0 += 2_001, ErrorCode::ClockSkew);
    check(|l| l.admitted = Height(99), ErrorCode::TransactionExpired);
    check(|l| l.n = 1 << 20, ErrorCode::NonceStale);
    check(|l| l.channel = 9, ErrorCode::ChannelUnknown);
    check(|l| l.call = Digest::ZERO, ErrorCode::IdempotencyConflict);
    check(|l| l.outcome = CallOutcome::Void, ErrorCode::ReceiptInvalid);
    check(|l| l.purpose = Some("x".repeat(65)), ErrorCode::ReceiptInvalid);
    check(|l| l.territory = Some("PT".into()), ErrorCode::ReceiptInvalid);
}

#[test]
fn a_receipt_says_where_the_licensee_declared_to_be() {
    let mut world = World::new();
    for name in ["developer", "operator", "caller"] {
        world.person(name);
    }
    let node = world.node("operator");
    let mut rule = terms(&[Right::Call], 0, 1_000);
    rule.territories.allow.insert("PT".parse().unwrap());
    let developer = world.id("developer");
    let (version, id) = world.publish("developer", model(developer), &rule, None, vec![]).unwrap();
    world.serve("developer", id, "operator");
    let grant = world.accept_in("caller", id, Some("PT")).unwrap();
    let channel = world.channel("caller", "operator", vec![grant], Price::CREDIT);
    world.block(10);
    let line = world.line(version, grant, node, &[(Counter::TokensOut, 1)]);
    let bare = world.leaf(channel, 0, vec![line]);
    for territory in [None, Some("FR")] {
        let wrong = Leaf { territory: territory.map(str::to_owned), ..bare.clone() };
        let refused = world.settle("operator", node, vec![wrong]).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ReceiptInvalid, "{refused}");
    }
    let right = Leaf { territory: Some("PT".into()), ..bare };
    world.settle("operator", node, vec![right]).unwrap();
}

#[test]
fn a_call_settles_once() {
    let mut story = story();
    let leaf = story.leaf(0);
    story.settle(vec![leaf.clone()]).unwrap();
    assert_eq!(story.refused(leaf.clone()), ErrorCode::IdempotencyConflict);
    let other = Leaf { call: Digest::of(b"another"), ..leaf.clone() };
    assert_eq!(story.refused(other), ErrorCode::NonceStale);
    let again = Leaf { n: 1, ..leaf };
    assert_eq!(story.refused(again), ErrorCode::IdempotencyConflict);
}

#[test]
fn void_leaves_fill_the_sequence_without_blocking_the_retry() {
    let mut story = story();
    let good = story.leaf(1);
    let void = Leaf::void(story.channel, 0, good.admitted, good.time);
    let spent = Amount::from(good.price().unwrap());
    story.settle(vec![good, void]).unwrap();
    let channel = story.world.channel_state(story.channel);
    assert_eq!((channel.settled.base, channel.spent), (2, spent));
}

#[test]
fn signatures_of_gateway_and_node_are_needed() {
    let mut story = story();
    let leaves = vec![story.leaf(0)];
    let sign = |story: &Story, change: &dyn Fn(&mut ambar_ledger::transaction::Settle)| {
        let mut envelope = story.world.settlement("operator", story.node, leaves.clone());
        let [Operation::Settle(settle)] = &mut envelope.operations[..] else { panic!() };
        change(settle);
        ambar_base::Encode::to_bytes(&envelope.sign(&crate::world::key("operator's node")))
    };
    type Change = fn(&mut ambar_ledger::transaction::Settle);
    let changes: [Change; 4] = [
        |s| s.batch.signature.0[5] ^= 1,
        |s| s.batch.nodes[0].0[5] ^= 1,
        |s| s.batch.nodes.clear(),
        |s| s.batch.header.leaves_root = Digest::ZERO,
    ];
    for change in changes {
        let bytes = sign(&story, &change);
        let refusal = story.world.apply(&bytes).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::SignatureInvalid);
    }
    let bytes = sign(&story, &|_| {});
    story.world.apply(&bytes).unwrap();
}

#[test]
fn what_a_leaf_refers_to_is_as_of_its_admission() {
    let mut story = story();
    let admitted = story.leaf(0);
    let (buyer, developer) = (story.world.person("buyer"), story.world.id("developer"));
    let ask = SetAsk { node: story.node, ask: Price(900) };
    story.world.act("operator", vec![Operation::SetAsk(ask)]).unwrap();
    // Royalty line 1 is the model's: the datanet's came first.
    let sale = TransferRoyalty { royalty: 1, to: buyer };
    story.world.act("developer", vec![Operation::TransferRoyalty(sale)]).unwrap();
    story.world.block(1000);
    let earned = |story: &Story| [developer, buyer].map(|id| story.world.balance(id).0);
    let before = earned(&story);
    let royalty = Amount::from(admitted.lines[1].royalty).0;
    story.settle(vec![admitted]).unwrap();
    assert_eq!(earned(&story), [before[0] + royalty, before[1]]);
    let stale = story.leaf(1);
    assert_eq!(stale.lines[1].node_fee, Price(900 * 128_000_000 / 1_000_000_000));
    story.settle(vec![stale]).unwrap();
    assert_eq!(earned(&story), [before[0] + royalty, before[1] + royalty]);
}

#[test]
fn revoked_and_closed_hold_from_the_next_block() {
    let mut story = story();
    let before = story.leaf(0);
    let grant = story.parts[0].1;
    story.world.act("caller", vec![Operation::RevokeGrant(grant)]).unwrap();
    story.world.act("caller", vec![Operation::CloseChannel(story.channel)]).unwrap();
    story.world.block(1000);
    let after = story.leaf(1);
    assert_eq!(story.refused(after), ErrorCode::ChannelClosed);
    story.settle(vec![before]).unwrap();
}

#[test]
fn a_closed_channel_gives_back_what_is_left() {
    let mut world_story = story();
    let leaf = world_story.leaf(0);
    let price = Amount::from(leaf.price().unwrap());
    world_story.settle(vec![leaf]).unwrap();
    let world = &mut world_story.world;
    let caller = world.id("caller");
    world.act("caller", vec![Operation::CloseChannel(world_story.channel)]).unwrap();
    let before = world.balance(caller);
    let window = world.genesis.parameters.settlement_window;
    (0..=window).for_each(|_| world.block(1000));
    let deposit = Amount::from(world.genesis.parameters.deposit);
    let back = Amount::CREDIT.0 - price.0 + deposit.0;
    assert_eq!(world.balance(caller).0, before.0 + back);
    world.ledger.check().unwrap();
}

#[test]
fn quota_and_funds_bound_what_settles() {
    let mut world = World::new();
    for name in ["developer", "operator", "caller"] {
        world.person(name);
    }
    let node = world.node("operator");
    let mut rule = terms(&[Right::Call], 0, 400_000_000);
    rule.quota = Some(Quota::of_calls(2, Period::Day));
    let developer = world.id("developer");
    let (version, id) = world.publish("developer", model(developer), &rule, None, vec![]).unwrap();
    world.serve("developer", id, "operator");
    let grant = world.accept("caller", id).unwrap();
    let rich = world.channel("caller", "operator", vec![grant], Price(2 * Price::CREDIT.0));
    let poor = world.channel("caller", "operator", vec![grant], Price(500_000_000));
    world.block(10);
    let leaf = |world: &World, channel, n| {
        let line = world.line(version, grant, node, &[(Counter::TokensOut, 1)]);
        world.leaf(channel, n, vec![line])
    };
    let unleased = vec![leaf(&world, rich, 0)];
    let refused = world.settle("operator", node, unleased).unwrap_err();
    assert_eq!(refused.code, ErrorCode::QuotaExceeded);
    assert!(refused.message.contains("no lease"), "{refused}");
    let lease = |world: &mut World, period| {
        let take = TakeLease {
            channel: rich,
            grant,
            period,
            calls: 9,
            spend: Price(9),
            rate: 9,
            through: vec![],
        };
        world.act_as_node("operator", node, Operation::TakeLease(take)).unwrap()
    };
    let given = lease(&mut world, 0);
    let OperationResult::Leased(Lease { calls: 2, spend: Price(0), rate: 0, .. }) = given else {
        panic!("{given:?}");
    };
    let two = vec![leaf(&world, poor, 0), leaf(&world, poor, 1)];
    assert_eq!(world.settle("operator", node, two).unwrap_err().code, ErrorCode::ChannelEmpty);
    let three = (0..3).map(|n| leaf(&world, rich, n)).collect();
    assert_eq!(world.settle("operator", node, three).unwrap_err().code, ErrorCode::QuotaExceeded);
    let two = (0..2).map(|n| leaf(&world, rich, n)).collect();
    world.settle("operator", node, two).unwrap();
    let next = leaf(&world, rich, 2);
    assert_eq!(
        world.settle("operator", node, vec![next]).unwrap_err().code,
        ErrorCode::QuotaExceeded
    );
    world.block(ambar_base::Moment::DAY_MS);
    lease(&mut world, 1);
    let tomorrow = leaf(&world, rich, 2);
    world.settle("operator", node, vec![tomorrow]).unwrap();
}

/// Calls under way when a capsule is sold settle by the seller's grants for its components,
/// later ones by the buyer's.
#[test]
fn components_are_called_under_the_owners_grants() {
    let mut story = story();
    let under_way = story.leaf(0);
    let to = story.world.person("buyer");
    let id = |story: &Story, part: usize| {
        let number = story.parts[part].0;
        let version: Version = story.world.ledger.must("", "", &Key::Version(number)).unwrap();
        version.id
    };
    let (llm, datanet) = (id(&story, 1), id(&story, 2));
    let grants = vec![
        story.world.accept("buyer", llm).unwrap(),
        story.world.accept("buyer", datanet).unwrap(),
    ];
    let sale = TransferLine { version: id(&story, 0), to, grants: grants.clone() };
    story.world.act("author", vec![Operation::TransferLine(sale)]).unwrap();
    story.world.block(1000);
    let mut later = story.leaf(1);
    assert_eq!(story.refused(later.clone()), ErrorCode::CapsuleNotAllowed);
    (later.lines[1].grant, later.lines[2].grant) = (grants[0], grants[1]);
    story.settle(vec![under_way, later]).unwrap();
}

#[test]
fn nothing_is_called_before_it_is_published() {
    let mut story = story();
    let early = story.leaf(0);
    story.world.block(1000);
    let number = story.parts[1].0;
    let object: Version = story.world.ledger.must("", "", &Key::Version(number)).unwrap();
    let rule = story.world.ledger.terms(&object.terms).unwrap();
    let developer = story.world.id("developer");
    let next = Manifest { previous: vec![object.id], royalty: vec![], ..model(developer) };
    let (newer, _) = story.world.publish("developer", next, &rule, None, vec![]).unwrap();
    let open = |story: &mut Story| {
        let grant = story.world.accept("caller", object.id).unwrap();
        (grant, story.world.channel("caller", "operator", vec![grant], Price::CREDIT))
    };
    let (grant, channel) = open(&mut story);
    let line = story.world.line(newer, grant, story.node, &[]);
    let good = story.world.leaf(channel, 0, vec![line]);
    let Leaf { admitted, time, .. } = early;
    assert_eq!(story.refused(Leaf { admitted, time, ..good.clone() }), ErrorCode::GrantMissing);
    story.settle(vec![good]).unwrap();
}
