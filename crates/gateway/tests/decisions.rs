//! One decision: what a gateway admits, the ledger settles, and what a gateway refuses by the
//! terms, the ledger refuses for the same reason.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod frozen;
#[path = "../../ledger/tests/world/mod.rs"]
mod world;

use ambar_base::{Digest, ErrorCode, Moment, Price, Signature};
use ambar_gateway::admission::{Admission, Denied, Verdict};
use ambar_gateway::books::Books;
use ambar_gateway::certificate::Opened;
use ambar_gateway::route::Router;
use ambar_gateway::view::LedgerView;
use ambar_gateway::{Offer, Serving};
use ambar_ledger::quota::Share;
use ambar_ledger::transaction::{OpenChannel, TakeLease};
use ambar_ledger::{Operation, Refusal};
use ambar_licence::terms::Term;
use ambar_licence::{Period, Purposes, Quota, Right, Terms};
use ambar_receipt::{Leaf, Line};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::RefCell;
use std::collections::BTreeSet;
use world::{World, contributors, dataset, key, model, prompt, terms};

/// What an owner may write.
#[derive(Clone, Debug)]
struct Rules {
    purposes: usize,
    denied: bool,
    days: Option<u32>,
    calls: Option<u64>,
    per_call: u64,
}

/// What happens before the call.
#[derive(Clone, Debug)]
struct Past {
    /// Terms of prompt, model and datanet.
    rules: [Rules; 3],
    callable: bool,
    earlier: usize,
    funds: u64,
    unit_price_max: u64,
    channel_days: u64,
    days: u64,
    closed: bool,
    revoked: Option<usize>,
    declared: Option<&'static str>,
}

fn rules() -> impl Strategy<Value = Rules> {
    let (days, calls) =
        (prop::option::weighted(0.3, 1u32..4), prop::option::weighted(0.3, 1u64..3));
    (
        prop_oneof![3 => Just(0usize), 2 => 1usize..3],
        prop::bool::weighted(0.1),
        days,
        calls,
        0u64..3,
    )
        .prop_map(|(purposes, denied, days, calls, per_call)| Rules {
            purposes,
            denied,
            days,
            calls,
            per_call: per_call * 1_000,
        })
}

fn past() -> impl Strategy<Value = Past> {
    let declared = prop_oneof![Just(None), Just(Some("research")), Just(Some("sales"))];
    let money =
        (prop_oneof![Just(1u64), Just(4_000), Just(1_000_000)], prop_oneof![Just(0u64), Just(9)]);
    let life = (prop_oneof![1 => Just(1u64), 5 => Just(9)], 0u64..3, prop::bool::weighted(0.1));
    let revoked = prop::option::weighted(0.2, 0usize..3);
    let rules = (rules(), rules(), rules());
    (rules, prop::bool::weighted(0.9), 0usize..3, money, life, revoked, declared).prop_map(
        |(
            (a, b, c),
            callable,
            earlier,
            (funds, unit),
            (channel_days, days, closed),
            revoked,
            declared,
        )| Past {
            rules: [a, b, c],
            callable,
            earlier,
            funds,
            unit_price_max: unit * 1_000_000_000,
            channel_days,
            days,
            closed,
            revoked,
            declared,
        },
    )
}

impl Rules {
    fn terms(&self, rights: &[Right]) -> Terms {
        let words = |list: &[&str]| list.iter().map(|word| word.parse().unwrap()).collect();
        let allow = words(&["research", "evaluation"][..self.purposes]);
        let deny = words(if self.denied { &["sales"] } else { &[] });
        Terms {
            purposes: Purposes { allow, deny },
            term: self.days.map(Term::Days),
            quota: self.calls.map(|calls| Quota::of_calls(calls, Period::Term)),
            ..terms(rights, 0, self.per_call)
        }
    }
}

/// A prompt over a model and a datanet, and one gateway.
struct Town {
    world: World,
    serving: Serving,
    capsule: String,
    /// Version and grant of prompt, model and datanet.
    parts: [(u64, u64); 3],
    node: u64,
    channel: u64,
    books: Books,
}

const OWNERS: [&str; 3] = ["caller", "author", "author"];

fn town(past: &Past) -> Town {
    let mut world = World::with(|genesis| genesis.parameters.settlement_window = 1_000);
    for name in ["author", "developer", "curator", "operator", "caller"] {
        world.person(name);
    }
    let node = world.node("operator");
    let (developer, curator, author) =
        (world.id("developer"), world.id("curator"), world.id("author"));
    let rights = [Right::Call, Right::Compose];
    let llm = past.rules[1].terms(&rights);
    let (llm, llm_id) = world.publish("developer", model(developer), &llm, None, vec![]).unwrap();
    let (table, net) = (contributors(&["ana"]), past.rules[2].terms(&rights));
    let manifest = dataset(curator, &table);
    let (net, net_id) = world.publish("curator", manifest, &net, Some(&table), vec![]).unwrap();
    let grants = [llm_id, net_id].map(|id| world.accept("author", id).unwrap());
    let ask = past.rules[0].terms(if past.callable { &rights } else { &rights[1..] });
    let manifest = prompt(author, llm_id, net_id);
    let (ask, ask_id) = world.publish("author", manifest, &ask, None, grants.to_vec()).unwrap();
    let grant = world.accept("caller", ask_id).unwrap();
    let serving = Serving::default();
    for (owner, id) in [("developer", llm_id), ("curator", net_id), ("author", ask_id)] {
        world.serve(owner, id, "operator");
        serving.insert(id, Offer::Template);
    }
    let channel = world.channels_of("caller", vec![grant], past);
    let parts = [(ask, grant), (llm, grants[0]), (net, grants[1])];
    let capsule = ask_id.to_string();
    world.block(1_000);
    Town { world, serving, capsule, parts, node, channel, books: Books::default() }
}

impl World {
    fn channels_of(&mut self, payer: &str, grants: Vec<u64>, past: &Past) -> u64 {
        let open = OpenChannel {
            session_key: key("session").public(),
            gateway: key("operator's node").public(),
            grants,
            amount: Price(past.funds),
            unit_price_max: Price(past.unit_price_max),
            expires: self.ledger.time().after(past.channel_days * Moment::DAY_MS),
            vouchers: false,
        };
        match self.act(payer, vec![Operation::OpenChannel(open)]).unwrap()[..] {
            [ambar_ledger::result::OperationResult::Channel(number)] => number,
            ref other => panic!("{other:?}"),
        }
    }
}

impl Town {
    fn view(&self) -> LedgerView {
        frozen::view(&self.world.ledger)
    }

    /// The lines of a call, which uses nothing that is metered.
    fn lines(&self) -> Vec<Line> {
        let line = |(version, grant)| self.world.line(version, grant, self.node, &[]);
        self.parts.map(line).to_vec()
    }

    /// What a call costs is the most that it can cost.
    fn decide(&self, declared: Option<&str>) -> Verdict {
        let (view, now) = (self.view(), self.world.ledger.time());
        let router =
            Router { view: &view, serving: &self.serving, node: self.node, now, elsewhere: false };
        let route = router.route(self.channel, &self.capsule).unwrap();
        let certificate = Opened {
            channel: self.channel,
            session: key("session").public(),
            blocks: Vec::new(),
            holder: Digest::ZERO,
            last: Signature([0; 64]),
        };
        let leaf = self.world.leaf(self.channel, 0, self.lines());
        let cost = |line: &Line| line.royalty.checked_add(line.node_fee).unwrap();
        let admission = Admission {
            certificate: &certificate,
            route: &route,
            purpose: declared,
            agent: None,
            voucher: None,
            price_max: leaf.price().unwrap(),
            lines_max: &self.lines().iter().map(cost).collect::<Vec<_>>(),
            now,
            ledger_age_ms: 0,
        };
        admission.decide(&self.books).unwrap()
    }

    fn settle(&mut self, n: u64, purpose: Option<String>) -> Result<(), ErrorCode> {
        let leaf = self.world.leaf(self.channel, n, self.lines());
        let leaf = Leaf { purpose, ..leaf };
        self.world.settle("operator", self.node, vec![leaf]).map_err(|refusal| refusal.code)
    }

    fn take(&mut self, take: TakeLease) -> Result<(), Refusal> {
        let take = Operation::TakeLease(take);
        self.world.act_as_node("operator", self.node, take).map(|_| ())
    }

    /// A gateway that settles what it refused would first lease what it can.
    fn take_all(&mut self) {
        for (at, (version, grant)) in self.parts.into_iter().enumerate() {
            let through = if at == 0 { vec![] } else { vec![self.parts[0].0, version] };
            let (channel, spend) = (self.channel, Price(0));
            let take = TakeLease { channel, grant, period: 0, calls: 1, spend, rate: 0, through };
            // Terms without a quota, and closed channels, have none to give.
            let _ = self.take(take);
        }
    }

    /// One call, at the gateway and at the ledger: what they both found.
    fn call(&mut self, n: u64, declared: Option<&str>) -> Result<String, TestCaseError> {
        loop {
            match self.decide(declared) {
                Verdict::Wanted(want) => {
                    let Share { calls, spend, rate } = want.asks(0);
                    let (channel, grant, period) = (want.channel, want.grant, want.period);
                    let through = want.through.clone();
                    let take = TakeLease { channel, grant, period, calls, spend, rate, through };
                    let take = Operation::TakeLease(take);
                    self.world.act_as_node("operator", self.node, take).unwrap();
                }
                Verdict::Admitted(admitted) => {
                    let purpose = admitted.purpose.as_ref().map(ToString::to_string);
                    let settled = self.settle(n, purpose);
                    prop_assert_eq!(settled, Ok(()), "{:?}", admitted.decision);
                    drop(admitted);
                    return Ok("admitted".to_owned());
                }
                Verdict::Denied(denied) => {
                    let Denied { error, decision } = *denied;
                    self.take_all();
                    let settled = self.settle(n, declared.map(str::to_owned));
                    prop_assert_eq!(settled, Err(error.code), "{:?}", decision);
                    return Ok(error.code.to_string());
                }
                Verdict::Overtaken => panic!("the newest state is not overtaken"),
            }
        }
    }
}

/// Everything that a gateway can find here; nothing that only a certificate can cause.
const FOUND: [&str; 11] = [
    "admitted",
    "channel_closed",
    "channel_empty",
    "channel_expired",
    "grant_revoked",
    "grant_term_over",
    "price_above_limit",
    "purpose_not_allowed",
    "purpose_required",
    "quota_exceeded",
    "right_not_granted",
];

#[test]
fn what_a_gateway_decides_the_ledger_decides() {
    let found = RefCell::new(BTreeSet::new());
    let lived = TestRunner::deterministic().run(&past(), |past| {
        let mut town = town(&past);
        for n in 0..past.earlier as u64 {
            town.call(n, past.declared)?;
        }
        if past.closed {
            town.world.act("caller", vec![Operation::CloseChannel(town.channel)]).unwrap();
        }
        if let Some(part) = past.revoked {
            let revoke = Operation::RevokeGrant(town.parts[part].1);
            town.world.act(OWNERS[part], vec![revoke]).unwrap();
        }
        town.world.block(past.days * Moment::DAY_MS + 1);
        found.borrow_mut().insert(town.call(9, past.declared)?);
        town.world.ledger.check().unwrap();
        Ok(())
    });
    lived.unwrap();
    assert!(found.borrow().iter().eq(&FOUND), "{found:?}");
}
