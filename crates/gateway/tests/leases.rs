//! Gateways that share a quota: whatever order they act in and whoever of them dies, together
//! they never admit more than it allows, what they deliver settles, and what they leave is
//! used up to the last call once it is back.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod frozen;
#[path = "../../ledger/tests/world/mod.rs"]
mod world;

use ambar_base::{Cid, Digest, ErrorCode, Height, Moment, Price, Signature};
use ambar_gateway::admission::{Admission, Verdict};
use ambar_gateway::books::{Books, Hold};
use ambar_gateway::certificate::Opened;
use ambar_gateway::leases::{Want, is_idle};
use ambar_gateway::record::{Answer, Metered};
use ambar_gateway::route::{Route, Router};
use ambar_gateway::view::LedgerView;
use ambar_gateway::{CallError, Offer, Serving};
use ambar_ledger::object::{Lease, QuotaCount};
use ambar_ledger::query::State as _;
use ambar_ledger::quota::{LEASE_BLOCKS, RATE_PERIOD, Share};
use ambar_ledger::transaction::{ReturnLease, TakeLease};
use ambar_ledger::{Key, Operation};
use ambar_licence::{Period, Quota, Rate, RateUnit, Right, Terms, Territory};
use ambar_receipt::Counter;
use std::collections::BTreeMap;
use world::{World, key, model, terms};

/// Heights within which a call may settle: all that pass while one runs here.
const WINDOW: u64 = 60;
/// What a call's line costs: a royalty per call.
const COST: u64 = 1_000;
/// Most that a call costs with the network's fee.
const PRICE_MAX: Price = Price(2 * COST);
const OPERATORS: [&str; 4] = ["north", "east", "south", "west"];

/// Numbers that differ from seed to seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// One gateway: what it forgets when it dies, and what it does not.
struct Gate {
    node: u64,
    channel: u64,
    books: Books,
    running: Vec<(Hold, Height, Moment)>,
    takes: BTreeMap<(u64, u64), u32>,
    used: Moment,
    /// Receipts that are durable and not final.
    journal: Vec<Metered>,
    next: u64,
}

/// Gateways over one ledger.
struct Town {
    world: World,
    serving: Serving,
    version: u64,
    id: Cid,
    grant: u64,
    gates: Vec<Gate>,
    /// Most that a line can cost, as the gateways bound it.
    line_max: Price,
}

fn town(quota: Quota, gateways: usize) -> Town {
    let mut world = World::with(|genesis| genesis.parameters.settlement_window = WINDOW);
    for name in ["developer", "caller"].into_iter().chain(OPERATORS) {
        world.person(name);
    }
    let developer = world.id("developer");
    let rule = Terms { quota: Some(quota), ..terms(&[Right::Call], 0, COST) };
    let (version, id) = world.publish("developer", model(developer), &rule, None, vec![]).unwrap();
    let grant = world.accept_in("caller", id, Some("PT")).unwrap();
    let gate = |world: &mut World, name: &str| {
        let node = world.node(name);
        world.serve("developer", id, name);
        let channel = world.channel("caller", name, vec![grant], Price::CREDIT);
        let (books, takes, used) = (Books::default(), BTreeMap::new(), Moment(0));
        Gate { node, channel, books, running: vec![], takes, used, journal: vec![], next: 0 }
    };
    let gates = OPERATORS[..gateways].iter().map(|name| gate(&mut world, name)).collect();
    world.block(1_000);
    let serving = Serving::default();
    serving.insert(id, Offer::Template);
    Town { world, serving, version, id, grant, gates, line_max: Price(COST) }
}

impl Town {
    fn view(&self) -> LedgerView {
        frozen::view(&self.world.ledger)
    }

    fn route(&self, at: usize) -> Route {
        let (view, gate) = (self.view(), &self.gates[at]);
        let now = self.world.ledger.time();
        let router =
            Router { view: &view, serving: &self.serving, node: gate.node, now, elsewhere: false };
        router.route(gate.channel, &self.id.to_string()).unwrap()
    }

    fn decide(&self, at: usize, route: &Route) -> Result<Verdict, CallError> {
        let gate = &self.gates[at];
        let certificate = Opened {
            channel: gate.channel,
            session: key("session").public(),
            blocks: Vec::new(),
            holder: Digest::ZERO,
            last: Signature([0; 64]),
        };
        let admission = Admission {
            certificate: &certificate,
            route,
            purpose: None,
            agent: None,
            voucher: None,
            price_max: PRICE_MAX,
            lines_max: &[self.line_max],
            now: self.world.ledger.time(),
            ledger_age_ms: 0,
        };
        admission.decide(&gate.books)
    }

    /// Admits a call, or says why not. What is wanted is asked of the ledger at once.
    fn call(&mut self, at: usize) -> Result<(), CallError> {
        for _ in 0..8 {
            let route = self.route(at);
            match self.decide(at, &route)? {
                Verdict::Admitted(admitted) => {
                    assert_eq!(admitted.territory.map(Territory::as_str), Some("PT"));
                    let now = self.world.ledger.time();
                    let gate = &mut self.gates[at];
                    gate.used = now;
                    gate.next = gate.next.max(admitted.hold.receipt.n + 1);
                    gate.running.push((admitted.hold, route.head.height, now));
                    return Ok(());
                }
                Verdict::Wanted(want) => self.take(at, &want),
                Verdict::Denied(denied) => {
                    let terms = &route.parts[0].terms;
                    assert_eq!(denied.decision.replay(|_| Some(terms)), Ok(()));
                    return Err(denied.error);
                }
                Verdict::Overtaken => panic!("the newest state is not overtaken"),
            }
        }
        panic!("a call that may run is admitted");
    }

    fn take(&mut self, at: usize, want: &Want) {
        let takes = self.gates[at].takes.entry((want.grant, want.period)).or_default();
        let Share { calls, spend, rate } = want.asks(*takes);
        *takes += 1;
        let Want { channel, grant, period, ref through, .. } = *want;
        let through = through.clone();
        let take = TakeLease { channel, grant, period, calls, spend, rate, through };
        self.act(at, Operation::TakeLease(take));
    }

    fn act(&mut self, at: usize, operation: Operation) {
        self.world.act_as_node(OPERATORS[at], self.gates[at].node, operation).unwrap();
    }

    /// A call ends: it delivers, or not.
    fn end(&mut self, at: usize, which: u64, delivers: bool) {
        let which = which as usize % self.gates[at].running.len();
        let (hold, admitted, time) = self.gates[at].running.swap_remove(which);
        if !delivers {
            return;
        }
        let counts = [(Counter::TokensOut, 0)];
        let line = self.world.line(self.version, self.grant, self.gates[at].node, &counts);
        let leaf = self.world.leaf(hold.receipt.channel, hold.receipt.n, vec![line]);
        let territory = Some("PT".to_owned());
        let leaf = ambar_receipt::Leaf { admitted, time, territory, ..leaf };
        let quotas = hold.claim().quotas.iter().map(|quota| (quota.grant, quota.period));
        let metered = Metered {
            leaf,
            details: None,
            decision: None,
            evidence: vec![],
            blocks: vec![],
            quotas: quotas.collect(),
            fingerprint: Digest::ZERO,
            voucher: None,
            capsule: String::new(),
            answer: Answer::default(),
        };
        hold.charge(&metered.claim(), metered.price());
        self.gates[at].journal.push(metered);
    }

    /// Everything that was delivered settles.
    fn settle(&mut self, at: usize) {
        let calls = std::mem::take(&mut self.gates[at].journal);
        if calls.is_empty() {
            return;
        }
        let leaves = calls.iter().map(|call| call.leaf.clone()).collect();
        self.world.settle(OPERATORS[at], self.gates[at].node, leaves).unwrap();
        let height = self.world.ledger.height();
        for call in calls {
            self.gates[at].books.finalise(&call.claim(), call.price(), height);
        }
    }

    /// The process dies: its memory is lost, what was not delivered is not charged.
    fn kill(&mut self, at: usize) {
        let now = self.world.ledger.time();
        let gate = &mut self.gates[at];
        gate.running.clear();
        // Nobody knows when the process that died used its rate last.
        (gate.books, gate.takes, gate.used) = (Books::default(), BTreeMap::new(), now);
        gate.books.advance(gate.channel, gate.next);
        for call in &gate.journal {
            gate.books.charge(&call.claim(), call.price());
        }
    }

    fn lease(&self, at: usize, period: u64) -> Option<Lease> {
        let key = Key::Lease((self.grant, (period, self.gates[at].node)));
        self.world.ledger.object(&key).unwrap()
    }

    /// Gives back what no call needs.
    fn give_back(&mut self, at: usize, period: u64) {
        let (Some(lease), place) = (self.lease(at, period), (self.grant, period)) else { return };
        let head = (self.world.ledger.height(), self.world.ledger.time());
        let spared = self.gates[at].books.page().spare(head, place, &lease);
        let Some(share) = spared else { return };
        let (grant, Share { calls, spend, rate }) = (self.grant, share);
        let back = ReturnLease { grant, period, calls, spend, rate };
        self.act(at, Operation::ReturnLease(back));
        self.gates[at].books.release(place, share, Some(self.world.ledger.height()));
    }

    fn count(&self) -> QuotaCount {
        self.world.ledger.object(&Key::Quota((self.grant, 0))).unwrap().unwrap_or_default()
    }

    /// Calls that are under way, delivered or settled.
    fn admitted(&self) -> u64 {
        let here = |gate: &Gate| (gate.running.len() + gate.journal.len()) as u64;
        self.count().calls + self.gates.iter().map(here).sum::<u64>()
    }

    /// One of a hundred and fifty things, in the order of the dice.
    fn step(&mut self, dice: &mut Dice, asked: &mut u64) {
        let at = dice.below(self.gates.len() as u64) as usize;
        match dice.below(20) {
            0 => self.kill(at),
            1 => self.give_back(at, 0),
            2 => self.world.block(10),
            3..7 => self.settle(at),
            7..12 if !self.gates[at].running.is_empty() => {
                let delivers = dice.below(8) > 0;
                self.end(at, dice.below(1_000), delivers);
            }
            _ if *asked > 0 => {
                *asked -= 1;
                if let Err(error) = self.call(at) {
                    let codes = [ErrorCode::QuotaExceeded, ErrorCode::SpendExceeded];
                    assert!(codes.contains(&error.code), "{error:?}");
                }
            }
            _ => {}
        }
    }

    /// Ends and settles what is under way.
    fn rest(&mut self) {
        for at in 0..self.gates.len() {
            while !self.gates[at].running.is_empty() {
                self.end(at, 0, true);
            }
            self.settle(at);
        }
    }

    /// Leases end, and what they held goes back.
    fn reclaim(&mut self) {
        (0..LEASE_BLOCKS + WINDOW + 2).for_each(|_| self.world.block(10));
        self.world.ledger.check().unwrap();
        assert!((0..self.gates.len()).all(|at| self.lease(at, 0).is_none()));
    }

    /// One gateway calls until nothing is left; how it is told.
    fn use_up(&mut self, at: usize) -> CallError {
        loop {
            if let Err(error) = self.call(at) {
                return error;
            }
            self.end(at, 0, true);
            if self.gates[at].journal.len() > 5 {
                self.settle(at);
            }
        }
    }
}

fn race(quota: Quota, gateways: usize, code: ErrorCode) {
    for seed in 0..20 {
        let mut town = town(quota, gateways);
        let (mut dice, mut asked) = (Dice(seed), 150);
        while asked > 0 {
            town.step(&mut dice, &mut asked);
            assert!(town.admitted() <= 100, "seed {seed}");
        }
        town.rest();
        let QuotaCount { calls, spend, .. } = town.count();
        assert!(calls <= 100 && spend == Price(calls * COST), "seed {seed}");
        town.reclaim();
        let last = town.use_up(seed as usize % gateways);
        assert_eq!(last.code, code, "seed {seed}: {last}");
        town.rest();
        let count = town.count();
        assert_eq!((count.calls, count.spend), (100, Price(100 * COST)), "seed {seed}");
        assert_eq!((count.calls_leased, count.spend_leased), (0, Price(0)), "seed {seed}");
    }
}

#[test]
fn two_gateways_make_a_hundred_calls_of_a_hundred() {
    race(Quota::of_calls(100, Period::Day), 2, ErrorCode::QuotaExceeded);
}

#[test]
fn four_gateways_make_a_hundred_calls_of_a_hundred() {
    race(Quota::of_calls(100, Period::Term), 4, ErrorCode::QuotaExceeded);
}

#[test]
fn four_gateways_spend_what_may_be_spent() {
    let quota =
        Quota { per: Period::Month, calls: None, spend: Some(Price(100 * COST)), rate: None };
    race(quota, 4, ErrorCode::SpendExceeded);
}

/// What a call may cost is held, and what it costs is counted.
#[test]
fn a_call_is_refused_that_might_cost_more_than_is_left() {
    let spend = Some(Price(10 * COST));
    let quota = Quota { spend, ..Quota::of_calls(100, Period::Day) };
    let mut town = Town { line_max: Price(COST + 700), ..town(quota, 2) };
    for at in 0..5 {
        town.call(at % 2).unwrap();
    }
    assert_eq!(town.call(0).unwrap_err().code, ErrorCode::SpendExceeded);
    town.rest();
    let error = town.use_up(1);
    assert_eq!(error.code, ErrorCode::SpendExceeded, "{error}");
    town.rest();
    // Some is held by the other gateway's lease, and less than a call may cost is left.
    town.reclaim();
    let error = town.use_up(0);
    assert!(error.message.contains("may cost 0.0000017"), "{error}");
    town.rest();
    assert_eq!(town.count().spend, Price(9 * COST));
}

#[test]
fn a_denial_says_what_all_gateways_have() {
    let mut town = town(Quota::of_calls(3, Period::Day), 2);
    town.call(0).unwrap();
    town.call(1).unwrap();
    town.call(1).unwrap();
    let error = town.call(0).unwrap_err();
    assert_eq!(error.code, ErrorCode::QuotaExceeded);
    assert_eq!(error.message, "3 of 3 calls per day are used");
    // A call that delivers nothing leaves its place to the same gateway, and to another one
    // when it is given back.
    town.end(1, 0, false);
    assert_eq!(town.call(0).unwrap_err().code, ErrorCode::QuotaExceeded);
    town.give_back(1, 0);
    town.call(0).unwrap();
    assert_eq!(town.call(1).unwrap_err().code, ErrorCode::QuotaExceeded);
}

#[test]
fn an_ended_lease_is_extended_before_it_is_used() {
    let mut town = town(Quota::of_calls(8, Period::Day), 1);
    town.call(0).unwrap();
    let first = town.lease(0, 0).unwrap();
    (0..=LEASE_BLOCKS).for_each(|_| town.world.block(10));
    assert_eq!(town.world.ledger.height(), first.until);
    town.end(0, 0, false);
    town.call(0).unwrap();
    let extended = town.lease(0, 0).unwrap();
    assert_eq!((extended.calls, extended.until), (1, town.world.ledger.height().after(257)));
    town.rest();
    assert_eq!(town.count().calls, 1);
}

/// In every second, whichever gateway admits, at most ten calls, and in most seconds all of
/// them although parts move between gateways.
#[test]
fn gateways_share_a_rate() {
    for seed in 0..8 {
        let rate = Some(Rate { calls: 10, per: RateUnit::Second });
        let quota = Quota { per: Period::Term, calls: None, spend: None, rate };
        let (mut town, mut dice) = (town(quota, 4), Dice(seed));
        let mut admitted: Vec<u64> = Vec::new();
        for _ in 0..600 {
            town.world.block(dice.below(80));
            let (at, now) = (dice.below(4) as usize, town.world.ledger.time());
            match dice.below(30) {
                0 => town.kill(at),
                2 => town.world.block(31_000),
                1..5 if is_idle(town.gates[at].used, now, rate.map(|rate| rate.per)) => {
                    town.give_back(at, RATE_PERIOD);
                }
                _ => match town.call(at) {
                    Ok(()) => {
                        admitted.push(now.0);
                        town.end(at, 0, dice.below(2) == 0);
                        town.settle(at);
                    }
                    Err(error) => assert_eq!(error.code, ErrorCode::RateExceeded, "{error}"),
                },
            }
        }
        for (at, first) in admitted.iter().enumerate() {
            let within = admitted[at..].iter().take_while(|time| **time < first + 1_000);
            assert!(within.count() <= 10, "seed {seed}");
        }
        assert!(admitted.len() > 150, "seed {seed}: {}", admitted.len());
        let count: QuotaCount =
            town.world.ledger.object(&Key::Quota((town.grant, RATE_PERIOD))).unwrap().unwrap();
        assert!(count.rate_leased <= 10);
    }
}
