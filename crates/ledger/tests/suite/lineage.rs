//! What terms ask of everything that is built on them, through any number of versions.

use crate::world::{World, derived, key, model, terms};
use ambar_base::{Cid, ErrorCode, Moment, Price, Weight};
use ambar_capsule::{Manifest, SignedManifest};
use ambar_ledger::object::{ANCESTORS_MAX, Ancestor, Ancestry};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{Publish, TransferLine};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_licence::{Revocation, Right, Term, Terms, Territories, Territory};

const TENTH: u32 = 100_000_000;

fn people() -> World {
    let mut world = World::new();
    for name in ["ana", "ben", "cleo", "dora"] {
        world.person(name);
    }
    world
}

/// Terms that ask a tenth of what is built on them and cost `per_call`.
fn asking(share: u32, per_call: u64) -> Terms {
    let mut terms = terms(&[Right::Call], 0, per_call);
    terms.derivatives.share = Weight(share);
    terms
}

fn publish(
    world: &mut World,
    name: &str,
    parents: &[(Cid, u32)],
    rule: &Terms,
) -> Result<Cid, Refusal> {
    let count = world.ledger.entries().count();
    let manifest = derived(world.id(name), parents);
    let manifest = Manifest { name: format!("capsule {count}"), ..manifest };
    world.publish(name, manifest, rule, None, vec![]).map(|(_, id)| id)
}

fn ancestry(world: &World, id: Cid) -> Vec<Ancestor> {
    let (number, _) = world.ledger.version(&id).unwrap();
    let ancestry: Option<Ancestry> = world.ledger.object(&Key::Ancestry(number)).unwrap();
    ancestry.unwrap_or_default().ancestors
}

/// What reaches an ancestor, and what is due there.
fn of(world: &World, id: Cid, ancestor: Cid) -> (u32, u32) {
    let found = ancestry(world, id).into_iter().find(|one| one.id == ancestor).unwrap();
    (found.reaches.0, found.due.0)
}

#[track_caller]
fn refused(result: Result<Cid, Refusal>, code: ErrorCode, clause: &str) {
    let refusal = result.unwrap_err();
    assert_eq!(refusal.code, code, "{refusal}");
    assert!(refusal.message.contains(clause), "{refusal}");
}

#[test]
fn what_is_built_on_anothers_needs_a_grant_to_derive() {
    let mut world = people();
    let rule = Terms { term: Some(Term::Days(1)), ..asking(TENTH, 1_000) };
    let parent = publish(&mut world, "ana", &[], &rule).unwrap();
    let other = publish(&mut world, "ana", &[], &asking(TENTH, 2_000)).unwrap();
    let call_only = Terms { grants: [Right::Call].into(), ..asking(TENTH, 3_000) };
    let closed = publish(&mut world, "ana", &[], &call_only).unwrap();
    let own = world.accept("ben", parent).unwrap();
    let foreign = world.accept("cleo", parent).unwrap();
    let elsewhere = world.accept("ben", other).unwrap();
    let revoked = world.accept("ben", parent).unwrap();
    let to_call = world.accept("ben", closed).unwrap();
    world.act("ben", vec![Operation::RevokeGrant(revoked)]).unwrap();
    let plain = Terms { grants: [Right::Call].into(), ..asking(TENTH, 5_000) };
    let check = |world: &mut World, parent, derives: &[u64], expect: Option<(ErrorCode, &str)>| {
        let id = world.id("ben");
        let manifest = derived(id, &[(parent, TENTH)]);
        let manifest = Manifest { terms: plain.id(), creator: id, ..manifest };
        let publish = Publish {
            manifest: SignedManifest::sign(&manifest, world.network, &key("ben")),
            terms: Some(plain.to_document()),
            contributors: None,
            grants: vec![],
            derives: derives.to_vec(),
        };
        let result = world.act("ben", vec![Operation::Publish(publish)]);
        match (result, expect) {
            (Err(refusal), Some((code, text))) => {
                assert_eq!(refusal.code, code, "{refusal}");
                assert!(refusal.message.contains(text), "{refusal}");
            }
            (result, expect) => assert_eq!(result.is_ok(), expect.is_none(), "{result:?}"),
        }
    };
    let missing = |text| Some((ErrorCode::GrantMissing, text));
    check(&mut world, parent, &[], missing("lacks one"));
    check(&mut world, parent, &[99], Some((ErrorCode::NotFound, "no grant 99")));
    check(&mut world, parent, &[foreign], missing("is not the publisher's"));
    check(&mut world, parent, &[elsewhere], missing("is not the publisher's"));
    check(&mut world, parent, &[revoked], Some((ErrorCode::GrantRevoked, "was revoked")));
    check(&mut world, closed, &[own], missing("is not the publisher's"));
    check(&mut world, closed, &[], Some((ErrorCode::RightNotGranted, "do not grant to derive")));
    check(
        &mut world,
        closed,
        &[to_call],
        Some((ErrorCode::RightNotGranted, "do not grant to derive")),
    );
    check(&mut world, parent, &[own, own], Some((ErrorCode::TransactionInvalid, "more grants")));
    let next = Terms { price: terms(&[], 0, 7).price, ..rule.clone() };
    let previous = vec![parent];
    let manifest = Manifest { previous, royalty: vec![], ..model(world.id("ana")) };
    let (_, newer) = world.publish("ana", manifest, &next, None, vec![]).unwrap();
    check(&mut world, newer, &[own], missing("for other terms"));
    let mut late = world.clone();
    late.block(Moment::DAY_MS);
    check(&mut late, parent, &[own], Some((ErrorCode::GrantTermOver, "is over")));
    check(&mut world, parent, &[own], None);
}

#[test]
fn a_share_is_due_through_several_levels() {
    let mut world = people();
    let top = publish(&mut world, "ana", &[], &asking(2 * TENTH, 1_000)).unwrap();
    let middle =
        publish(&mut world, "ben", &[(top, 2 * TENTH)], &asking(5 * TENTH, 1_000)).unwrap();
    assert_eq!(of(&world, middle, top), (2 * TENTH, 2 * TENTH));
    let low = publish(&mut world, "cleo", &[(middle, 6 * TENTH)], &asking(5 * TENTH, 1_000));
    let low = low.unwrap();
    assert_eq!(of(&world, low, middle), (6 * TENTH, 5 * TENTH));
    assert_eq!(of(&world, low, top), (12 * TENTH / 10, TENTH));
    let least = publish(&mut world, "dora", &[(low, 5 * TENTH)], &asking(5 * TENTH, 1_000));
    assert_eq!(of(&world, least.unwrap(), top), (6 * TENTH / 10, 5 * TENTH / 10));
    let below = publish(&mut world, "dora", &[(low, 5 * TENTH - 1)], &asking(5 * TENTH, 1_000));
    refused(below, ErrorCode::NotAuthorised, "ask a share of 50%, not 49.9999999%");
}

/// A capsule of one's own in between takes nothing from those above it.
#[test]
fn nobody_lowers_a_share_by_publishing_in_between() {
    let mut world = people();
    let top = publish(&mut world, "ana", &[], &asking(2 * TENTH, 1_000)).unwrap();
    let rule = asking(2 * TENTH, 1_000);
    let own = publish(&mut world, "ben", &[(top, 2 * TENTH)], &rule).unwrap();
    for share in [0, 2 * TENTH, 9 * TENTH] {
        let thin = publish(&mut world, "ben", &[(own, share)], &rule);
        refused(thin, ErrorCode::NotAuthorised, "derivatives.share");
    }
    let whole = publish(&mut world, "ben", &[(own, Weight::ONE.0)], &rule).unwrap();
    assert_eq!(of(&world, whole, top), (2 * TENTH, 2 * TENTH));
    let named = publish(&mut world, "ben", &[(own, 0), (top, 2 * TENTH)], &rule).unwrap();
    assert_eq!(of(&world, named, top), (2 * TENTH, 2 * TENTH));
    // The same through two of one's own; and ways that meet again add up.
    let deep = publish(&mut world, "ben", &[(named, TENTH), (own, 8 * TENTH)], &rule);
    refused(deep, ErrorCode::NotAuthorised, "not 18%");
    let deep = publish(&mut world, "ben", &[(named, TENTH), (own, 9 * TENTH)], &rule).unwrap();
    assert_eq!(of(&world, deep, top), (2 * TENTH, 2 * TENTH));
    // To somebody else, they are one capsule that asks what its terms say.
    let other = publish(&mut world, "cleo", &[(deep, 2 * TENTH)], &rule).unwrap();
    assert_eq!(of(&world, other, top), (4 * TENTH / 10, 4 * TENTH / 10));
}

#[test]
fn a_floor_is_due_through_several_levels() {
    let mut world = people();
    let mut rule = asking(TENTH, 1_000);
    rule.derivatives.floor_per_call = Price(100);
    let top = publish(&mut world, "ana", &[], &rule).unwrap();
    let middle = publish(&mut world, "ben", &[(top, TENTH)], &asking(TENTH, 1_000)).unwrap();
    let cheap = publish(&mut world, "cleo", &[(middle, TENTH)], &asking(TENTH, 9_999));
    refused(cheap, ErrorCode::NotAuthorised, "derivatives.floor_per_call");
    publish(&mut world, "cleo", &[(middle, TENTH)], &asking(TENTH, 10_000)).unwrap();
    // More of a smaller price is as good.
    publish(&mut world, "cleo", &[(middle, 10 * TENTH)], &asking(TENTH, 1_000)).unwrap();
}

#[test]
fn clauses_of_every_ancestor_bind() {
    let mut world = people();
    let mut rule = asking(TENTH, 1_000);
    rule.purposes.deny.insert("surveillance".parse().unwrap());
    rule.territories.allow.extend(["PT", "FR"].map(|code| code.parse::<Territory>().unwrap()));
    rule.grants.insert(Right::Fetch);
    let top = publish_in(&mut world, "ana", &[], &rule).unwrap();
    let middle = publish_in(&mut world, "ben", &[(top, TENTH)], &rule).unwrap();
    // An owner may be wider than their own terms, not than those above.
    let mut wide = rule.clone();
    wide.purposes.deny.clear();
    let own = publish_in(&mut world, "ben", &[(middle, Weight::ONE.0)], &wide);
    refused(own, ErrorCode::TermsInvalid, "purposes.deny");
    let mut check = |change: &dyn Fn(&mut Terms), code: ErrorCode, clause: &str| {
        let mut own = rule.clone();
        change(&mut own);
        refused(publish_in(&mut world, "cleo", &[(middle, TENTH)], &own), code, clause);
    };
    let invalid = ErrorCode::TermsInvalid;
    check(&|t| t.purposes.deny.clear(), invalid, "purposes.deny: it denies the purpose `surv");
    check(&|t| t.territories = Territories::default(), invalid, "territories.allow: every");
    let norway = |t: &mut Terms| {
        t.territories.allow.insert("NO".parse().unwrap());
    };
    let train = |t: &mut Terms| {
        t.grants.insert(Right::Train);
    };
    check(&norway, invalid, "territories.allow: it does not allow the territory `NO`");
    check(&|t| t.derivatives.share = Weight(1), invalid, "derivatives.share: it asks a share");
    check(&train, invalid, "grants: it does not grant to train");
    let mut narrow = rule.clone();
    narrow.territories.allow.remove(&"FR".parse().unwrap());
    narrow.grants.remove(&Right::Fetch);
    narrow.revoke_if = Revocation::ALL.into();
    let low = publish_in(&mut world, "cleo", &[(middle, TENTH)], &narrow).unwrap();
    refused(
        publish_in(&mut world, "dora", &[(low, TENTH)], &rule),
        invalid,
        "grants: it does not grant to fetch",
    );
    publish_in(&mut world, "dora", &[(low, TENTH)], &narrow).unwrap();
}

/// Publishes where terms ask for a territory.
fn publish_in(
    world: &mut World,
    name: &str,
    parents: &[(Cid, u32)],
    rule: &Terms,
) -> Result<Cid, Refusal> {
    let id = world.id(name);
    let publisher = world.ledger.account_number(&id.to_string()).unwrap();
    let mut derives = Vec::new();
    for (parent, _) in parents {
        let line = world.ledger.version(parent).unwrap().1.line;
        let line: ambar_ledger::object::Line =
            world.ledger.must("line", line, &Key::Line(line)).unwrap();
        if line.owner != publisher {
            derives.push(world.accept_in(name, *parent, Some("PT")).unwrap());
        }
    }
    let name_of = format!("capsule {}", world.ledger.entries().count());
    let manifest = derived(id, parents);
    let manifest = Manifest { name: name_of, terms: rule.id(), creator: id, ..manifest };
    let publish = Publish {
        manifest: SignedManifest::sign(&manifest, world.network, &key(name)),
        terms: Some(rule.to_document()),
        contributors: None,
        grants: vec![],
        derives,
    };
    world.act(name, vec![Operation::Publish(publish)])?;
    Ok(manifest.id())
}

/// Who buys a capsule is from then on not bound by its terms, and by those above it is.
#[test]
fn whoever_owns_an_ancestor_now_is_free_of_its_terms() {
    let mut world = people();
    let top = publish(&mut world, "ana", &[], &asking(2 * TENTH, 1_000)).unwrap();
    let rule = asking(5 * TENTH, 1_000);
    let middle = publish(&mut world, "ben", &[(top, 2 * TENTH)], &rule).unwrap();
    let thin = |world: &mut World| publish(world, "cleo", &[(middle, 0), (top, 2 * TENTH)], &rule);
    refused(thin(&mut world), ErrorCode::NotAuthorised, "ask a share of 50%");
    let sale = TransferLine { version: middle, to: world.id("cleo"), grants: vec![] };
    world.act("ben", vec![Operation::TransferLine(sale)]).unwrap();
    thin(&mut world).unwrap();
    refused(
        publish(&mut world, "cleo", &[(middle, 0)], &rule),
        ErrorCode::NotAuthorised,
        "ask a share of 20%",
    );
}

#[test]
fn a_capsule_is_built_on_a_bounded_number_of_versions() {
    let mut world = people();
    let rule = asking(0, 1_000);
    let mut last = publish(&mut world, "ana", &[], &rule).unwrap();
    for _ in 0..ANCESTORS_MAX {
        last = publish(&mut world, "ana", &[(last, 0)], &rule).unwrap();
    }
    assert_eq!(ancestry(&world, last).len(), ANCESTORS_MAX);
    refused(publish(&mut world, "ana", &[(last, 0)], &rule), ErrorCode::LimitExceeded, "at most");
}

#[test]
fn ancestries_are_known_by_their_ids() {
    let mut world = people();
    let tops: Vec<_> = (0..3)
        .map(|at| publish(&mut world, "ana", &[], &asking(TENTH, 1_000 + at)).unwrap())
        .collect();
    let parents: Vec<_> = tops.iter().map(|id| (*id, TENTH)).collect();
    let child = publish(&mut world, "ben", &parents, &asking(TENTH, 1_000)).unwrap();
    let ids: Vec<_> = ancestry(&world, child).iter().map(|one| one.id).collect();
    let mut sorted = tops;
    sorted.sort_unstable();
    assert_eq!(ids, sorted);
    assert_eq!(ancestry(&world, ids[0]), []);
}
