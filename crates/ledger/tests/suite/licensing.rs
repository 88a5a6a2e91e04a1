//! What terms let be done, and under which none are published.

use crate::world::{START, World, model, terms};
use ambar_base::{ErrorCode, Moment, Price};
use ambar_ledger::Operation;
use ambar_ledger::object::Grant;
use ambar_ledger::query::State;
use ambar_licence::{Period, Quota, Rate, RateUnit, Revocation, Right, Term, Terms, Territory};

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
fn every_clause_of_the_language_can_be_published() {
    let mut world = people();
    let ana = world.id("ana");
    let rate = Some(Rate { calls: 5, per: RateUnit::Second });
    let spend = Some(Price::CREDIT);
    let quota = Some(Quota { rate, spend, ..Quota::of_calls(9, Period::Day) });
    let mut whole = Terms { quota, revoke_if: Revocation::ALL.into(), ..rules() };
    whole.territories.allow.insert("PT".parse().unwrap());
    assert!(world.publish("ana", model(ana), &whole, None, vec![]).is_ok());
}

#[test]
fn a_territory_is_declared_with_the_grant() {
    let mut world = people();
    let ana = world.id("ana");
    let (_, anywhere) = world.publish("ana", model(ana), &rules(), None, vec![]).unwrap();
    let mut places = rules();
    places.territories.allow.extend(["PT", "FR"].map(|code| code.parse::<Territory>().unwrap()));
    let (_, somewhere) = world.publish("ana", model(ana), &places, None, vec![]).unwrap();
    let mut check = |version, declared: Option<&str>, expect: Option<ErrorCode>| {
        let accepted = world.accept_in("ben", version, declared);
        let code = accepted.as_ref().err().map(|refusal| refusal.code);
        assert_eq!(code, expect, "{declared:?}");
        let Ok(number) = accepted else { return };
        let grant: Grant =
            world.ledger.must("grant", number, &ambar_ledger::Key::Grant(number)).unwrap();
        assert_eq!(grant.territory.as_deref(), declared);
    };
    check(anywhere, None, None);
    check(anywhere, Some("DE"), None);
    check(anywhere, Some("UK"), Some(ErrorCode::RequestInvalid));
    check(somewhere, Some("PT"), None);
    check(somewhere, Some("DE"), Some(ErrorCode::TerritoryNotAllowed));
    check(somewhere, None, Some(ErrorCode::TerritoryRequired));
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
