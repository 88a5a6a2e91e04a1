//! Claims about calls: who makes them, when, what they cost, and how they end.

use crate::world::{World, key, model, terms};
use ambar_base::{Amount, Digest, ErrorCode, Moment, Price, tree};
use ambar_ledger::object::{
    Claim, DISPUTE_DAYS, Dispute, DisputeBook, DisputeState, Grant, Node, reserved,
};
use ambar_ledger::query::State;
use ambar_ledger::result::{DisputeClosed, OperationResult};
use ambar_ledger::transaction::{OpenDispute, ResolveDispute, Ruling, TransferRoyalty};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_licence::{Revocation, Right, Terms};
use ambar_receipt::{BatchHeader, CallOutcome, Counter, Leaf};
use proptest::prelude::*;

/// A batch of calls of ben under a grant of ana's model, which the operator's node served.
pub struct Case {
    pub world: World,
    grant: u64,
    pub node: u64,
    channel: u64,
    header: BatchHeader,
    pub leaves: Vec<Leaf>,
}

const CALLS: u64 = 5;

pub fn case(revoke_if: &[Revocation]) -> Case {
    case_in(World::new(), revoke_if)
}

fn case_in(mut world: World, revoke_if: &[Revocation]) -> Case {
    for name in ["ana", "ben", "cleo", "operator"] {
        world.person(name);
    }
    let node = world.node("operator");
    let rules = terms(&[Right::Call], 2_000_000, 100_000);
    let rules = Terms { revoke_if: revoke_if.iter().copied().collect(), ..rules };
    let ana = world.id("ana");
    let (version, id) = world.publish("ana", model(ana), &rules, None, vec![]).unwrap();
    world.serve("ana", id, "operator");
    let grant = world.accept("ben", id).unwrap();
    let channel = world.channel("ben", "operator", vec![grant], Price::CREDIT);
    world.block(100);
    let counts = [(Counter::TokensIn, 256), (Counter::TokensOut, 64)];
    let line = world.line(version, grant, node, &counts);
    let mut leaves: Vec<_> =
        (0..CALLS).map(|n| world.leaf(channel, n, vec![line.clone()])).collect();
    leaves.push(Leaf::void(channel, CALLS, world.ledger.height(), world.ledger.time()));
    let header = BatchHeader::of(node, 0, &leaves).unwrap();
    world.settle("operator", node, leaves.clone()).unwrap();
    world.block(1_000);
    Case { world, grant, node, channel, header, leaves }
}

impl Case {
    pub fn dispute(&self, index: usize, claim: Claim) -> OpenDispute {
        let hashes = self.leaves.iter().map(Leaf::hash).collect();
        OpenDispute {
            header: self.header.clone(),
            leaf: self.leaves[index].clone(),
            index: index as u64,
            path: tree::Tree::new(hashes).path(index),
            claim,
            evidence: Digest::of(b"evidence"),
            statement: "It was used for surveillance.".into(),
        }
    }

    fn breach(&self, index: usize) -> OpenDispute {
        self.dispute(index, Claim::Breach(self.grant))
    }

    fn overstated(&self, index: usize) -> OpenDispute {
        self.dispute(index, Claim::Overstated(0))
    }

    pub fn open(&mut self, who: &str, record: OpenDispute) -> Result<u64, Refusal> {
        match self.world.act(who, vec![Operation::OpenDispute(record)])?[..] {
            [OperationResult::Disputed(opened)] => Ok(opened.number),
            ref other => panic!("{other:?}"),
        }
    }

    fn close(&mut self, who: &str, operation: Operation) -> Result<DisputeClosed, Refusal> {
        match &self.world.act(who, vec![operation])?[..] {
            [OperationResult::DisputeClosed(closed)] => Ok(closed.clone()),
            other => panic!("{other:?}"),
        }
    }

    pub fn rule(&mut self, dispute: u64, ruling: Ruling) -> Result<DisputeClosed, Refusal> {
        self.close("faucet", resolve(dispute, ruling))
    }

    fn held(&self) -> Amount {
        let deposits = ambar_base::AccountId::reserved(reserved::NAMES[2]);
        self.world.balance(deposits)
    }

    pub fn object(&self, number: u64) -> Dispute {
        self.world.ledger.must("dispute", number, &Key::Dispute(number)).unwrap()
    }

    pub fn book(&self) -> DisputeBook {
        self.world.ledger.must("book", "", &Key::DisputeBook).unwrap()
    }

    pub fn node(&self) -> Node {
        self.world.ledger.must("node", self.node, &Key::Node(self.node)).unwrap()
    }

    fn grant(&self) -> Grant {
        self.world.ledger.must("grant", self.grant, &Key::Grant(self.grant)).unwrap()
    }

    fn price(&self) -> Price {
        let line = &self.leaves[0].lines[0];
        line.royalty.checked_add(line.node_fee).unwrap()
    }

    pub fn balance(&self, name: &str) -> Amount {
        self.world.balance(self.world.id(name))
    }
}

fn resolve(dispute: u64, ruling: Ruling) -> Operation {
    Operation::ResolveDispute(ResolveDispute { dispute, ruling, reason: "It shows.".into() })
}

fn deposit() -> Amount {
    Amount::from(Price::CREDIT)
}

fn plus(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).unwrap()
}

#[test]
fn a_breach_is_upheld_and_ends_the_grant_where_terms_say_so() {
    for (revoke_if, ends) in [(&Revocation::ALL[..], true), (&[Revocation::Owner], false)] {
        let mut case = case(revoke_if);
        let (before, held) = (case.balance("ana"), case.held());
        let opened = case.breach(2);
        let number = case.open("ana", opened).unwrap();
        assert_eq!(case.held(), plus(held, deposit()));
        let object = case.object(number);
        assert_eq!((object.state.text(), object.price), ("open", Price(0)));
        assert_eq!((object.receipt, case.book().open), ((case.channel, 2), 1));
        assert_eq!(case.grant().breach, None);
        let asks = case.rule(number, Ruling::Upheld(Price(1))).unwrap_err();
        assert_eq!(asks.code, ErrorCode::TransactionInvalid);
        let closed = case.rule(number, Ruling::Upheld(Price(0))).unwrap();
        assert_eq!((closed.to, closed.refund), (case.world.id("ana"), Amount::ZERO));
        assert_eq!((case.held(), case.book().open), (held, 0));
        assert!(case.balance("ana") < before, "the fee is gone");
        assert!(plus(case.balance("ana"), Amount::from(Price(1_000_000))) > before);
        let grant = case.grant();
        let height = case.world.ledger.height();
        assert_eq!(grant.breach, Some(height));
        assert_eq!(grant.revoked, ends.then_some(height.after(1)), "from the next height on");
        let again = case.rule(number, Ruling::Dismissed).unwrap_err();
        assert_eq!(again.code, ErrorCode::TransactionInvalid, "{again}");
    }
}

#[test]
fn what_was_overstated_is_paid_back_out_of_the_bond() {
    let mut case = case(&[]);
    let (price, bond) = (case.price(), case.node().bond);
    let opened = case.overstated(0);
    let number = case.open("ben", opened).unwrap();
    let object = case.object(number);
    assert_eq!((object.price, object.node), (price, Some(case.node)));
    for too in [Price(0), Price(price.0 + 1), Price(u64::MAX)] {
        let refusal = case.rule(number, Ruling::Upheld(too)).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::TransactionInvalid, "{refusal}");
    }
    let (before, owner) = (case.balance("ben"), case.balance("operator"));
    let closed = case.rule(number, Ruling::Upheld(price)).unwrap();
    let refund = Amount::from(price);
    assert_eq!((closed.refund, closed.claimant), (refund, case.world.id("ben")));
    assert_eq!(case.balance("ben"), plus(before, plus(refund, deposit())));
    assert_eq!(case.balance("operator"), owner, "what was paid out is not touched");
    assert_eq!(plus(case.node().bond, refund), bond);
    assert_eq!(case.grant().breach, None);
}

/// A bond pays what it has.
#[test]
fn a_bond_pays_no_more_than_it_holds() {
    let world = World::with(|genesis| genesis.parameters.node_bond = Price(7));
    let mut case = case_in(world, &[]);
    let opened = case.overstated(0);
    let number = case.open("ben", opened).unwrap();
    let whole = case.price();
    let closed = case.rule(number, Ruling::Upheld(whole)).unwrap();
    assert_eq!(closed.refund, Amount::from(Price(7)));
    assert_eq!(case.node().bond, Amount::ZERO);
    let DisputeState::Upheld(ruled) = case.object(number).state else { panic!("not upheld") };
    assert_eq!((ruled.refund, ruled.reason.as_str()), (closed.refund, "It shows."));
}

#[test]
fn a_dismissed_claim_costs_its_deposit() {
    let mut case = case(&Revocation::ALL);
    let opened = [case.breach(1), case.overstated(1)];
    let [breach, overstated] = opened;
    let breach = case.open("ana", breach).unwrap();
    let overstated = case.open("ben", overstated).unwrap();
    let (ben, operator) = (case.balance("ben"), case.balance("operator"));
    let closed = case.rule(breach, Ruling::Dismissed).unwrap();
    assert_eq!(closed.to, case.world.id("ben"), "the licensee");
    case.rule(overstated, Ruling::Dismissed).unwrap();
    assert_eq!(case.balance("ben"), plus(ben, deposit()));
    assert_eq!(case.balance("operator"), plus(operator, deposit()));
    assert_eq!((case.grant().breach, case.grant().revoked), (None, None));
    // What was decided is not claimed again; another call of the same grant is.
    let again = case.breach(1);
    let refusal = case.open("ana", again).unwrap_err();
    assert!(refusal.message.contains(&format!("see dispute {breach}")), "{refusal}");
    let other = case.breach(3);
    assert_eq!(case.open("ana", other).unwrap(), 2);
}

#[test]
fn a_claim_is_taken_back_and_made_again() {
    let mut case = case(&[]);
    let held = case.held();
    let opened = case.breach(0);
    let number = case.open("ana", opened.clone()).unwrap();
    let twice = case.open("ana", opened.clone()).unwrap_err();
    assert_eq!(twice.code, ErrorCode::TransactionInvalid, "{twice}");
    let other = case.close("ben", Operation::WithdrawDispute(number)).unwrap_err();
    assert_eq!(other.code, ErrorCode::NotAuthorised);
    let closed = case.close("ana", Operation::WithdrawDispute(number)).unwrap();
    assert_eq!((closed.to, closed.deposit), (case.world.id("ana"), deposit()));
    assert_eq!(case.held(), held);
    assert_eq!(case.object(number).state.text(), "withdrawn");
    assert_eq!(case.open("ana", opened).unwrap(), number + 1);
}

#[test]
fn what_nobody_decides_lapses() {
    let mut case = case(&[]);
    let opened = case.overstated(4);
    let number = case.open("ben", opened).unwrap();
    let days = DISPUTE_DAYS * Moment::DAY_MS;
    case.world.block(days - 1);
    let early = case.close("cleo", Operation::LapseDispute(number)).unwrap_err();
    assert_eq!(early.code, ErrorCode::NotAuthorised, "{early}");
    case.world.block(1);
    let before = case.balance("ben");
    let closed = case.close("cleo", Operation::LapseDispute(number)).unwrap();
    assert_eq!(closed.to, case.world.id("ben"));
    assert_eq!(case.balance("ben"), plus(before, deposit()));
    assert_eq!((case.object(number).state.text(), case.book().open), ("lapsed", 0));
    let late = case.rule(number, Ruling::Dismissed).unwrap_err();
    assert_eq!(late.code, ErrorCode::TransactionInvalid);
}

#[test]
fn claims_are_made_by_those_they_concern() {
    let check = |who: &str, claim: fn(&Case) -> OpenDispute, expect: Option<ErrorCode>| {
        let mut case = case(&[]);
        let opened = claim(&case);
        let result = case.open(who, opened);
        assert_eq!(result.as_ref().err().map(|refusal| refusal.code), expect, "{who} {result:?}");
    };
    let not = Some(ErrorCode::NotAuthorised);
    check("ana", |case| case.breach(0), None);
    check("ben", |case| case.breach(0), not);
    check("cleo", |case| case.breach(0), not);
    check("operator", |case| case.breach(0), not);
    check("ben", |case| case.overstated(0), None);
    check("ana", |case| case.overstated(0), not);
    check("operator", |case| case.overstated(0), not);
    check("cleo", |case| case.overstated(0), not);
    // A royalty line that was given away brings its holder the right.
    let mut case = case(&[]);
    let give = TransferRoyalty { royalty: 0, to: case.world.id("cleo") };
    case.world.act("ana", vec![Operation::TransferRoyalty(give)]).unwrap();
    let opened = case.breach(0);
    case.open("cleo", opened.clone()).unwrap();
    case.open("ana", opened).unwrap();
    assert_eq!(case.book(), DisputeBook { next: 2, open: 2 });
}

#[test]
fn nobody_but_the_council_decides() {
    let mut case = case(&[]);
    let opened = case.breach(0);
    let number = case.open("ana", opened).unwrap();
    for who in ["ana", "ben", "operator"] {
        for ruling in [Ruling::Upheld(Price(0)), Ruling::Dismissed] {
            let refusal = case.close(who, resolve(number, ruling)).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::NotAuthorised, "{who}");
        }
    }
    let unknown = case.rule(number + 1, Ruling::Dismissed).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::NotFound);
}

#[test]
fn only_a_call_that_settled_is_disputed() {
    let mut case = case(&[]);
    let mut check = |record: OpenDispute, expect: ErrorCode| {
        let refusal = case.open("ben", record).unwrap_err();
        assert_eq!(refusal.code, expect, "{refusal}");
    };
    let good = self::case(&[]).overstated(1);
    let invalid = ErrorCode::ReceiptInvalid;
    let mut changed = good.clone();
    changed.leaf.lines[0].royalty = Price(1);
    check(changed, invalid);
    check(OpenDispute { index: 2, ..good.clone() }, invalid);
    check(OpenDispute { path: good.path[1..].to_vec(), ..good.clone() }, invalid);
    let mut header = good.header.clone();
    header.leaves_root = good.leaf.hash();
    header.leaves = 1;
    check(OpenDispute { header, index: 0, path: vec![], ..good.clone() }, invalid);
    let mut header = good.header.clone();
    header.number = 1;
    check(OpenDispute { header, ..good.clone() }, ErrorCode::NotFound);
    let invalid = ErrorCode::TransactionInvalid;
    check(OpenDispute { claim: Claim::Overstated(1), ..good.clone() }, invalid);
    check(OpenDispute { claim: Claim::Overstated(u64::MAX), ..good.clone() }, invalid);
    check(OpenDispute { claim: Claim::Breach(7), ..good.clone() }, invalid);
    check(OpenDispute { statement: String::new(), ..good.clone() }, invalid);
    check(OpenDispute { statement: "x".repeat(513), ..good.clone() }, invalid);
    check(OpenDispute { statement: "\u{1b}[2J".into(), ..good.clone() }, invalid);
    let void = CALLS as usize;
    let fresh = self::case(&[]);
    assert_eq!(fresh.leaves[void].outcome, CallOutcome::Void);
    check(fresh.overstated(void), invalid);
    case.open("ben", good).unwrap();
}

#[test]
fn claims_are_made_within_their_window() {
    let check = |challenge: u64, blocks: u64, breach: bool, overstated: bool| {
        let world = World::with(|genesis| {
            genesis.parameters.settlement_window = 20;
            genesis.parameters.challenge_window = challenge;
        });
        let mut case = case_in(world, &[]);
        // One block went by since it settled.
        (1..blocks).for_each(|_| case.world.block(1_000));
        let claims = [case.breach(0), case.overstated(0)];
        let [first, second] = claims;
        let results = [case.open("ana", first), case.open("ben", second)];
        let over = |result: &Result<u64, Refusal>| match result {
            Ok(_) => true,
            Err(refusal) => {
                assert_eq!(refusal.code, ErrorCode::TransactionExpired, "{refusal}");
                false
            }
        };
        assert_eq!(results.each_ref().map(over), [breach, overstated], "{challenge} {blocks}");
    };
    check(0, 20, true, true);
    check(0, 21, false, false);
    check(5, 5, true, true);
    check(5, 6, true, false);
    check(5, 20, true, false);
    check(40, 21, false, true);
    check(40, 41, false, false);
}

#[test]
fn nobody_disputes_themselves() {
    let mut world = World::new();
    world.person("ana");
    let node = world.node("ana");
    let rules = terms(&[Right::Call], 0, 100_000);
    let ana = world.id("ana");
    let (version, id) = world.publish("ana", model(ana), &rules, None, vec![]).unwrap();
    world.serve("ana", id, "ana");
    let grant = world.accept("ana", id).unwrap();
    let channel = world.channel("ana", "ana", vec![grant], Price::CREDIT);
    world.block(100);
    let line = world.line(version, grant, node, &[(Counter::TokensIn, 9)]);
    let leaves = vec![world.leaf(channel, 0, vec![line])];
    let header = BatchHeader::of(node, 0, &leaves).unwrap();
    world.settle("ana", node, leaves.clone()).unwrap();
    let mut case = Case { world, grant, node, channel, header, leaves };
    for opened in [case.breach(0), case.overstated(0)] {
        let refusal = case.open("ana", opened).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::TransactionInvalid, "{refusal}");
    }
}

#[test]
fn a_deposit_is_needed() {
    let world = World::with(|genesis| genesis.parameters.deposit = Price(Price::CREDIT.0 / 5));
    let mut case = case_in(world, &[]);
    let opened = case.breach(0);
    let refusal = case.open("ana", opened).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BalanceTooLow, "{refusal}");
}

/// What somebody tries, whether it makes sense or not.
#[derive(Clone, Debug)]
enum Try {
    Breach(usize),
    Overstated(usize),
    Rule(u64, u64),
    Dismiss(u64),
    Withdraw(u64),
    Lapse(u64),
    Wait(u64),
}

fn any_try() -> impl Strategy<Value = Try> {
    let calls = 0..CALLS as usize;
    prop_oneof![
        calls.clone().prop_map(Try::Breach),
        calls.prop_map(Try::Overstated),
        (0u64..8, 0u64..3).prop_map(|(number, part)| Try::Rule(number, part)),
        (0u64..8).prop_map(Try::Dismiss),
        (0u64..8).prop_map(Try::Withdraw),
        (0u64..8).prop_map(Try::Lapse),
        (0u64..40).prop_map(Try::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every state on the way keeps the ledger's invariants ([`World::apply`] checks them
    /// all), deposits of open disputes are held to the last unit, and no call is paid back
    /// beyond its price.
    #[test]
    fn money_conserves(tries in proptest::collection::vec(any_try(), 1..40)) {
        let mut case = case(&[Revocation::Breach]);
        let (held, bond, price) = (case.held(), case.node().bond, case.price());
        for one in tries {
            let half = |part: u64| Price(price.0 * part / 2);
            let done = match one {
                Try::Breach(at) => { let made = case.breach(at); case.open("ana", made).is_ok() }
                Try::Overstated(at) => {
                    let made = case.overstated(at);
                    case.open("ben", made).is_ok()
                }
                Try::Rule(number, part) => case.rule(number, Ruling::Upheld(half(part))).is_ok(),
                Try::Dismiss(number) => case.rule(number, Ruling::Dismissed).is_ok(),
                Try::Withdraw(number) => {
                    let ana = case.close("ana", Operation::WithdrawDispute(number)).is_ok();
                    ana || case.close("ben", Operation::WithdrawDispute(number)).is_ok()
                }
                Try::Lapse(number) => case.close("cleo", Operation::LapseDispute(number)).is_ok(),
                Try::Wait(days) => { case.world.block(days * Moment::DAY_MS); true }
            };
            let book: Option<DisputeBook> = case.world.ledger.object(&Key::DisputeBook).unwrap();
            let book = book.unwrap_or_default();
            let all: Vec<_> = (0..book.next).map(|number| case.object(number)).collect();
            let open = all.iter().filter(|dispute| dispute.is_open()).count() as u64;
            prop_assert_eq!(book.open, open);
            let deposits = Amount(deposit().0 * u128::from(open));
            prop_assert_eq!(case.held(), plus(held, deposits), "{}", done);
            let mut refunds = std::collections::BTreeMap::<(u64, u64), u128>::new();
            for dispute in &all {
                if let DisputeState::Upheld(ruled) = &dispute.state {
                    *refunds.entry(dispute.receipt).or_default() += ruled.refund.0;
                }
            }
            prop_assert!(refunds.values().all(|sum| *sum <= Amount::from(price).0));
            let paid = Amount(refunds.values().sum());
            prop_assert_eq!(plus(case.node().bond, paid), bond);
        }
        // Whoever holds the council's key is the one that the world calls its faucet.
        prop_assert_eq!(case.world.genesis.council.keys[0], key("faucet").public());
    }
}
