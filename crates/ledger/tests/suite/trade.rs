//! Royalty lines for sale: who may offer and buy them, and who is paid before and after.

use crate::world::{START, World, model, terms};
use ambar_base::{AccountId, Amount, ErrorCode, Moment, Price, Weight};
use ambar_capsule::Manifest;
use ambar_capsule::manifest::RoyaltyDeclaration;
use ambar_ledger::object::{Account, Line, Royalty, RoyaltyOffer, Version};
use ambar_ledger::query::State;
use ambar_ledger::result::{OperationResult, SaleResult};
use ambar_ledger::transaction::{BuyRoyalty, OfferRoyalty, TransferRoyalty};
use ambar_ledger::{Key, Operation};
use ambar_licence::Right;
use ambar_receipt::Counter;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PRICE: Price = Price(7 * Price::CREDIT.0);
const HOUR_MS: u64 = 3_600_000;

/// Ana made a capsule and holds its royalty line, number 0.
fn market() -> World {
    let mut world = World::new();
    for name in ["ana", "ben", "cleo"] {
        world.person(name);
    }
    let ana = world.id("ana");
    world.publish("ana", model(ana), &terms(&[Right::Call], 0, 1_000_000), None, vec![]).unwrap();
    world.block(1000);
    world
}

fn offer(price: Price, to: Option<AccountId>, expires: Moment) -> Operation {
    Operation::OfferRoyalty(OfferRoyalty { royalty: 0, price, to, expires })
}

/// To anybody, for an hour.
fn open_offer(world: &World) -> Operation {
    offer(PRICE, None, world.ledger.time().after(HOUR_MS))
}

fn buy(price: Price) -> Operation {
    Operation::BuyRoyalty(BuyRoyalty { royalty: 0, price })
}

fn give(to: AccountId) -> Operation {
    Operation::TransferRoyalty(TransferRoyalty { royalty: 0, to })
}

fn offered(world: &World) -> Option<RoyaltyOffer> {
    world.ledger.object(&Key::RoyaltyOffer(0)).unwrap()
}

fn royalty(world: &World) -> Royalty {
    world.ledger.must("royalty line", 0, &Key::Royalty(0)).unwrap()
}

/// Who holds the line from the next height on.
fn holder(world: &World) -> AccountId {
    let number = *royalty(world).holder.latest();
    world.ledger.must::<Account>("account", number, &Key::Account(number)).unwrap().id
}

#[test]
fn price_and_line_change_hands_together() {
    let mut world = market();
    let (ana, ben) = (world.id("ana"), world.id("ben"));
    world.act("ana", vec![open_offer(&world)]).unwrap();
    let before = [ana, ben].map(|id| world.balance(id));
    let results = world.act("ben", vec![buy(PRICE)]).unwrap();
    assert_eq!(results, [OperationResult::Sold(SaleResult { royalty: 0, seller: ana })]);
    assert_eq!((holder(&world), offered(&world)), (ben, None));
    assert_eq!(world.balance(ana), Amount(before[0].0 + Amount::from(PRICE).0));
    let paid = before[1].0 - world.balance(ben).0;
    let fee = paid - Amount::from(PRICE).0;
    assert!(fee > 0 && fee < Amount::from(Price::CREDIT).0, "the price and a fee: {paid}");
    let code = world.refused("cleo", buy(PRICE));
    assert_eq!(code, ErrorCode::NotFound, "it is sold once");
    // The version says who made it, whoever is paid.
    let version: Version = world.ledger.must("version", 0, &Key::Version(0)).unwrap();
    let line: Line = world.ledger.must("line", 0, &Key::Line(0)).unwrap();
    let creator: Account =
        world.ledger.must("account", version.creator, &Key::Account(version.creator)).unwrap();
    assert_eq!((creator.id, line.owner), (ana, version.creator));
}

#[test]
fn calls_pay_whoever_held_the_line_when_they_were_admitted() {
    let mut world = market();
    for name in ["operator", "caller"] {
        world.person(name);
    }
    let node = world.node("operator");
    let version: Version = world.ledger.must("version", 0, &Key::Version(0)).unwrap();
    world.serve("ana", version.id, "operator");
    let grant = world.accept("caller", version.id).unwrap();
    let channel = world.channel("caller", "operator", vec![grant], Price::CREDIT);
    let leaf = |world: &World, n| {
        let counts = [(Counter::TokensIn, 8), (Counter::TokensOut, 8)];
        world.leaf(channel, n, vec![world.line(0, grant, node, &counts)])
    };
    world.act("ana", vec![open_offer(&world)]).unwrap();
    let before = leaf(&world, 0);
    world.act("ben", vec![buy(PRICE)]).unwrap();
    world.block(1000);
    let after = leaf(&world, 1);
    let royalty = Amount::from(after.lines[0].royalty);
    let (ana, ben) = (world.id("ana"), world.id("ben"));
    for (leaf, paid) in [(before, ana), (after, ben)] {
        let balance = world.balance(paid);
        world.settle("operator", node, vec![leaf]).unwrap();
        assert_eq!(world.balance(paid), Amount(balance.0 + royalty.0));
    }
}

#[test]
fn only_the_holder_offers_and_withdraws() {
    let mut world = market();
    let good = open_offer(&world);
    assert_eq!(world.refused("ben", good.clone()), ErrorCode::NotAuthorised);
    let now = world.ledger.time();
    let check = |world: &mut World, operation, expect| {
        assert_eq!(world.refused("ana", operation), expect);
    };
    let (invalid, missing) = (ErrorCode::TransactionInvalid, ErrorCode::NotFound);
    check(&mut world, offer(Price(0), None, now.after(1)), invalid);
    check(&mut world, offer(PRICE, None, now), invalid);
    let ana = world.id("ana");
    check(&mut world, offer(PRICE, Some(ana), now.after(1)), invalid);
    let nobody = AccountId::reserved("nobody");
    check(&mut world, offer(PRICE, Some(nobody), now.after(1)), ErrorCode::AccountUnknown);
    check(&mut world, Operation::WithdrawOffer(0), missing);
    check(&mut world, Operation::WithdrawOffer(9), missing);
    world.act("ana", vec![good]).unwrap();
    assert_eq!(world.refused("ben", Operation::WithdrawOffer(0)), ErrorCode::NotAuthorised);
    world.act("ana", vec![Operation::WithdrawOffer(0)]).unwrap();
    assert_eq!(offered(&world), None);
    assert_eq!(world.refused("ben", buy(PRICE)), missing);
}

#[test]
fn a_purchase_is_of_what_is_offered() {
    let mut world = market();
    let (ben, expires) = (world.id("ben"), world.ledger.time().after(HOUR_MS));
    assert_eq!(world.refused("ben", buy(PRICE)), ErrorCode::NotFound, "nothing is offered");
    world.act("ana", vec![offer(PRICE, Some(ben), expires)]).unwrap();
    assert_eq!(world.refused("cleo", buy(PRICE)), ErrorCode::NotAuthorised, "for another");
    for price in [Price(PRICE.0 - 1), Price(PRICE.0 + 1)] {
        assert_eq!(world.refused("ben", buy(price)), ErrorCode::TransactionInvalid, "{price}");
    }
    // The new offer counts, not the old one.
    let dear = Price(1_000 * Price::CREDIT.0);
    world.act("ana", vec![offer(dear, None, expires)]).unwrap();
    assert_eq!(world.refused("ben", buy(PRICE)), ErrorCode::TransactionInvalid);
    assert_eq!(world.refused("ben", buy(dear)), ErrorCode::BalanceTooLow);
    assert_eq!(world.refused("ana", buy(dear)), ErrorCode::TransactionInvalid, "the own line");
    world.act("ana", vec![offer(PRICE, None, expires)]).unwrap();
    world.block(HOUR_MS);
    assert_eq!(world.ledger.time(), expires);
    assert_eq!(world.refused("ben", buy(PRICE)), ErrorCode::NotFound, "it is over");
    assert_eq!(holder(&world), world.id("ana"));
}

#[test]
fn giving_a_line_away_ends_its_offer() {
    let mut world = market();
    let ben = world.id("ben");
    world.act("ana", vec![open_offer(&world), give(ben)]).unwrap();
    assert_eq!((holder(&world), offered(&world)), (ben, None));
    assert_eq!(world.refused("cleo", buy(PRICE)), ErrorCode::NotFound);
    assert_eq!(world.refused("ana", open_offer(&world)), ErrorCode::NotAuthorised);
}

#[test]
fn two_sales_in_one_block_pay_one_after_the_other() {
    let mut world = market();
    let start = ["ana", "ben", "cleo"].map(|name| world.balance(world.id(name)));
    world.act("ana", vec![open_offer(&world)]).unwrap();
    world.act("ben", vec![buy(PRICE), open_offer(&world)]).unwrap();
    world.act("cleo", vec![buy(PRICE)]).unwrap();
    assert_eq!(holder(&world), world.id("cleo"));
    let (last, _) = royalty(&world).holder.at(world.ledger.height()).map(|(n, s)| (*n, s)).unwrap();
    let ana: Account = world.ledger.must("account", last, &Key::Account(last)).unwrap();
    assert_eq!(ana.id, world.id("ana"), "in this block the line is still hers");
    let end = ["ana", "ben", "cleo"].map(|name| world.balance(world.id(name)));
    assert!(end[0] > start[0] && end[1] < start[1] && end[2] < start[2]);
}

/// What somebody does with one of three lines.
#[derive(Clone, Debug)]
enum Act {
    Offer(u64, u64, Option<usize>, u64),
    Withdraw(u64),
    Buy(u64, u64),
    Give(u64, usize),
    Wait(u64),
}

const PEOPLE: [&str; 3] = ["ana", "ben", "cleo"];

fn act() -> impl Strategy<Value = (usize, Act)> {
    let (line, price, who) = (0u64..3, 0u64..4, 0usize..3);
    let offers = (line.clone(), price.clone(), prop::option::of(who.clone()), 0u64..4_000);
    let act = prop_oneof![
        4 => offers.prop_map(|(line, price, to, ms)| Act::Offer(line, price, to, ms)),
        1 => line.clone().prop_map(Act::Withdraw),
        6 => (line.clone(), price).prop_map(|(line, price)| Act::Buy(line, price)),
        1 => (line, who.clone()).prop_map(|(line, to)| Act::Give(line, to)),
        1 => (1u64..3_000).prop_map(Act::Wait),
    ];
    (who, act)
}

fn operation(world: &World, act: &Act) -> Option<Operation> {
    let credits = |price: &u64| Price(price * Price::CREDIT.0);
    Some(match act {
        Act::Offer(royalty, price, to, ms) => Operation::OfferRoyalty(OfferRoyalty {
            royalty: *royalty,
            price: credits(price),
            to: to.map(|to| world.id(PEOPLE[to])),
            expires: world.ledger.time().after(*ms),
        }),
        Act::Withdraw(line) => Operation::WithdrawOffer(*line),
        Act::Buy(royalty, price) => {
            Operation::BuyRoyalty(BuyRoyalty { royalty: *royalty, price: credits(price) })
        }
        Act::Give(royalty, to) => {
            let to = world.id(PEOPLE[*to]);
            Operation::TransferRoyalty(TransferRoyalty { royalty: *royalty, to })
        }
        Act::Wait(_) => return None,
    })
}

/// What is known of a line by a much simpler machine.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    holder: usize,
    offer: Option<(u64, Option<usize>, Moment)>,
}

/// Whether the act is allowed, and what follows; the credits that change hands.
fn expected(known: &mut [Known], who: usize, act: &Act, now: Moment) -> Option<u64> {
    match act {
        Act::Offer(line, price, to, ms) => {
            let line = &mut known[*line as usize];
            let good = line.holder == who && *price > 0 && *ms > 0 && *to != Some(who);
            good.then(|| line.offer = Some((*price, *to, now.after(*ms))))?;
        }
        Act::Withdraw(line) => {
            let line = &mut known[*line as usize];
            (line.holder == who).then(|| line.offer.take()).flatten()?;
        }
        Act::Buy(line, price) => {
            let line = &mut known[*line as usize];
            let (asked, to, expires) = line.offer?;
            let may = to.is_none_or(|to| to == who) && expires > now && line.holder != who;
            let paid = (may && asked == *price).then_some(asked);
            *line = paid.map(|_| Known { holder: who, offer: None })?;
            return paid;
        }
        Act::Give(line, to) => {
            let line = &mut known[*line as usize];
            *line = (line.holder == who).then_some(Known { holder: *to, offer: None })?;
        }
        Act::Wait(_) => {}
    }
    Some(0)
}

/// A capsule with three lines, one for each.
fn three_lines() -> World {
    let mut world = World::new();
    let ids = PEOPLE.map(|name| world.person(name));
    let weights = [Weight(333_333_333), Weight(333_333_333), Weight(333_333_334)];
    let royalty = ids.into_iter().zip(weights);
    let royalty = royalty.map(|(holder, weight)| RoyaltyDeclaration { holder, weight }).collect();
    let manifest = Manifest { royalty, ..model(ids[0]) };
    world.publish("ana", manifest, &terms(&[Right::Call], 0, 1_000), None, vec![]).unwrap();
    world
}

fn check_lines(world: &World, known: &[Known]) {
    for (number, line) in (0..).zip(known) {
        let royalty: Royalty =
            world.ledger.must("royalty line", number, &Key::Royalty(number)).unwrap();
        let holder = world.ledger.account_number(&world.id(PEOPLE[line.holder]).to_string());
        assert_eq!(royalty.holder.latest(), &holder.unwrap());
        let offer: Option<RoyaltyOffer> = world.ledger.object(&Key::RoyaltyOffer(number)).unwrap();
        assert_eq!(offer.map(|offer| offer.expires), line.offer.map(|(.., expires)| expires));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every line has the one holder that a much simpler machine says, the credits move as it
    /// says, and their sum is what was issued: the world checks that after every transaction.
    #[test]
    fn lines_have_one_holder_and_no_credit_is_lost(
        acts in prop::collection::vec(act(), 1..40),
    ) {
        let mut world = three_lines();
        let mut known: Vec<_> = (0..3).map(|holder| Known { holder, offer: None }).collect();
        let mut earned = BTreeMap::<usize, u64>::new();
        let start = PEOPLE.map(|name| world.balance(world.id(name)));
        let mut spent = [0u128; 3];
        for (who, act) in acts {
            if let Act::Wait(ms) = act {
                world.block(ms);
            }
            let now = world.ledger.time();
            let sellers: Vec<_> = known.iter().map(|line| line.holder).collect();
            let expect = expected(&mut known, who, &act, now);
            let Some(operation) = operation(&world, &act) else { continue };
            let before = world.balance(world.id(PEOPLE[who]));
            let done = world.act(PEOPLE[who], vec![operation]);
            prop_assert_eq!(done.is_ok(), expect.is_some(), "{:?} by {}: {:?}", act, who, done);
            spent[who] += before.0 - world.balance(world.id(PEOPLE[who])).0;
            if let (Act::Buy(line, _), Some(price)) = (&act, expect) {
                *earned.entry(sellers[*line as usize]).or_default() += price;
            }
            check_lines(&world, &known);
        }
        for (who, name) in PEOPLE.iter().enumerate() {
            let income = Price(earned.get(&who).copied().unwrap_or_default() * Price::CREDIT.0);
            let balance = start[who].0 - spent[who] + Amount::from(income).0;
            prop_assert_eq!(world.balance(world.id(name)).0, balance);
        }
        prop_assert!(world.ledger.time() >= START);
    }
}
