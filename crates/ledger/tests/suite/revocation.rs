//! Ending grants for the reasons that their terms name, and for no other.

use crate::world::{World, key, model, terms};
use ambar_base::{ErrorCode, Moment, Price};
use ambar_ledger::object::{Backing, Grant};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{FundChannel, OpenChannel, RevocationReason, RevokeGrantFor};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_licence::{Revocation, Right, Terms};

/// The price of a call, nano-credit.
const CALL: u64 = 1_000;

struct Case {
    world: World,
    grant: u64,
}

fn case(revoke_if: &[Revocation]) -> Case {
    let mut world = World::new();
    for name in ["ana", "ben", "cleo", "operator"] {
        world.person(name);
    }
    world.node("operator");
    let rules = terms(&[Right::Call], 0, CALL);
    let rules = Terms { revoke_if: revoke_if.iter().copied().collect(), ..rules };
    let ana = world.id("ana");
    let (_, version) = world.publish("ana", model(ana), &rules, None, vec![]).unwrap();
    let grant = world.accept("ben", version).unwrap();
    Case { world, grant }
}

impl Case {
    fn revoke(&mut self, who: &str, reason: RevocationReason) -> Result<(), Refusal> {
        let revoke = RevokeGrantFor { grant: self.grant, reason };
        self.world.act(who, vec![Operation::RevokeGrantFor(revoke)]).map(drop)
    }

    fn unpaid(&mut self) -> Result<(), Refusal> {
        self.revoke("ana", RevocationReason::NonPayment)
    }

    #[track_caller]
    fn backed(&mut self, what: &str) {
        let refusal = self.unpaid().unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotAuthorised, "{refusal}");
        assert!(refusal.message.contains("revoke_if `non_payment`"), "{refusal}");
        assert!(refusal.message.contains(what), "{refusal}");
    }

    fn channel(&mut self, amount: u64) -> u64 {
        self.world.channel("ben", "operator", vec![self.grant], Price(amount))
    }

    fn backing(&self) -> Option<Vec<u64>> {
        let backing: Option<Backing> = self.world.ledger.object(&Key::Backing(self.grant)).unwrap();
        backing.map(|backing| backing.channels)
    }

    fn is_revoked(&self) -> bool {
        let key = Key::Grant(self.grant);
        self.world.ledger.must::<Grant>("grant", self.grant, &key).unwrap().revoked.is_some()
    }
}

#[test]
fn each_reason_is_named_by_the_terms() {
    let reasons = [
        (RevocationReason::Breach, Revocation::Breach),
        (RevocationReason::NonPayment, Revocation::NonPayment),
        (RevocationReason::Owner, Revocation::Owner),
    ];
    for (reason, clause) in reasons {
        let others: Vec<_> = Revocation::ALL.into_iter().filter(|one| *one != clause).collect();
        let mut case = case(&others);
        case.world.block(2 * Moment::DAY_MS);
        let refusal = case.revoke("ana", reason).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::NotAuthorised);
        let named = format!("revoke_if: the terms of grant 0 do not name `{}`", clause.text());
        assert_eq!(refusal.message, named);
        assert!(!case.is_revoked());
    }
}

#[test]
fn only_the_owner_ends_a_grant_for_a_reason() {
    for (who, expect) in [("ben", false), ("cleo", false), ("ana", true)] {
        let mut case = case(&Revocation::ALL);
        let result = case.revoke(who, RevocationReason::Owner);
        assert_eq!(result.is_ok(), expect, "{who}");
        assert_eq!(case.is_revoked(), expect, "{who}");
    }
}

#[test]
fn a_breach_was_upheld_first() {
    let mut case = case(&[Revocation::Breach]);
    let refusal = case.revoke("ana", RevocationReason::Breach).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotAuthorised);
    assert!(refusal.message.contains("revoke_if `breach`"), "{refusal}");
}

#[test]
fn a_licensee_has_a_day_to_open_a_channel() {
    let mut case = case(&[Revocation::NonPayment]);
    case.backed("less than a day ago");
    case.world.block(Moment::DAY_MS - 1_000);
    case.backed("less than a day ago");
    case.world.block(1_000);
    case.unpaid().unwrap();
    assert!(case.is_revoked());
    // Again it changes nothing.
    case.world.block(1_000);
    case.unpaid().unwrap();
}

#[test]
fn an_open_channel_with_money_backs_a_grant() {
    let mut case = case(&[Revocation::NonPayment]);
    let poor = case.channel(CALL - 1);
    let rich = case.channel(CALL);
    assert_eq!(case.backing(), Some(vec![poor, rich]));
    case.world.block(Moment::DAY_MS);
    case.backed(&format!("is backed by channel {rich}"));
    case.world.act("ben", vec![Operation::CloseChannel(rich)]).unwrap();
    assert_eq!(case.backing(), Some(vec![poor]));
    let mut other = case.world.clone();
    case.unpaid().unwrap();
    // A nano-credit more would have backed it.
    let fund = FundChannel { channel: poor, amount: Price(1) };
    other.act("ben", vec![Operation::FundChannel(fund)]).unwrap();
    let mut funded = Case { world: other, grant: case.grant };
    funded.backed(&format!("is backed by channel {poor}"));
}

#[test]
fn an_expired_channel_backs_nothing() {
    let mut case = case(&[Revocation::NonPayment]);
    let channel = case.channel(CALL);
    case.world.block(364 * Moment::DAY_MS);
    case.backed(&format!("is backed by channel {channel}"));
    case.world.block(Moment::DAY_MS);
    case.unpaid().unwrap();
}

/// Whoever else pays for calls of theirs backs nobody's grant.
#[test]
fn channels_of_other_grants_back_nothing() {
    let mut case = case(&[Revocation::NonPayment]);
    case.world.channel("ben", "operator", vec![], Price(CALL));
    case.world.block(Moment::DAY_MS);
    assert_eq!(case.backing(), None);
    case.unpaid().unwrap();
}

#[test]
fn a_bounded_number_of_channels_backs_a_grant() {
    let open = |grant| {
        Operation::OpenChannel(OpenChannel {
            session_key: key("session").public(),
            gateway: key("operator's node").public(),
            grants: vec![grant],
            amount: Price(1),
            unit_price_max: Price(1),
            expires: Moment(4_000_000_000_000),
            vouchers: false,
        })
    };
    let mut full = case(&[Revocation::NonPayment]);
    full.world.act("ben", vec![open(full.grant); 64]).unwrap();
    let refusal = full.world.act("ben", vec![open(full.grant)]).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::LimitExceeded, "{refusal}");
    full.world.act("ben", vec![Operation::CloseChannel(7)]).unwrap();
    full.world.act("ben", vec![open(full.grant)]).unwrap();
    assert_eq!(full.backing().unwrap().len(), 64);
    // Terms without the clause have no such limit.
    let mut free = case(&[Revocation::Owner]);
    free.world.act("ben", vec![open(free.grant); 64]).unwrap();
    free.world.act("ben", vec![open(free.grant)]).unwrap();
    assert_eq!(free.backing(), None);
}
