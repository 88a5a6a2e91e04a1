//! Lies, each found by the check that is there for it.

use super::fixture::{
    CHANNEL, CONTRIBUTORS, DATANET, GATEWAY, MODEL, NODE, PROMPT, World, account, terms,
};
use super::tests::{failed, unchecked, verified};
use crate::counters::{Counter, Counters};
use crate::export::ReceiptDocument;
use crate::fact::Fact;
use crate::outcome::TransactionOutcome;
use crate::subject::Subject;
use ambar_base::{Cid, Digest, Encode, Height, Price, SecretKey, Signature, Weight, codec};
use ambar_licence::call::{Answer, DecisionRecord, Denied};

fn fact(world: &mut World, subject: Subject) -> &mut Fact {
    world.facts.iter_mut().find(|fact| fact.subject() == subject).unwrap()
}

/// A change that gateway, nodes and block sign, and the checks that fail.
fn check_signed(change: fn(&mut World), expect: &[&str]) {
    let mut world = World::new();
    change(&mut world);
    let report = verified(&world.file());
    assert_eq!(failed(&report), expect, "{report:#?}");
    assert!(!report.ok);
}

/// A change that only the gateway seals, and the checks that fail.
fn check_sealed(change: fn(&mut ReceiptDocument), expect: &[&str]) {
    let world = World::new();
    let mut document = world.document();
    change(&mut document);
    let report = verified(&document.seal(world.gateway_key()));
    assert_eq!(failed(&report), expect, "{report:#?}");
    assert!(!report.ok);
}

/// Gateway, nodes and even the block agree on the lie; recomputation does not.
#[test]
fn lies_that_everybody_signed() {
    let check = check_signed;
    let more = |world: &mut World| {
        let counts = [(Counter::TokensIn, 122), (Counter::TokensOut, 65)];
        world.leaf().lines[2].counters = Counters::new(counts);
    };
    check(more, &["mu", "royalty", "node-fee"]);
    check(|world| world.leaf().lines[1].mu.0 += 1, &["mu"]);
    check(|world| world.leaf().lines[2].royalty.0 -= 1, &["royalty"]);
    check(|world| world.leaf().lines[0].royalty.0 += 1, &["royalty"]);
    check(|world| world.leaf().lines[1].node_fee.0 += 1, &["node-fee"]);
    check(|world| world.leaf().network_fee = Price(0), &["network-fee"]);
    let favoured = |world: &mut World| {
        let weights = &mut world.leaf().lines[1].shares[0].weights;
        weights[0].1.0 += 1_000;
        weights[1].1.0 -= 1_000;
    };
    check(favoured, &["shares"]);
    // A friend, whom nobody drew.
    let drawn = |world: &mut World| {
        let floor = world.leaf().lines[1].shares.last_mut().unwrap();
        assert_eq!((floor.method, floor.weights.len()), (4, 1), "the draw of the floor");
        floor.weights[0].0 = CONTRIBUTORS - 1 - floor.weights[0].0;
    };
    check(drawn, &["shares"]);
    check(|world| drop(world.leaf().lines[1].shares.pop()), &["split", "shares"]);
    let inflated = |world: &mut World| world.leaf().lines[1].shares[0].weights[0].1.0 += 1;
    check(inflated, &["split", "shares"]);
    check(|world| world.leaf().lines[1].shares.swap(0, 1), &["split", "shares"]);
    check(|world| world.leaf().details = Digest::of(b"others"), &["details"]);
    check(|world| world.leaf().admitted = Height(913), &["finality", "decision"]);
    check(|world| world.leaf().outcome = crate::CallOutcome::Void, &["leaf"]);
    check(|world| world.leaf().purpose = Some("x".repeat(65)), &["leaf"]);
}

#[test]
fn facts_that_do_not_fit_one_another() {
    let check = check_signed;
    let other_gateway = |world: &mut World| {
        let Fact::Channel(channel) = fact(world, Subject::Channel(CHANNEL)) else { unreachable!() };
        channel.gateway = NODE;
    };
    check(other_gateway, &["gateway"]);
    let other_licensee = |world: &mut World| {
        let Fact::Grant(grant) = fact(world, Subject::Grant(PROMPT + 100)) else { unreachable!() };
        grant.licensee = account("somebody");
    };
    check(other_licensee, &["grants"]);
    let other_terms = |world: &mut World| {
        let Fact::Grant(grant) = fact(world, Subject::Grant(MODEL + 100)) else { unreachable!() };
        grant.terms = terms(DATANET).id();
    };
    check(other_terms, &["grants", "royalty", "decision"]);
    let greedy = |world: &mut World| {
        let Fact::Fee(fee) = fact(world, Subject::Fee) else { unreachable!() };
        fee.rate = Weight::ONE;
    };
    check(greedy, &["network-fee"]);
    let stolen_node = |world: &mut World| {
        world.keys.insert(NODE, SecretKey::from_seed(&[9; 32]));
    };
    check(stolen_node, &["node-signatures"]);
    let stolen_gateway = |world: &mut World| {
        world.keys.insert(GATEWAY, SecretKey::from_seed(&[9; 32]));
    };
    check(stolen_gateway, &["gateway", "batch-signature", "node-signatures"]);
}

/// The gateway alone changes what it exports, and seals it again.
#[test]
fn lies_that_the_gateway_sealed() {
    let check = check_sealed;
    let leaf = |document: &mut ReceiptDocument| {
        let mut leaf: crate::Leaf = codec::decode(&document.leaf).unwrap();
        leaf.lines[2].counters = Counters::new([(Counter::TokensIn, 1)]);
        document.leaf = leaf.to_bytes();
    };
    check(leaf, &["leaf-path", "line-paths", "mu", "royalty", "node-fee"]);
    check(|document| document.place.path[0] = Digest::ZERO, &["leaf-path"]);
    check(|document| document.place.index += 1, &["leaf-path"]);
    check(|document| document.lines[1].path.truncate(1), &["line-paths"]);
    check(|document| document.lines.swap(1, 2), &["line-paths"]);
    check(|document| drop(document.lines.pop()), &["line-paths"]);
    check(|document| document.ambar = 1, &["document"]);
    let foreign = ["network", "batch-signature", "node-signatures"];
    check(|document| document.network = Digest::of(b"elsewhere"), &foreign);
    check(|document| document.details = Some(vec![0; 97]), &["details"]);
    check(|document| document.decision = Some(vec![0; 97]), &["decision"]);
    check(|document| document.leaf.push(0), &["leaf"]);
    check(|document| document.batch.clear(), &["batch"]);
    check(
        |document| batch(document, |batch| batch.signature = Signature([0; 64])),
        &["batch-signature"],
    );
    let short = |document: &mut ReceiptDocument| batch(document, |batch| batch.nodes.truncate(1));
    check(short, &["line-paths", "node-signatures"]);
    let header = |document: &mut ReceiptDocument| batch(document, |batch| batch.header.number += 1);
    check(header, &["batch-outcome", "batch-signature", "node-signatures"]);
}

fn batch(document: &mut ReceiptDocument, change: fn(&mut crate::SignedBatch)) {
    let mut batch = codec::decode(&document.batch).unwrap();
    change(&mut batch);
    document.batch = batch.to_bytes();
}

fn position(document: &ReceiptDocument, subject: Subject) -> usize {
    let about = |bytes: &[u8]| codec::decode::<Fact>(bytes).unwrap().subject();
    document.facts.iter().position(|placed| about(&placed.fact) == subject).unwrap()
}

#[test]
fn facts_are_those_of_the_time_complete_and_attested() {
    let check = check_sealed;
    // The older fact is in the batch's tree, because an older call needed it.
    let swapped = |document: &mut ReceiptDocument| {
        let first = World { index: 0, ..World::new() }.document();
        let at = position(document, Subject::Holder(2));
        document.facts[at] = first.facts[position(&first, Subject::Holder(2))].clone();
    };
    check(swapped, &["facts-complete"]);
    let ask = |document: &mut ReceiptDocument| {
        let first = World { index: 0, ..World::new() }.document();
        let at = position(document, Subject::Ask(NODE));
        document.facts[at] = first.facts[position(&first, Subject::Ask(NODE))].clone();
    };
    check(ask, &["facts-complete"]);
    let missing = |document: &mut ReceiptDocument| {
        document.facts.remove(position(document, Subject::Contributor(DATANET, 6)));
    };
    check(missing, &["facts-complete"]);
    let twice = |document: &mut ReceiptDocument| document.facts.push(document.facts[3].clone());
    check(twice, &["facts-complete"]);
    let forged = |document: &mut ReceiptDocument| {
        let at = position(document, Subject::Holder(4));
        document.facts[at].fact = super::fixture::holder(4, "thief", 20, None).to_bytes();
    };
    check(forged, &["facts-root"]);
    let surplus = |document: &mut ReceiptDocument| {
        let at = position(document, Subject::Holder(4));
        let mut placed = document.facts[at].clone();
        placed.fact = super::fixture::holder(77, "friend", 20, None).to_bytes();
        document.facts.push(placed);
    };
    check(surplus, &["facts-complete", "facts-root"]);
}

#[test]
fn documents_are_those_that_are_named() {
    let check = check_sealed;
    let cheaper = |document: &mut ReceiptDocument| {
        let mut cheap = terms(MODEL);
        cheap.price.per_mu = Price(1);
        let wanted = |bytes: &[u8]| Cid::of(bytes) == terms(MODEL).id();
        let at = document.preimages.terms.iter().position(|bytes| wanted(bytes)).unwrap();
        document.preimages.terms[at] = cheap.to_document().into();
    };
    check(cheaper, &["terms-digest"]);
    check(|document| drop(document.preimages.terms.pop()), &["terms-digest"]);
    check(|document| document.preimages.terms.swap(0, 1), &["terms-digest"]);
    check(|document| document.preimages.tariffs.clear(), &["tariff-digest"]);
    check(|document| drop(document.preimages.plans.remove(0)), &["plan-digest"]);
    check(|document| document.preimages.plans[0] = vec![0].into(), &["plan-digest"]);
    check(|document| document.preimages.manifests[0] = vec![0].into(), &["manifest-digest"]);
    check(|document| document.preimages.evidence[0].push(0), &["evidence-digest"]);
}

#[test]
fn settlements_are_those_of_the_batch() {
    let check = check_sealed;
    fn settlement(document: &mut ReceiptDocument) -> &mut crate::export::Settlement {
        document.settlement.as_mut().unwrap()
    }
    check(|document| settlement(document).result = 0, &["settlement"]);
    check(|document| settlement(document).result = 2, &["settlement"]);
    check(|document| settlement(document).proof.clear(), &["settlement"]);
    let cheaper = |document: &mut ReceiptDocument| {
        let settlement = settlement(document);
        let mut outcome: TransactionOutcome = codec::decode(&settlement.outcome).unwrap();
        outcome.fee = Price(4);
        settlement.outcome = outcome.to_bytes();
    };
    check(cheaper, &["finality", "outcome-path"]);
    let other = |document: &mut ReceiptDocument| {
        let mut world = World::new();
        world.leaves.pop();
        document.settlement = Some(world.settlement());
    };
    check(other, &["batch-outcome"]);
    let elsewhere = |document: &mut ReceiptDocument| {
        let network = ambar_base::NetworkId(Digest::of(b"elsewhere"));
        document.settlement = Some(World { network, ..World::new() }.settlement());
    };
    check(elsewhere, &["network", "finality"]);
}

/// A gateway that binds a decision which it did not make that way is found out by its own word.
#[test]
fn decisions_that_do_not_hold() {
    let check = |change: fn(&mut DecisionRecord)| {
        let mut world = World::new();
        let (details, decision) = &mut world.bound[2];
        change(decision);
        details.decision = decision.digest();
        let (digest, decision) = (details.digest(), decision.clone());
        world.leaf().details = digest;
        let report = verified(&world.file());
        assert_eq!(failed(&report), ["decision"], "{decision:#?}");
    };
    check(|decision| decision.facts.channel += 1);
    check(|decision| decision.facts.now.0 += 1);
    check(|decision| decision.facts.closing = true);
    check(|decision| decision.facts.ledger_age_ms = 5_001);
    check(|decision| decision.facts.purpose = None);
    check(|decision| decision.facts.price_max.0 += 1);
    check(|decision| decision.facts.parts[2].view.revoked = true);
    check(|decision| decision.facts.parts[1].terms = Cid::of(b"other"));
    check(|decision| decision.facts.parts[1].capsule = Cid::of(b"other"));
    check(|decision| decision.facts.parts.swap(1, 2));
    check(|decision| decision.facts.parts.truncate(2));
    check(|decision| {
        let denied = Denied { part: 0, code: "grant_revoked".into(), reason: String::new() };
        decision.answer = Answer::Deny(denied);
    });
    // Less is reserved than the call costs, and the decision says so itself.
    check(|decision| {
        decision.facts.price_max = Price(1);
        let Answer::Allow(reservation) = &mut decision.answer else { unreachable!() };
        reservation.price = Price(1);
    });
}

#[test]
fn what_may_be_left_out() {
    let check = |change: fn(&mut ReceiptDocument), left: &[&str]| {
        let world = World::new();
        let mut document = world.document();
        change(&mut document);
        let report = verified(&document.seal(world.gateway_key()));
        assert!(report.ok, "{report:#?}");
        assert_eq!(unchecked(&report), left);
    };
    check(|document| document.details = None, &["details", "decision"]);
    check(|document| document.decision = None, &["decision"]);
    check(|document| drop(document.preimages.evidence.pop()), &["shares"]);
    let neither = |document: &mut ReceiptDocument| {
        document.preimages.evidence.clear();
        document.preimages.manifests.clear();
    };
    check(neither, &["manifest-digest", "evidence-digest", "shares"]);
}

/// Evidence without the manifest that says how methods are mixed proves nothing.
#[test]
fn evidence_needs_its_manifest() {
    let world = World::new();
    let mut document = world.document();
    document.preimages.manifests.clear();
    let report = verified(&document.seal(world.gateway_key()));
    assert!(!report.ok && failed(&report).is_empty(), "{report:#?}");
    assert_eq!(unchecked(&report), ["manifest-digest", "shares"]);
    assert!(report.summary.ends_with("what cannot be checked: shares."), "{}", report.summary);
}

#[test]
fn strangers_seal_nothing() {
    let stranger = SecretKey::from_seed(&[9; 32]);
    let report = verified(&World::new().document().seal(&stranger));
    assert_eq!(failed(&report), ["gateway"]);
}
