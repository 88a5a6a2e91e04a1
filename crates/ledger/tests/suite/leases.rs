//! Gateways share a quota: together they never settle more than it allows, and what they do
//! not use goes back to it.

use crate::world::{World, contributors, dataset, model, prompt, terms};
use ambar_base::{Cid, ErrorCode, Height, Moment, Price};
use ambar_ledger::object::{Lease, QuotaCount};
use ambar_ledger::query::State;
use ambar_ledger::quota::{LEASE_BLOCKS, RATE_PERIOD};
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{ReturnLease, TakeLease};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_licence::{Period, Quota, Rate, RateUnit, Right, Terms};
use ambar_receipt::{Counter, Leaf};
use proptest::prelude::*;

/// Heights within which a call may settle.
const WINDOW: u64 = 5;
/// What a call's line costs: its royalty, for nodes ask nothing per call.
const COST: u64 = 1_000;
const OPERATORS: [&str; 4] = ["north", "east", "south", "west"];

/// Gateways that may all call under one grant.
#[derive(Clone)]
struct Shared {
    world: World,
    version: u64,
    grant: u64,
    nodes: Vec<u64>,
    channels: Vec<u64>,
    next: Vec<u64>,
}

fn rules(quota: Quota) -> Terms {
    Terms { quota: Some(quota), ..terms(&[Right::Call, Right::Compose], 0, COST) }
}

fn shared(quota: Quota, gateways: usize) -> Shared {
    let mut world = World::with(|genesis| genesis.parameters.settlement_window = WINDOW);
    for name in ["developer", "caller"].into_iter().chain(OPERATORS) {
        world.person(name);
    }
    let developer = world.id("developer");
    let manifest = model(developer);
    let (version, id) = world.publish("developer", manifest, &rules(quota), None, vec![]).unwrap();
    let grant = world.accept("caller", id).unwrap();
    let (mut nodes, mut channels) = (Vec::new(), Vec::new());
    for name in &OPERATORS[..gateways] {
        nodes.push(world.node(name));
        world.serve("developer", id, name);
        channels.push(world.channel("caller", name, vec![grant], Price::CREDIT));
    }
    world.block(1_000);
    Shared { world, version, grant, nodes, channels, next: vec![0; gateways] }
}

impl Shared {
    fn asked(&self, at: usize, period: u64, (calls, spend, rate): (u64, u64, u32)) -> TakeLease {
        let (channel, grant, spend) = (self.channels[at], self.grant, Price(spend));
        TakeLease { channel, grant, period, calls, spend, rate, through: vec![] }
    }

    fn act(&mut self, at: usize, operation: Operation) -> Result<OperationResult, Refusal> {
        self.world.act_as_node(OPERATORS[at], self.nodes[at], operation)
    }

    /// What is given of calls, spend and rate.
    fn take(&mut self, at: usize, period: u64, asked: (u64, u64, u32)) -> (u64, u64, u32) {
        let take = self.asked(at, period, asked);
        match self.act(at, Operation::TakeLease(take)).unwrap() {
            OperationResult::Leased(Lease { calls, spend, rate, until }) => {
                assert_eq!(until, self.world.ledger.height().after(1 + LEASE_BLOCKS));
                (calls, spend.0, rate)
            }
            other => panic!("{other:?}"),
        }
    }

    fn refused(&mut self, at: usize, change: impl FnOnce(&mut TakeLease)) -> ErrorCode {
        let mut take = self.asked(at, 0, (1, 0, 0));
        change(&mut take);
        self.act(at, Operation::TakeLease(take)).unwrap_err().code
    }

    fn give(&mut self, at: usize, period: u64, (calls, spend, rate): (u64, u64, u32)) {
        let (grant, spend) = (self.grant, Price(spend));
        let back = ReturnLease { grant, period, calls, spend, rate };
        assert_eq!(self.act(at, Operation::ReturnLease(back)), Ok(OperationResult::Done));
    }

    fn leaf(&mut self, at: usize) -> Leaf {
        let line =
            self.world.line(self.version, self.grant, self.nodes[at], &[(Counter::TokensOut, 0)]);
        assert_eq!(line.royalty.0 + line.node_fee.0, COST);
        let n = self.next[at];
        self.next[at] += 1;
        self.world.leaf(self.channels[at], n, vec![line])
    }

    fn settle(&mut self, at: usize, leaves: Vec<Leaf>) -> Result<(), Refusal> {
        self.world.settle(OPERATORS[at], self.nodes[at], leaves)
    }

    fn count(&self, period: u64) -> QuotaCount {
        self.world.ledger.object(&Key::Quota((self.grant, period))).unwrap().unwrap_or_default()
    }

    fn lease(&self, at: usize, period: u64) -> Option<Lease> {
        let key = Key::Lease((self.grant, (period, self.nodes[at])));
        self.world.ledger.object(&key).unwrap()
    }

    fn blocks(&mut self, count: u64) {
        (0..count).for_each(|_| self.world.block(10));
        self.world.ledger.check().unwrap();
    }
}

fn of(calls: u64, spend: u64) -> Quota {
    Quota { spend: Some(Price(spend)), ..Quota::of_calls(calls, Period::Day) }
}

#[test]
fn a_lease_gives_what_is_left_and_takes_it_back() {
    let mut two = shared(of(10, 6_000), 2);
    assert_eq!(two.take(0, 0, (4, 5_000, 9)), (4, 5_000, 0));
    assert_eq!(two.take(1, 0, (9, 5_000, 0)), (6, 1_000, 0));
    assert_eq!(two.take(1, 0, (1, 1, 0)), (0, 0, 0));
    two.give(0, 0, (1, 2_000, 0));
    assert_eq!(two.take(1, 0, (9, 5_000, 0)), (1, 2_000, 0));
    two.give(0, 0, (99, 99_000, 99));
    let until = two.lease(0, 0).unwrap().until;
    assert_eq!(two.lease(0, 0), Some(Lease { until, ..Lease::default() }), "it stays, empty");
    let count = two.count(0);
    assert_eq!((count.calls_leased, count.spend_leased), (7, Price(3_000)));
    let stranger = ReturnLease { grant: 99, period: 0, calls: 1, spend: Price(0), rate: 0 };
    let refused = two.act(0, Operation::ReturnLease(stranger)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);
}

#[test]
fn calls_and_what_they_cost_come_out_of_the_lease() {
    let mut one = shared(of(10, 2_500), 2);
    let leaf = one.leaf(0);
    let check = |one: &mut Shared, at, leaf: &Leaf, text: &str| {
        let refused = one.settle(at, vec![leaf.clone()]).unwrap_err();
        let codes = [ErrorCode::QuotaExceeded, ErrorCode::SpendExceeded];
        assert!(codes.contains(&refused.code), "{refused}");
        assert!(refused.message.contains(text), "{refused}");
    };
    check(&mut one, 0, &leaf, "no lease");
    one.take(1, 0, (1, COST, 0));
    check(&mut one, 0, &leaf, "no lease");
    one.take(0, 0, (0, COST, 0));
    check(&mut one, 0, &leaf, "lease holds, 10 of 10 calls per day are used");
    one.give(0, 0, (0, 1, 0));
    one.take(0, 0, (2, 0, 0));
    check(&mut one, 0, &leaf, "lease holds, the terms allow");
    one.take(0, 0, (0, 1, 0));
    one.settle(0, vec![leaf]).unwrap();
    let expect = QuotaCount {
        calls: 1,
        spend: Price(COST),
        calls_leased: 2,
        spend_leased: Price(COST),
        rate_leased: 0,
    };
    assert_eq!(one.count(0), expect);
}

#[test]
fn a_lease_ends_unless_it_is_extended() {
    let mut one = shared(Quota::of_calls(10, Period::Day), 1);
    one.take(0, 0, (4, 0, 0));
    let first = one.lease(0, 0).unwrap().until;
    one.blocks(LEASE_BLOCKS);
    let last = one.leaf(0);
    assert_eq!(last.admitted.after(1), first);
    one.blocks(1);
    let late = one.leaf(0);
    let refused = one.settle(0, vec![late.clone()]).unwrap_err();
    assert!(refused.message.contains("below height"), "{refused}");
    one.settle(0, vec![last]).unwrap();
    assert_eq!(one.take(0, 0, (0, 0, 0)), (0, 0, 0));
    one.settle(0, vec![late]).unwrap();

    // It is looked at when it would have been over, and again when it is.
    one.blocks(WINDOW + 1);
    assert_eq!(one.lease(0, 0).unwrap().calls, 2);
    let until = one.lease(0, 0).unwrap().until;
    let over = until.after(WINDOW + 1);
    let left = over.0 - one.world.ledger.height().0;
    one.blocks(left - 1);
    assert_eq!(one.lease(0, 0).unwrap().calls, 2);
    assert_eq!(one.count(0).calls_leased, 2);
    one.blocks(1);
    assert_eq!(one.lease(0, 0), None);
    assert_eq!(one.count(0), QuotaCount { calls: 2, spend: Price(2 * COST), ..one.count(1) });
    assert_eq!(one.take(0, 0, (99, 0, 0)), (8, 0, 0));
}

/// The last call under a lease settles in the last block that its admission allows.
#[test]
fn a_lease_outlives_the_last_call_under_it() {
    let mut one = shared(Quota::of_calls(1, Period::Day), 1);
    one.take(0, 0, (1, 0, 0));
    one.blocks(LEASE_BLOCKS);
    let last = one.leaf(0);
    one.blocks(WINDOW);
    one.settle(0, vec![last]).unwrap();
    one.blocks(2);
    assert_eq!(one.lease(0, 0), None);
}

#[test]
fn leases_are_for_this_period_and_the_next() {
    let mut one = shared(Quota::of_calls(10, Period::Day), 1);
    assert_eq!(one.take(0, 0, (2, 0, 0)), (2, 0, 0));
    assert_eq!(one.take(0, 1, (10, 0, 0)), (10, 0, 0));
    assert_eq!(one.refused(0, |take| take.period = 2), ErrorCode::TransactionExpired);
    one.world.block(Moment::DAY_MS);
    assert_eq!(one.refused(0, |_| {}), ErrorCode::TransactionExpired);
    assert_eq!(one.take(0, 2, (10, 0, 0)), (10, 0, 0));
    let tomorrow = one.leaf(0);
    one.settle(0, vec![tomorrow]).unwrap();
    assert_eq!((one.count(0).calls, one.count(1).calls), (0, 1));

    let mut term = shared(Quota::of_calls(10, Period::Term), 1);
    assert_eq!(term.take(0, 0, (2, 0, 0)), (2, 0, 0));
    assert_eq!(term.refused(0, |take| take.period = 1), ErrorCode::TransactionExpired);
}

#[test]
fn a_rate_is_shared_whatever_the_period() {
    let rate = Some(Rate { calls: 10, per: RateUnit::Second });
    let mut two = shared(Quota { rate, ..Quota::of_calls(3, Period::Day) }, 2);
    assert_eq!(two.take(0, RATE_PERIOD, (1, 1, 4)), (0, 0, 4));
    assert_eq!(two.take(0, 0, (1, 1, 4)), (1, 0, 0));
    two.world.block(Moment::DAY_MS);
    assert_eq!(two.take(1, RATE_PERIOD, (0, 0, 9)), (0, 0, 6));
    two.give(0, RATE_PERIOD, (0, 0, 3));
    assert_eq!(two.take(1, RATE_PERIOD, (0, 0, 9)), (0, 0, 3));
    assert_eq!(two.count(RATE_PERIOD).rate_leased, 10);
}

#[test]
fn only_the_gateway_of_an_open_channel_leases() {
    let mut two = shared(Quota::of_calls(10, Period::Day), 2);
    let other = two.channels[1];
    assert_eq!(two.refused(0, |take| take.channel = other), ErrorCode::NotAuthorised);
    assert_eq!(two.refused(0, |take| take.channel = 99), ErrorCode::ChannelUnknown);
    assert_eq!(two.refused(0, |take| take.grant = 99), ErrorCode::NotFound);
    let take = Operation::TakeLease(two.asked(0, 0, (1, 0, 0)));
    assert_eq!(two.world.refused("caller", take), ErrorCode::NotAuthorised);
    let empty = two.world.channel("caller", OPERATORS[0], vec![], Price::CREDIT);
    assert_eq!(two.refused(0, |take| take.channel = empty), ErrorCode::GrantMissing);
    let channel = two.channels[0];
    two.world.act("caller", vec![Operation::CloseChannel(channel)]).unwrap();
    assert_eq!(two.refused(0, |_| {}), ErrorCode::ChannelClosed);
    two.world.act("caller", vec![Operation::RevokeGrant(two.grant)]).unwrap();
    assert_eq!(two.refused(1, |_| {}), ErrorCode::GrantRevoked);
}

/// A prompt over a model and a datanet, both with a quota on the prompt author's grant.
#[test]
fn a_component_is_leased_through_what_uses_it() {
    let mut one = shared(Quota::of_calls(10, Period::Day), 1);
    let world = &mut one.world;
    world.person("author");
    let (developer, author) = (world.id("developer"), world.id("author"));
    let rule = rules(Quota::of_calls(5, Period::Day));
    let table = contributors(&["Ada"]);
    let publish = |world: &mut World, manifest, table, grants| {
        let name = if grants == Vec::<u64>::new() { "developer" } else { "author" };
        world.publish(name, manifest, &rule, table, grants).unwrap()
    };
    let (llm, llm_id) = publish(world, model(developer), None, vec![]);
    let (data, data_id): (u64, Cid) =
        publish(world, dataset(developer, &table), Some(&table), vec![]);
    let grants = [llm_id, data_id].map(|id| world.accept("author", id).unwrap());
    let (ask, ask_id) = publish(world, prompt(author, llm_id, data_id), None, grants.to_vec());
    let grant = world.accept("caller", ask_id).unwrap();
    one.channels[0] = world.channel("caller", OPERATORS[0], vec![grant], Price::CREDIT);
    let mut check = |grant: u64, through: &[u64], expect: Option<ErrorCode>| {
        let asked = one.asked(0, 0, (1, 0, 0));
        let take = TakeLease { grant, through: through.to_vec(), ..asked };
        let code = one.act(0, Operation::TakeLease(take)).err().map(|refusal| refusal.code);
        assert_eq!(code, expect, "{grant} {through:?}");
    };
    let stray = Some(ErrorCode::GrantMissing);
    check(grant, &[], None);
    check(grants[0], &[ask, llm], None);
    check(grants[1], &[ask, data], None);
    check(grants[0], &[], stray);
    check(grants[0], &[llm], stray);
    check(grants[0], &[ask], stray);
    check(grants[0], &[ask, data], stray);
    check(grants[0], &[data, llm], stray);
    check(grants[0], &[ask, data, llm], stray);
    check(grants[0], &[99, llm], Some(ErrorCode::NotFound));
    check(grants[0], &[ask; 65], Some(ErrorCode::LimitExceeded));
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize, u64),
    Return(usize, u64),
    Call(usize),
    Settle(usize),
    Blocks(u64),
    Extend(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || 0..4_usize;
    let step = prop_oneof![
        4 => (at(), 0..6_u64).prop_map(|(at, calls)| Step::Take(at, calls)),
        2 => (at(), 0..6_u64).prop_map(|(at, calls)| Step::Return(at, calls)),
        8 => at().prop_map(Step::Call),
        4 => at().prop_map(Step::Settle),
        2 => (1..4_u64).prop_map(Step::Blocks),
        1 => Just(Step::Blocks(LEASE_BLOCKS)),
        1 => at().prop_map(Step::Extend),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Runs the steps; the calls that settled. The gateways admit whatever they are asked: the
/// ledger keeps the quota, and a call that has no lease costs its gateway.
fn run(four: &mut Shared, steps: &[Step], most: u64) -> u64 {
    let mut waiting: Vec<Vec<Leaf>> = vec![Vec::new(); 4];
    let mut settled = 0;
    for step in steps {
        match *step {
            Step::Take(at, calls) => {
                four.take(at, 0, (calls, calls * COST, 0));
            }
            Step::Extend(at) => {
                four.take(at, 0, (0, 0, 0));
            }
            Step::Return(at, calls) => {
                if four.lease(at, 0).is_some() {
                    four.give(at, 0, (calls, calls * COST, 0));
                }
            }
            Step::Call(at) => {
                let leaf = four.leaf(at);
                waiting[at].push(leaf);
            }
            Step::Settle(at) => {
                for leaf in std::mem::take(&mut waiting[at]) {
                    settled += u64::from(four.settle(at, vec![leaf]).is_ok());
                }
            }
            Step::Blocks(count) => four.blocks(count),
        }
        let QuotaCount { calls, calls_leased, .. } = four.count(0);
        assert!(calls == settled && calls + calls_leased <= most, "{step:?}");
    }
    settled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn together_they_settle_what_the_quota_allows(steps in steps(), most in 1..12_u64) {
        let mut four = shared(of(most, most * COST), 4);
        let settled = run(&mut four, &steps, most);
        four.blocks(LEASE_BLOCKS + WINDOW + 2);
        let spend = Price(settled * COST);
        let expect = QuotaCount { calls: settled, spend, ..QuotaCount::default() };
        prop_assert_eq!(four.count(0), expect);
        prop_assert!((0..4).all(|at| four.lease(at, 0).is_none()));
        let left = most - settled;
        prop_assert_eq!(four.take(0, 0, (99, 99_000, 0)), (left, left * COST, 0));
        for _ in 0..left {
            let leaf = four.leaf(0);
            prop_assert_eq!(four.settle(0, vec![leaf]), Ok(()));
        }
        let one_more = four.leaf(0);
        prop_assert!(four.settle(0, vec![one_more]).is_err());
        prop_assert!(four.world.ledger.height() > Height(LEASE_BLOCKS));
    }
}
