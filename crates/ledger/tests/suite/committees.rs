//! Random lives of validators: whatever they, the council and reporters do, money conserves,
//! an account and a key have one seat, a committee changes slowly, and who cheated does not
//! come back.

use crate::world::{World, key};
use ambar_base::finality::{Ballot, Evidence, Proposal, Statement};
use ambar_base::{Digest, Encode, PublicKey, SecretKey};
use ambar_ledger::Operation;
use ambar_ledger::query::State;
use ambar_ledger::transaction::{RegisterValidator, SignedTransaction};
use proptest::prelude::*;
use std::collections::BTreeSet;

const PEOPLE: u8 = 7;

#[derive(Clone, Debug)]
enum Act {
    /// A person registers a key, which may be another's or have been ejected.
    Register(u8, u8),
    Retire(u8),
    Withdraw(u8),
    Rank(Vec<u8>),
    /// Two votes of a key are shown.
    Report(u8, bool),
    Blocks(u8),
    EndEpoch,
}

fn act() -> impl Strategy<Value = Act> {
    let person = || 0..PEOPLE;
    let ranking = proptest::sample::subsequence((0..2 * PEOPLE).collect::<Vec<_>>(), 0..8);
    prop_oneof![
        6 => (person(), 0..2u8).prop_map(|(who, second)| Act::Register(who, who + second * PEOPLE)),
        1 => (person(), 0..2 * PEOPLE).prop_map(|(who, key)| Act::Register(who, key)),
        2 => person().prop_map(Act::Retire),
        2 => person().prop_map(Act::Withdraw),
        4 => ranking.prop_shuffle().prop_map(Act::Rank),
        1 => (0..2 * PEOPLE, any::<bool>()).prop_map(|(key, free)| Act::Report(key, free)),
        2 => (1..4u8).prop_map(Act::Blocks),
        5 => Just(Act::EndEpoch),
    ]
}

fn name(person: u8) -> String {
    if person == 0 { "faucet".into() } else { format!("person {person}") }
}

fn seat(number: u8) -> SecretKey {
    key(&format!("seat {number}"))
}

/// A life, and what has been promised along it.
struct Life {
    world: World,
    seated: BTreeSet<PublicKey>,
    ejected: BTreeSet<PublicKey>,
}

impl Life {
    fn begin(min: u16, max: u16, churn: u16) -> Self {
        let mut world = World::with(|genesis| {
            genesis.validators[0].key = seat(0).public();
            let rules = &mut genesis.parameters;
            (rules.fee_base, rules.fee_per_byte) = Default::default();
            (rules.settlement_window, rules.committee_min) = (3, 1);
            (rules.committee_max, rules.churn) = (max, churn);
        });
        for person in 1..PEOPLE {
            world.person(&name(person));
        }
        let rules = ambar_ledger::object::Parameters {
            committee_min: min,
            ..world.genesis.parameters.clone()
        };
        world.act("faucet", vec![Operation::SetParameters(rules)]).unwrap();
        let seated = [seat(0).public()].into();
        Self { world, seated, ejected: BTreeSet::new() }
    }

    /// A refusal is as good as an effect: the world checks every invariant either way.
    fn act(&mut self, act: &Act) {
        match act {
            Act::Register(who, key) => {
                let owner = self.world.id(&name(*who));
                let register = RegisterValidator::new(self.world.network, &seat(*key), &owner);
                let done = self.by(*who, Operation::RegisterValidator(register));
                assert!(!(done && self.ejected.contains(&seat(*key).public())), "it comes back");
            }
            Act::Retire(who) => drop(self.by(*who, Operation::RetireValidator)),
            Act::Withdraw(who) => drop(self.by(*who, Operation::WithdrawBond)),
            Act::Rank(keys) => {
                let keys = keys.iter().map(|key| seat(*key).public()).collect();
                self.by(0, Operation::RankValidators(keys));
            }
            Act::Report(key, free) => self.report(&seat(*key), *free),
            Act::Blocks(count) => (0..*count).for_each(|_| self.world.block(1_000)),
            Act::EndEpoch => self.end_epoch(),
        }
    }

    fn by(&mut self, who: u8, operation: Operation) -> bool {
        self.world.act(&name(who), vec![operation]).is_ok()
    }

    fn report(&mut self, secret: &SecretKey, free: bool) {
        let (network, round) = (self.world.network, (3, 5));
        let cast = |block: &[u8]| {
            let proposal = Proposal { parent_view: 4, block: Digest::of(block) };
            Ballot::cast(secret, network, round, Statement::Notarize(proposal))
        };
        let evidence = Evidence::new(secret.public(), round, cast(b"one"), cast(b"other"));
        let evidence = evidence.unwrap();
        let done = if free {
            self.world.apply(&SignedTransaction::report(network, evidence).to_bytes()).is_ok()
        } else {
            self.by(1, Operation::ReportConflict(evidence))
        };
        assert!(!done || self.ejected.insert(secret.public()), "it is ejected twice");
    }

    fn end_epoch(&mut self) {
        let rules = self.world.ledger.governance().unwrap();
        let churn = usize::from(rules.parameters.latest().churn);
        let next: BTreeSet<_> = self.world.end_epoch().into_iter().collect();
        let bound = churn.min((self.seated.len() - 1) / 3).max(1);
        assert!(next.difference(&self.seated).count() <= bound);
        let gone = self.seated.difference(&next);
        assert!(gone.filter(|key| !self.ejected.contains(key)).count() <= bound);
        let back = next.intersection(&self.ejected).count();
        let last = next.len() == 1 && next.is_subset(&self.seated);
        assert!(back == 0 || last, "who cheated sits");
        self.seated = next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn validators_live(
        acts in proptest::collection::vec(act(), 1..60),
        min in 1u16..4,
        more in 0u16..5,
        churn in 1u16..4,
    ) {
        let mut life = Life::begin(min, min + more, churn);
        acts.iter().for_each(|act| life.act(act));
        life.world.ledger.check().unwrap();
    }
}
