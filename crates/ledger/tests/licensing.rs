//! What terms let be done, and under which none are published.

mod world;

use ambar_base::{ErrorCode, Moment, Price};
use ambar_ledger::Operation;
use ambar_ledger::object::Grant;
use ambar_ledger::query::State;
use ambar_licence::{Period, Quota, Rate, RateUnit, Revocation, Right, Term, Terms};
use world::{START, World, model, terms};

fn people() -> World {
    let mut world = World::new();
    for name in ["ana", "ben", "cleo"] {
        world.person(name);
    }
    world
}

fn rules() -> Terms {
    terms(&[Right::Call], 1, 1_000)
}

#[test]
fn an_owner_ends_grants_only_where_the_terms_say_so() {
    let check = |revoke_if: &[Revocation], who: &str, expect: Option<ErrorCode>| {
        let mut world = people();
        let rules = Terms { revoke_if: revoke_if.iter().copied().collect(), ..rules() };
        let ana = world.id("ana");
        let (_, version) = world.publish("ana", model(ana), &rules, None, vec![]).unwrap();
        let grant = world.accept("ben", version).unwrap();
        let result = world.act(who, vec![Operation::RevokeGrant(grant)]);
        assert_eq!(result.err().map(|refusal| refusal.code), expect, "{revoke_if:?} {who}");
        let grant: Grant =
            world.ledger.must("grant", grant, &ambar_ledger::Key::Grant(grant)).unwrap();
        assert_eq!(grant.revoked.is_some(), expect.is_none());
    };
    let not = Some(ErrorCode::NotAuthorised);
    check(&[], "ben", None);
    check(&[], "ana", not);
    check(&[], "cleo", not);
    check(&[Revocation::Owner], "ben", None);
    check(&[Revocation::Owner], "ana", None);
    check(&[Revocation::Owner], "cleo", not);
}

#[test]
fn clauses_that_nothing_enforces_are_not_published() {
    let mut world = people();
    let ana = world.id("ana");
    let mut check = |clause: &str, rules: Terms| {
        let refused = world.publish("ana", model(ana), &rules, None, vec![]).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotEnforced, "{refused}");
        assert!(refused.message.contains(clause), "{refused}");
    };
    let quota = |quota| Terms { quota: Some(quota), ..rules() };
    let rate = Rate { calls: 5, per: RateUnit::Second };
    let of_calls = Quota::of_calls(9, Period::Day);
    check("quota.rate", quota(Quota { rate: Some(rate), ..of_calls }));
    check("quota.spend", quota(Quota { spend: Some(Price::CREDIT), ..of_calls }));
    let mut places = rules();
    places.territories.allow.insert("PT".parse().unwrap());
    check("territories", places);
    for why in [Revocation::Breach, Revocation::NonPayment] {
        check("revoke_if", Terms { revoke_if: [why, Revocation::Owner].into(), ..rules() });
    }
    assert!(world.publish("ana", model(ana), &quota(of_calls), None, vec![]).is_ok());
}

#[test]
fn terms_that_are_over_are_neither_published_nor_accepted() {
    let mut world = people();
    let ana = world.id("ana");
    let until = |at: Moment| Terms { term: Some(Term::Until(at)), ..rules() };
    let past = until(START);
    let refused = world.publish("ana", model(ana), &past, None, vec![]).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TermsInvalid, "{refused}");
    let soon = until(START.after(60_000));
    let (_, version) = world.publish("ana", model(ana), &soon, None, vec![]).unwrap();
    world.accept("ben", version).unwrap();
    world.block(60_000);
    let refused = world.accept("cleo", version).unwrap_err();
    assert_eq!(refused.code, ErrorCode::TermsInvalid, "{refused}");
}
