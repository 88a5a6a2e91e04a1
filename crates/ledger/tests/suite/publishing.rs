//! What a capsule owes to what it is built on, and who owns what afterwards.

use crate::world::{World, contributors, dataset, derived, key, model, prompt, terms};
use ambar_base::{AccountId, Cid, Encode, ErrorCode, Price, Weight};
use ambar_capsule::body::{AgentBody, Body};
use ambar_capsule::manifest::{
    Component, DatanetDeclaration, RoyaltyDeclaration, SharingDeclaration,
};
use ambar_capsule::{Contributor, ContributorTable, Manifest, Party, SignedManifest};
use ambar_ledger::object::{Datanet, Line, Version};
use ambar_ledger::query::State;
use ambar_ledger::transaction::{Publish, RegisterName, TransferLine};
use ambar_ledger::{Key, Operation, Refusal};
use ambar_licence::{Right, Terms};

const CALL: [Right; 1] = [Right::Call];
const BOTH: [Right; 2] = [Right::Call, Right::Compose];

fn people() -> World {
    let mut world = World::new();
    for name in ["ana", "ben", "cleo"] {
        world.person(name);
    }
    world
}

fn publish(
    world: &mut World,
    name: &str,
    manifest: Manifest,
    rule: &Terms,
) -> Result<(u64, Cid), Refusal> {
    world.publish(name, manifest, rule, None, vec![])
}

fn first(world: &mut World, name: &str, rule: &Terms) -> Cid {
    publish(world, name, model(world.id(name)), rule).unwrap().1
}

/// The next version of a line.
fn next(world: &World, name: &str, previous: &[Cid]) -> Manifest {
    let previous = previous.to_vec();
    Manifest { previous, royalty: Vec::new(), ..model(world.id(name)) }
}

fn version(world: &World, id: Cid) -> Version {
    world.ledger.version(&id).unwrap().1
}

fn line(world: &World, id: Cid) -> Line {
    world.ledger.must("line", "", &Key::Line(version(world, id).line)).unwrap()
}

#[test]
fn versions_of_a_line_share_owner_and_royalty_lines() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let one = first(&mut world, "ana", &rule);
    let manifest = next(&world, "ana", &[one]);
    let (number, two) = publish(&mut world, "ana", manifest.clone(), &rule).unwrap();
    let object = line(&world, two);
    assert_eq!((object.first, object.head), (one, number));
    assert_eq!(version(&world, one).plan, version(&world, two).plan);
    let again = publish(&mut world, "ana", manifest, &rule).unwrap_err();
    assert_eq!(again.code, ErrorCode::NameTaken);
    let named = Manifest { royalty: model(world.id("ana")).royalty, ..next(&world, "ana", &[two]) };
    let refusal = publish(&mut world, "ana", named, &rule).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ManifestInvalid);
}

#[test]
fn only_the_owner_continues_a_line() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let one = first(&mut world, "ana", &rule);
    let refused = |world: &mut World, manifest| {
        publish(world, "ben", manifest, &terms(&CALL, 1, 0)).unwrap_err().code
    };
    let manifest = next(&world, "ben", &[one]);
    assert_eq!(refused(&mut world, manifest), ErrorCode::NotAuthorised);
    let shared = derived(world.id("ben"), &[(one, 100_000_000)]);
    let continued = Manifest { royalty: vec![], previous: vec![one], ..shared.clone() };
    assert_eq!(refused(&mut world, continued), ErrorCode::NotAuthorised);
    let fork = Manifest { fork: true, previous: vec![one], ..model(world.id("ben")) };
    assert_eq!(refused(&mut world, fork), ErrorCode::NotAuthorised);
    let fork = Manifest { fork: true, previous: vec![one], ..shared };
    let (_, fork) = publish(&mut world, "ben", fork, &rule).unwrap();
    let object = line(&world, fork);
    assert_eq!(object.first, fork, "a fork is a line of its own");
    assert_ne!(object.owner, line(&world, one).owner);
}

#[test]
fn a_merge_gives_a_share_to_the_other_side() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let (mine, theirs) = (first(&mut world, "ana", &rule), first(&mut world, "ben", &rule));
    let merge = next(&world, "ana", &[mine, theirs]);
    let refusal = publish(&mut world, "ana", merge.clone(), &rule).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotAuthorised);
    assert!(refusal.message.contains("derived_from"), "{refusal}");
    let shares = derived(world.id("ana"), &[(theirs, 250_000_000)]).derived_from;
    let merge = Manifest { derived_from: shares, ..merge };
    let (_, merged) = publish(&mut world, "ana", merge, &rule).unwrap();
    let plan = version(&world, merged).plan;
    assert_eq!(plan.weight(Party::Line(0)), Weight(750_000_000));
    assert_eq!(plan.weight(Party::Line(1)), Weight(250_000_000));
}

/// Ids are hashes, so whoever wants a cycle has to name what is not published yet.
#[test]
fn nothing_is_built_on_what_is_not_published() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let planned = Manifest { terms: rule.id(), ..model(world.id("ben")) }.id();
    let (ana, unknown) = (world.id("ana"), ErrorCode::CapsuleUnknown);
    let refused = |world: &mut World, manifest, grants| {
        world.publish("ana", manifest, &terms(&CALL, 1, 0), None, grants).unwrap_err().code
    };
    assert_eq!(refused(&mut world, derived(ana, &[(planned, 1)]), vec![]), unknown);
    let continued = next(&world, "ana", &[planned]);
    assert_eq!(refused(&mut world, continued, vec![]), unknown);
    let component = Manifest { uses: vec![component("tool", planned)], ..model(ana) };
    assert_eq!(refused(&mut world, component, vec![0]), unknown);
}

#[test]
fn parents_terms_are_heard() {
    let mut world = people();
    let mut rule = terms(&CALL, 1, 0);
    rule.derivatives.share = Weight(150_000_000);
    rule.derivatives.floor_per_call = Price(1_000);
    let parent = first(&mut world, "ana", &rule);
    let mut closed = terms(&CALL, 1, 0);
    closed.derivatives = ambar_licence::Derivatives::default();
    let closed = first(&mut world, "ana", &closed);
    let ben = world.id("ben");
    let mut check = |parent, share, per_call, clause: &str| {
        let manifest = derived(ben, &[(parent, share)]);
        let mut own = terms(&CALL, 1, per_call);
        own.derivatives = ambar_licence::Derivatives::default();
        let refusal = publish(&mut world, "ben", manifest, &own);
        match refusal {
            Err(refusal) => {
                assert_eq!(refusal.code, ErrorCode::NotAuthorised);
                assert!(!clause.is_empty() && refusal.message.contains(clause), "{refusal}");
            }
            Ok(_) => assert_eq!(clause, ""),
        }
    };
    check(closed, 900_000_000, 1_000_000, "no derivatives");
    check(parent, 149_999_999, 1_000_000, "ask a share of 15%");
    check(parent, 150_000_000, 6_666, "at least 0.000001000 per call");
    check(parent, 150_000_000, 6_667, "");
    check(parent, 1_000_000_000, 1_000, "");
    // The owner is not bound by their own terms.
    let own = derived(world.id("ana"), &[(closed, 0)]);
    publish(&mut world, "ana", own, &terms(&CALL, 1, 0)).unwrap();
}

#[test]
fn shares_are_at_most_the_whole() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let parents = [first(&mut world, "ana", &rule), first(&mut world, "ben", &rule)];
    let manifest = |share: u32, world: &World| {
        derived(world.id("cleo"), &[(parents[0], 500_000_000), (parents[1], share)])
    };
    let over = manifest(500_000_001, &world);
    let refusal = publish(&mut world, "cleo", over, &rule).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ShareExceeded);
    let whole = manifest(500_000_000, &world);
    let (_, id) = publish(&mut world, "cleo", whole, &rule).unwrap();
    let plan = version(&world, id).plan;
    assert_eq!(plan.entries().count(), 2, "the creator keeps nothing");
}

fn component(role: &str, version: Cid) -> Component {
    Component { role: role.into(), version }
}

/// A capsule without content of its own that works through one component.
fn wrapper(holder: AccountId, below: Cid, name: &str) -> Manifest {
    let body = Body::Agent(AgentBody { instructions: "Use the tool.".into(), steps_max: 4 });
    Manifest { body, name: name.into(), uses: vec![component("tool", below)], ..model(holder) }
}

#[test]
fn components_need_a_grant_that_allows_to_compose() {
    let mut world = people();
    let tool = first(&mut world, "ana", &terms(&BOTH, 1, 0));
    let closed = first(&mut world, "ana", &terms(&CALL, 2, 0));
    let ben = world.id("ben");
    let own = world.accept("ben", tool).unwrap();
    let foreign = world.accept("cleo", tool).unwrap();
    let call_only = world.accept("ben", closed).unwrap();
    let revoked = world.accept("ben", tool).unwrap();
    world.act("ben", vec![Operation::RevokeGrant(revoked)]).unwrap();
    let mut check = |version, grants: &[u64], expect: Option<(ErrorCode, &str)>| {
        let manifest = wrapper(ben, version, "wrapper");
        let result = world.publish("ben", manifest, &terms(&CALL, 1, 0), None, grants.to_vec());
        match (result, expect) {
            (Err(refusal), Some((code, text))) => {
                assert_eq!(refusal.code, code, "{refusal}");
                assert!(refusal.message.contains(text), "{refusal}");
            }
            (result, expect) => assert_eq!(result.is_ok(), expect.is_none(), "{result:?}"),
        }
    };
    let missing = |text| Some((ErrorCode::GrantMissing, text));
    check(tool, &[], missing("one grant is named for each component"));
    check(tool, &[99], Some((ErrorCode::NotFound, "no grant 99")));
    check(tool, &[foreign], missing("is not the owner's"));
    check(tool, &[call_only], missing("is not the owner's"));
    check(tool, &[revoked], missing("does not hold"));
    check(closed, &[call_only], missing("does not allow to compose"));
    check(tool, &[own], None);
}

#[test]
fn components_are_nested_to_a_limit() {
    let mut world = people();
    let rule = terms(&BOTH, 1, 0);
    let mut below = first(&mut world, "ana", &rule);
    for level in 1..=9 {
        let grant = world.accept("ana", below).unwrap();
        let manifest = wrapper(world.id("ana"), below, &format!("level {level}"));
        match world.publish("ana", manifest, &rule, None, vec![grant]) {
            Ok((_, id)) => below = id,
            Err(refusal) => {
                assert_eq!((level, refusal.code), (9, ErrorCode::LimitExceeded));
                return;
            }
        }
    }
    panic!("nine levels were published");
}

#[test]
fn a_line_is_transferred_to_whoever_holds_the_component_grants() {
    let mut world = people();
    let (tool, data_rule) = (first(&mut world, "ana", &terms(&BOTH, 1, 0)), terms(&BOTH, 1, 0));
    let table = contributors(&["Ada"]);
    let manifest = dataset(world.id("ana"), &table);
    let (_, data) = world.publish("ana", manifest, &data_rule, Some(&table), vec![]).unwrap();
    let grants = |world: &mut World, name| {
        vec![world.accept(name, tool).unwrap(), world.accept(name, data).unwrap()]
    };
    let held = grants(&mut world, "ben");
    let manifest = prompt(world.id("ben"), tool, data);
    let (_, id) = world.publish("ben", manifest, &terms(&CALL, 0, 5), None, held.clone()).unwrap();
    let to = world.id("cleo");
    let transfer =
        |grants: Vec<u64>| Operation::TransferLine(TransferLine { version: id, to, grants });
    assert_eq!(world.refused("ben", transfer(vec![])), ErrorCode::GrantMissing);
    assert_eq!(world.refused("ben", transfer(held.clone())), ErrorCode::GrantMissing);
    let theirs = grants(&mut world, "cleo");
    world.act("ben", vec![transfer(theirs.clone())]).unwrap();
    assert_eq!(world.refused("ben", transfer(theirs.clone())), ErrorCode::NotAuthorised);
    let object = version(&world, id);
    let pairs =
        |list: &[u64]| object.uses.iter().map(|u| u.0).zip(list.to_vec()).collect::<Vec<_>>();
    let at = |height| object.uses_at(height).collect::<Vec<_>>();
    let now = world.ledger.height();
    assert_eq!(at(ambar_base::Height(now.0 - 1)), pairs(&held));
    assert_eq!(at(now), [pairs(&held), pairs(&theirs)].concat());
    assert_eq!(at(now.after(1)), pairs(&theirs));
    let back = TransferLine { version: id, to: world.id("ben"), grants: held };
    assert_eq!(world.refused("cleo", Operation::TransferLine(back)), ErrorCode::LimitExceeded);
}

#[test]
fn a_sold_line_keeps_its_royalty_lines() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let one = first(&mut world, "ana", &rule);
    let to = world.id("ben");
    let sale = TransferLine { version: one, to, grants: vec![] };
    world.act("ana", vec![Operation::TransferLine(sale)]).unwrap();
    let manifest = next(&world, "ana", &[one]);
    let refusal = publish(&mut world, "ana", manifest, &rule).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotAuthorised);
    let manifest = next(&world, "ben", &[one]);
    let (_, two) = publish(&mut world, "ben", manifest, &rule).unwrap();
    assert_eq!(version(&world, two).plan.weight(Party::Line(0)), Weight::ONE);
}

#[test]
fn names_are_plain_and_taken_once() {
    let mut world = people();
    let (rule, register) = (terms(&CALL, 1, 0), |name: &str, version| {
        Operation::RegisterName(RegisterName { name: name.to_owned(), version })
    });
    let (mine, theirs) = (first(&mut world, "ana", &rule), first(&mut world, "ben", &rule));
    for good in ["a", "lab/model-1.0_x", &"x".repeat(64)] {
        world.act("ana", vec![register(good, mine)]).unwrap();
    }
    for bad in ["", "-a", "a/", "A", "a b", "é", &"x".repeat(65)] {
        let code = world.refused("ana", register(bad, mine));
        assert_eq!(code, ErrorCode::TransactionInvalid, "{bad:?}");
    }
    assert_eq!(world.refused("ben", register("a", theirs)), ErrorCode::NameTaken);
    assert_eq!(world.refused("ben", register("b", mine)), ErrorCode::NotAuthorised);
    assert_eq!(world.ledger.version_named("a").unwrap().1.id, mine);
    let manifest = next(&world, "ana", &[mine]);
    let (_, newer) = publish(&mut world, "ana", manifest, &rule).unwrap();
    assert_eq!(world.ledger.version_named("a").unwrap().1.id, newer, "names follow the line");
}

#[test]
fn a_dataset_shows_its_contributors() {
    let mut world = people();
    let rule = terms(&CALL, 1, 0);
    let ben = world.id("ben");
    let people = [Contributor::Account(ben), Contributor::Name("Ada".into())];
    let table = ContributorTable::new(people.into()).unwrap();
    let manifest = dataset(world.id("ana"), &table);
    let other = contributors(&["Ada"]);
    for given in [None, Some(&other)] {
        let refusal = world.publish("ana", manifest.clone(), &rule, given, vec![]).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::ManifestInvalid);
        assert!(refusal.message.contains("contributor table"), "{refusal}");
    }
    let nobody = AccountId::reserved("nobody");
    let ghosts = ContributorTable::new([Contributor::Account(nobody)].into()).unwrap();
    let ghostly = dataset(world.id("ana"), &ghosts);
    let refusal = world.publish("ana", ghostly, &rule, Some(&ghosts), vec![]).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::AccountUnknown);
    let (number, id) = world.publish("ana", manifest, &rule, Some(&table), vec![]).unwrap();
    let datanet: Datanet = world.ledger.must("datanet", number, &Key::Datanet(number)).unwrap();
    let number_of = |id: AccountId| world.ledger.account_number(&id.to_string()).unwrap();
    let escrow = number_of(AccountId::escrow(&id, "Ada"));
    assert_eq!(datanet.contributors, [number_of(ben), escrow]);
    let (_, account, _) = world.ledger.account(&AccountId::escrow(&id, "Ada").to_string()).unwrap();
    assert_eq!((account.keys, account.name.as_deref()), (None, Some("Ada")));
    // A later version of the line pays the same escrow account.
    let previous = vec![id];
    let later = Manifest { previous, royalty: vec![], ..dataset(world.id("ana"), &other) };
    let (number, _) = world.publish("ana", later, &rule, Some(&other), vec![]).unwrap();
    let datanet: Datanet = world.ledger.must("datanet", number, &Key::Datanet(number)).unwrap();
    assert_eq!(datanet.contributors, [escrow]);
}

#[test]
fn rules_of_sharing_are_known_and_count_the_contributors() {
    let mut world = people();
    let (table, rule) = (contributors(&["Adams", "Monroe"]), terms(&CALL, 1, 0));
    let good = SharingDeclaration {
        cap: Weight(300_000_000),
        contributors: 2,
        duplicates: 2,
        floor: Weight(50_000_000),
    };
    let mut attempt = |change: fn(&mut DatanetDeclaration)| {
        let mut manifest = dataset(world.id("ana"), &table);
        let declared = manifest.datanet.as_mut().unwrap();
        declared.sharing = Some(good);
        change(declared);
        world.publish("ana", manifest, &rule, Some(&table), vec![]).err()
    };
    let mut check = |change: fn(&mut DatanetDeclaration), words: &str| {
        let refusal = attempt(change).unwrap();
        assert_eq!(refusal.code, ErrorCode::ManifestInvalid);
        assert!(refusal.message.contains(words), "{}", refusal.message);
    };
    check(|d| d.sharing.as_mut().unwrap().duplicates = 4, "rule 4");
    check(|d| d.sharing.as_mut().unwrap().contributors = 3, "2 contributors, not 3");
    check(|d| d.sharing.as_mut().unwrap().cap = Weight::ZERO, "above 0%");
    check(|d| d.methods[1].0 = 4, "no method of the mix");
    assert_eq!(attempt(|_| {}), None);
}

#[test]
fn royalty_goes_to_accounts_that_exist() {
    let mut world = people();
    let holder = AccountId::reserved("nobody");
    let royalty = vec![RoyaltyDeclaration { holder, weight: Weight::ONE }];
    let manifest = Manifest { royalty, ..model(world.id("ana")) };
    let refusal = publish(&mut world, "ana", manifest, &terms(&CALL, 1, 0)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::AccountUnknown);
}

#[test]
fn terms_and_creator_belong_to_the_manifest() {
    let mut world = people();
    let (rule, other) = (terms(&CALL, 1, 0), terms(&CALL, 2, 0));
    let mut attempt = |actor: &str, creator: &str, signer: &str, given: Option<&Terms>| {
        let creator = world.id(creator);
        let manifest = Manifest { terms: rule.id(), creator, ..model(creator) };
        let manifest = SignedManifest::sign(&manifest, world.network, &key(signer));
        let terms = given.map(Terms::to_document);
        let publish =
            Publish { manifest, terms, contributors: None, grants: vec![], derives: vec![] };
        let envelope = world.envelope(actor, vec![Operation::Publish(publish)]);
        let signed = envelope.sign(&key(actor));
        world.apply(&signed.to_bytes()).err().map(|refusal| refusal.code)
    };
    assert_eq!(attempt("ana", "ben", "ben", Some(&rule)), Some(ErrorCode::NotAuthorised));
    assert_eq!(attempt("ana", "ana", "ben", Some(&rule)), Some(ErrorCode::NotAuthorised));
    assert_eq!(attempt("ana", "ana", "ana", None), Some(ErrorCode::TermsInvalid));
    assert_eq!(attempt("ana", "ana", "ana", Some(&other)), Some(ErrorCode::TermsInvalid));
    assert_eq!(attempt("ana", "ana", "ana", Some(&rule)), None);
    assert_eq!(attempt("ben", "ben", "ben", None), None, "the ledger has the terms");
}
