//! Time on the ledger: pending income, changed rules, and what is over is forgotten.

use crate::world::{START, World, key, model, terms};
use ambar_base::finality::SEATS_MAX;
use ambar_base::{Amount, Encode, ErrorCode, Height, KeySet, Price, PublicKey, Weight};
use ambar_ledger::agenda::CLOSE_CHANNELS_MAX;
use ambar_ledger::genesis::{Allocation, EPOCH_BLOCKS_MAX, GenesisValidator};
use ambar_ledger::object::{Batch, Parameters, WINDOW_HEIGHTS_MAX};
use ambar_ledger::postings::PENDING_MAX;
use ambar_ledger::query::State;
use ambar_ledger::transaction::{OPERATIONS_MAX, OpenChannel, SignedTransaction, Transfer};
use ambar_ledger::{Genesis, Key, MemoryLedger, Operation, Refusal};
use ambar_licence::Right;
use ambar_receipt::{Counter, Leaf, Tariff, bill};

/// A model that a caller's channel is open to.
struct Shop {
    world: World,
    node: u64,
    channel: u64,
    version: u64,
    grant: u64,
}

const PRICE: Price = Price(1_000_000);

fn shop(change: impl FnOnce(&mut Parameters)) -> Shop {
    let mut world = World::with(|genesis| {
        (genesis.parameters.fee_base, genesis.parameters.fee_per_byte) = Default::default();
        change(&mut genesis.parameters);
    });
    for name in ["developer", "operator", "caller"] {
        world.person(name);
    }
    let node = world.node("operator");
    let (rule, manifest) = (terms(&[Right::Call], 0, PRICE.0), model(world.id("developer")));
    let (version, id) = world.publish("developer", manifest, &rule, None, vec![]).unwrap();
    world.serve("developer", id, "operator");
    let grant = world.accept("caller", id).unwrap();
    let channel = world.channel("caller", "operator", vec![grant], Price::CREDIT);
    world.block(10);
    Shop { world, node, channel, version, grant }
}

impl Shop {
    fn leaf(&self, n: u64) -> Leaf {
        let counts = [(Counter::TokensOut, 1000)];
        let line = self.world.line(self.version, self.grant, self.node, &counts);
        self.world.leaf(self.channel, n, vec![line])
    }

    fn settle(&mut self, leaf: Leaf) -> Result<(), Refusal> {
        self.world.settle("operator", self.node, vec![leaf])
    }

    fn pay(&mut self, amount: Price) -> Result<(), Refusal> {
        let transfer = Transfer { to: self.world.id("caller"), amount };
        self.world.act("developer", vec![Operation::Transfer(transfer)]).map(|_| ())
    }

    fn govern(&mut self, change: impl FnOnce(&mut Parameters)) -> Result<(), Refusal> {
        let mut parameters = self.latest();
        change(&mut parameters);
        self.world.act("faucet", vec![Operation::SetParameters(parameters)]).map(|_| ())
    }

    fn latest(&self) -> Parameters {
        self.world.ledger.governance().unwrap().parameters.latest().clone()
    }
}

#[test]
fn income_is_spendable_after_the_challenge_window_and_not_before() {
    let mut shop = shop(|parameters| parameters.challenge_window = 5);
    shop.pay(Price(100 * Price::CREDIT.0)).unwrap();
    let developer = shop.world.id("developer");
    assert_eq!(shop.world.balance(developer), Amount::ZERO);
    shop.settle(shop.leaf(0)).unwrap();
    let settled = shop.world.ledger.height();
    for height in settled.0..settled.0 + 5 {
        let (_, _, balance) = shop.world.ledger.account(&developer.to_string()).unwrap();
        assert_eq!(balance.available_at(Height(height)), Amount::ZERO);
        assert_eq!(balance.pending_at(Height(height)), Amount::from(PRICE));
        assert_eq!(shop.pay(Price(1)).unwrap_err().code, ErrorCode::BalanceTooLow, "{height}");
        shop.world.block(1000);
    }
    assert_eq!(shop.pay(Price(PRICE.0 + 1)).unwrap_err().code, ErrorCode::BalanceTooLow);
    shop.pay(PRICE).unwrap();
    assert_eq!(shop.world.balance(developer), Amount::ZERO);
}

#[test]
fn pending_heights_are_bounded() {
    let mut shop = shop(|parameters| parameters.challenge_window = 200);
    let developer = shop.world.id("developer").to_string();
    for n in 0..300 {
        shop.settle(shop.leaf(n)).unwrap();
        shop.world.block(10);
        let (_, _, balance) = shop.world.ledger.account(&developer).unwrap();
        assert!(balance.pending.len() as u64 <= PENDING_MAX + 1);
        assert!(balance.pending.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}

#[test]
fn a_new_fee_holds_from_the_next_height() {
    let mut shop = shop(|_| {});
    let before = shop.leaf(0);
    shop.govern(|parameters| parameters.network_fee = Weight(500_000_000)).unwrap();
    let same_height = shop.leaf(1);
    shop.world.block(1000);
    let claimed = shop.leaf(2);
    let lines = Price(claimed.price().unwrap().0 - claimed.network_fee.0);
    let network_fee = bill::network_fee(lines, Weight(500_000_000));
    let after = Leaf { network_fee, ..claimed.clone() };
    assert_eq!(shop.settle(claimed).unwrap_err().code, ErrorCode::ReceiptInvalid);
    for leaf in [before, same_height, after] {
        shop.settle(leaf).unwrap();
    }
}

#[test]
fn a_new_transaction_fee_holds_from_the_next_height() {
    let mut shop = shop(|_| {});
    shop.govern(|parameters| parameters.fee_base = Price(5)).unwrap();
    let developer = shop.world.id("developer");
    let fee = |shop: &mut Shop| {
        let before = shop.world.balance(developer).0;
        shop.pay(Price(0)).unwrap();
        before - shop.world.balance(developer).0
    };
    assert_eq!(fee(&mut shop), 0);
    shop.world.block(1000);
    assert_eq!(fee(&mut shop), Amount::from(Price(5)).0);
}

#[test]
fn a_new_tariff_measures_calls_admitted_under_it() {
    let mut shop = shop(|_| {});
    let mut tariff = Tariff::standard();
    tariff.rates.insert("tokens_out".into(), 2_000_000);
    let publish = Operation::PublishTariff(tariff.encode());
    shop.world.act("faucet", vec![publish]).unwrap();
    let old = shop.leaf(0);
    shop.govern(|parameters| parameters.tariff = 1).unwrap();
    shop.world.block(1000);
    let stale = shop.leaf(1);
    assert_eq!(shop.settle(stale.clone()).unwrap_err().code, ErrorCode::ReceiptInvalid);
    let mut new = stale;
    let line = &mut new.lines[0];
    let bill = bill::line_bill(
        &line.counters,
        &terms(&[Right::Call], 0, PRICE.0).price,
        &tariff,
        crate::world::ASK,
    );
    let bill::LineBill { mu, royalty, node_fee } = bill.unwrap();
    (line.tariff, line.mu, line.royalty, line.node_fee) = (1, mu, royalty, node_fee);
    let sum = Price(royalty.0 + node_fee.0);
    new.network_fee = bill::network_fee(sum, shop.world.genesis.parameters.network_fee);
    for leaf in [old, new] {
        shop.settle(leaf).unwrap();
    }
}

#[test]
fn rules_are_sound_and_windows_never_shrink() {
    let mut shop = shop(|_| {});
    let mut check = |change: fn(&mut Parameters), expect| {
        assert_eq!(shop.govern(change).unwrap_err().code, expect);
    };
    check(|p| p.network_fee = Weight(1_000_000_001), ErrorCode::TransactionInvalid);
    check(|p| p.burn = Weight(1_000_000_001), ErrorCode::TransactionInvalid);
    check(|p| p.settlement_window -= 1, ErrorCode::TransactionInvalid);
    check(|p| p.settlement_window = WINDOW_HEIGHTS_MAX + 1, ErrorCode::TransactionInvalid);
    check(|p| p.challenge_window = u64::MAX, ErrorCode::TransactionInvalid);
    check(|p| p.committee_min = 0, ErrorCode::TransactionInvalid);
    check(|p| p.committee_min = p.committee_max + 1, ErrorCode::TransactionInvalid);
    check(|p| p.committee_max = SEATS_MAX as u16 + 1, ErrorCode::TransactionInvalid);
    check(|p| p.churn = 0, ErrorCode::TransactionInvalid);
    check(|p| p.tariff = 7, ErrorCode::NotFound);
    let rules = Operation::SetParameters(shop.latest());
    assert_eq!(shop.world.refused("caller", rules), ErrorCode::NotAuthorised);
    let nonsense = Operation::PublishTariff(b"nonsense".to_vec());
    assert_eq!(shop.world.refused("faucet", nonsense), ErrorCode::DocumentInvalid);
}

#[test]
fn genesis_is_sound() {
    let good = || Genesis::development(key("faucet").public(), [7; 32]);
    let check = |change: &dyn Fn(&mut Genesis)| {
        let mut genesis = good();
        change(&mut genesis);
        assert!(MemoryLedger::new(&genesis).is_none());
    };
    assert!(MemoryLedger::new(&good()).is_some());
    check(&|g| g.parameters.network_fee = Weight(u32::MAX));
    check(&|g| g.parameters.burn = Weight(1_000_000_001));
    check(&|g| g.parameters.settlement_window = u64::MAX);
    check(&|g| g.council.threshold = 2);
    check(&|g| g.allocations.clear());
    check(&|g| g.validators.clear());
    check(&|g| g.validators[0].key = PublicKey([2; 32]));
    check(&|g| g.validators[0].owner = key("nobody").public());
    check(&|g| g.validators[0].bond = Price(g.allocations[0].amount.0 + 1));
    check(&|g| g.allocations.push(g.allocations[0].clone()));
    check(&|g| g.epoch_blocks = 1);
    check(&|g| g.epoch_blocks = EPOCH_BLOCKS_MAX + 1);
    check(&|g| g.parameters.committee_min = 2);
    let rich = Allocation { key: key("rich").public(), amount: Price(u64::MAX) };
    let mut genesis = good();
    genesis.allocations.push(rich);
    MemoryLedger::new(&genesis).unwrap().check().unwrap();
    let checkpoint = genesis.checkpoint().unwrap();
    assert_eq!(checkpoint.network, genesis.network());
}

/// A genesis with these validators: keys and owners by name.
fn with_validators(validators: &[(&str, &str)]) -> Genesis {
    let mut genesis = Genesis::development(key("faucet").public(), [7; 32]);
    let bond = genesis.parameters.validator_bond;
    let validator = |(seat, owner): &(&str, &str)| GenesisValidator {
        key: key(seat).public(),
        owner: key(owner).public(),
        bond,
    };
    genesis.validators = validators.iter().map(validator).collect();
    for owner in ["ana", "ben", "eva"] {
        let key = key(owner).public();
        genesis.allocations.push(Allocation { key, amount: bond });
    }
    genesis
}

#[test]
fn genesis_seats_a_key_and_an_owner_once() {
    let check = |validators: &[(&str, &str)], expect| {
        assert_eq!(MemoryLedger::new(&with_validators(validators)).is_some(), expect);
    };
    check(&[("two", "ana"), ("one", "ben"), ("three", "eva")], true);
    check(&[("one", "ana"), ("one", "ben")], false);
    check(&[("one", "ana"), ("two", "ana")], false);
    check(&[("one", "nobody")], false);
    let mut genesis = with_validators(&[("two", "ana"), ("one", "ben"), ("three", "eva")]);
    let ledger = MemoryLedger::new(&genesis).unwrap();
    let bonds = Amount::from(Price(3 * genesis.parameters.validator_bond.0));
    assert_eq!(ledger.check().unwrap().bonds, bonds);
    let (_, _, balance) = ledger.account(&key("ana").public().did()).unwrap();
    assert_eq!(balance.sum(), Some(Amount::ZERO));
    let mut seats: Vec<_> = genesis.validators.iter().map(|validator| validator.key).collect();
    seats.sort_unstable();
    assert_eq!(genesis.committee().unwrap().seats(), seats);
    genesis.parameters.committee_max = 2;
    assert!(MemoryLedger::new(&genesis).is_none());
}

#[test]
fn a_council_of_three_decides_by_two() {
    let names = ["first", "second", "third"];
    let mut keys: Vec<_> = names.iter().map(|name| key(name).public()).collect();
    keys.sort_unstable();
    let mut world = World::with(|genesis| {
        genesis.council = KeySet { keys: keys.clone(), threshold: 2 };
        let amount = Price(Price::CREDIT.0);
        genesis.allocations.push(Allocation { key: key("second").public(), amount });
    });
    let rules = Parameters { burn: Weight::ZERO, ..world.genesis.parameters.clone() };
    let envelope = world.envelope("second", vec![Operation::SetParameters(rules)]);
    let mut submit = |signers: &[&str]| {
        let signatures = signers.iter().map(|name| envelope.signature(&key(name))).collect();
        let payer_signatures = Vec::new();
        let signed = SignedTransaction { envelope: envelope.clone(), signatures, payer_signatures };
        world.apply(&signed.to_bytes()).err().map(|refusal| refusal.code)
    };
    assert_eq!(submit(&["second"]), Some(ErrorCode::SignatureInvalid));
    assert_eq!(submit(&["first", "third"]), None);
}

/// After the settlement window call ids, facts and closed channels are gone, whoever and
/// however many closed at the same height; the record of the batch stays.
#[test]
fn what_is_over_is_forgotten() {
    let mut shop = shop(|parameters| parameters.settlement_window = 6);
    let names: Vec<_> = (0..12).map(|at| format!("payer {at}")).collect();
    let mut channels = Vec::new();
    for name in &names {
        shop.world.person(name);
        channels.push(shop.world.channel(name, "operator", vec![], PRICE));
    }
    let leaf = shop.leaf(0);
    shop.settle(leaf.clone()).unwrap();
    for (name, channel) in names.iter().zip(&channels) {
        shop.world.act(name, vec![Operation::CloseChannel(*channel)]).unwrap();
        let again = shop.world.refused(name, Operation::CloseChannel(*channel));
        assert_eq!(again, ErrorCode::ChannelClosed);
    }
    let number = (shop.node, 0);
    let over = [Key::Calls(number), Key::Facts(number)];
    let held = |shop: &Shop, key: &Key| shop.world.ledger.value(&key.bytes()).unwrap().is_some();
    for _ in 0..6 {
        shop.world.block(1000);
        assert!(over.iter().all(|key| held(&shop, key)) && shop.world.listed(&leaf.call));
    }
    shop.world.block(1000);
    assert!(over.iter().all(|key| !held(&shop, key)) && !shop.world.listed(&leaf.call));
    assert!(channels.iter().all(|number| !held(&shop, &Key::Channel(*number))));
    for name in &names {
        let all = Amount::from(Price(100 * Price::CREDIT.0));
        assert_eq!(shop.world.balance(shop.world.id(name)), all);
    }
    let batch: Batch = shop.world.ledger.must("batch", "", &Key::Batch(number)).unwrap();
    assert_eq!((batch.leaves, Some(batch.price)), (1, leaf.price()));
    assert_eq!(shop.settle(leaf).unwrap_err().code, ErrorCode::TransactionExpired);
    shop.world.ledger.check().unwrap();
}

/// More channels than the beginning of one block pays out.
#[test]
fn a_crowd_that_closes_at_once_is_paid_out_over_several_heights() {
    let mut shop = shop(|parameters| parameters.settlement_window = 2);
    let crowd = CLOSE_CHANNELS_MAX as u64 + 5;
    let open = OpenChannel {
        session_key: key("session").public(),
        gateway: key("operator's node").public(),
        grants: vec![],
        amount: Price(1),
        unit_price_max: Price(1),
        expires: START.after(1_000_000),
        vouchers: false,
    };
    let first = shop.channel + 1;
    let numbers: Vec<_> = (first..first + crowd).collect();
    let before = shop.world.balance(shop.world.id("caller"));
    let opening = |_: &u64| Operation::OpenChannel(open.clone());
    let closing = |number: &u64| Operation::CloseChannel(*number);
    let each: [&dyn Fn(&u64) -> Operation; 2] = [&opening, &closing];
    for operation in each {
        for numbers in numbers.chunks(OPERATIONS_MAX) {
            shop.world.act("caller", numbers.iter().map(operation).collect()).unwrap();
        }
    }
    let left = |shop: &Shop| {
        let held = |number: &&u64| {
            shop.world.ledger.value(&Key::Channel(**number).bytes()).unwrap().is_some()
        };
        numbers.iter().filter(held).count()
    };
    let mut lefts = Vec::new();
    for _ in 0..4 {
        shop.world.block(1000);
        shop.world.ledger.check().unwrap();
        lefts.push(left(&shop));
    }
    assert_eq!(lefts, [numbers.len(), numbers.len(), 5, 0]);
    assert_eq!(shop.world.balance(shop.world.id("caller")), before);
}
