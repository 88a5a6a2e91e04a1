use super::*;
use crate::export::seal::ENVELOPE_BYTES_MAX;
use crate::subject::Subject;
use crate::verify::fixture::{GATEWAY, NODE, PROMPT, World, plan};
use ambar_base::{Coded, ErrorCode, SecretKey};

#[test]
fn documents_and_files_round_trip() {
    let world = World::new();
    let document = world.document();
    assert_eq!(ReceiptDocument::decode(&document.encode()), Ok(document.clone()));
    let file = world.file();
    let sealed = open(&file).unwrap();
    assert_eq!((&sealed.document, sealed.key), (&document, world.gateway_key().public()));
    assert!(sealed.verify(&sealed.key).is_ok());
    assert!(sealed.verify(&SecretKey::from_seed(&[9; 32]).public()).is_err());
    assert!(file.len() - document.encode().len() <= ENVELOPE_BYTES_MAX);
}

#[test]
fn receipt_ids_have_one_spelling() {
    let id = ReceiptId::of(&World::new().leaves[2]);
    assert_eq!((id.channel, id.n, id.to_string().as_str()), (5, 2, "5-2"));
    assert_eq!("5-2".parse(), Ok(id));
    for bad in ["", "5", "5-", "-2", "05-2", "+5-2", "5-2-1", "5 -2", "5-18446744073709551616"] {
        assert_eq!(bad.parse::<ReceiptId>(), Err(ReceiptIdError), "{bad}");
    }
}

/// The bytes of this exemplar are for ever; a change needs a new format number.
#[test]
fn conformance() {
    let world = World::new();
    let check = |bytes: &[u8], expect: &str| assert_eq!(Digest::of(bytes).to_string(), expect);
    check(
        &world.document().encode(),
        "d4d4570a109e296625385c369a7ce117dc24deafdc5b3db380023f8f40c30b6b",
    );
    check(&world.file(), "8d0beb5b2325aa7b811a1c8a14afba17aba80381d0bf79cba3dc27f8058cb255");
}

#[test]
fn only_what_the_leaf_needs_is_kept() {
    let mut world = World::new();
    world.facts.push(crate::verify::fixture::holder(99, "elsewhere", 0, None));
    world.preimages.terms.push(b"other terms".to_vec().into());
    world.preimages.terms.reverse();
    let (document, plain) = (world.document(), World::new().document());
    assert_eq!(document.preimages, plain.preimages);
    assert_eq!(document.facts.len(), plain.facts.len());
    // Three that hold at other times, and the contributors whom this call does not pay.
    assert_eq!(document.facts.len(), world.facts.len() - 3 - 3);
}

#[test]
fn what_is_missing_is_named() {
    let check = |change: fn(&mut World), expect: AssembleError| {
        let mut world = World::new();
        change(&mut world);
        assert_eq!(world.assembled(), Err(expect));
    };
    check(|world| world.index = 5, AssembleError::Index { index: 5, leaves: 5 });
    let no_ask = |world: &mut World| {
        world.facts.retain(|fact| fact.subject() != Subject::Ask(NODE));
    };
    check(no_ask, AssembleError::NoFact(Subject::Ask(NODE)));
    let no_gateway = |world: &mut World| {
        world.facts.retain(|fact| fact.subject() != Subject::Node(GATEWAY));
    };
    check(no_gateway, AssembleError::NoFact(Subject::Node(GATEWAY)));
    let (kind, digest) = (Kind::Plan, plan(PROMPT).digest());
    let no_plan = |world: &mut World| {
        world.preimages.plans.remove(0);
    };
    check(no_plan, AssembleError::NoDocument { kind, digest });
}

#[test]
fn what_is_too_large_is_refused() {
    let world = World::new();
    let (batch, facts) = (world.batch(), world.facts_in_order());
    let assembled = ReceiptDocument::assemble(Parts {
        network: world.network,
        batch: &batch,
        leaves: &world.leaves,
        index: world.index,
        details: None,
        decision: Some(vec![0; RECEIPT_BYTES_MAX]),
        facts: &facts,
        settlement: None,
        preimages: &world.preimages,
    });
    let refused = assembled.unwrap_err();
    assert!(matches!(refused, AssembleError::TooLarge(bytes) if bytes > RECEIPT_BYTES_MAX));
    assert_eq!(refused.code(), ErrorCode::LimitExceeded);
}

#[test]
fn files_of_another_form_are_refused() {
    let world = World::new();
    let check = |file: &[u8], expect: &str| {
        let error = open(file).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check(b"", "not a COSE_Sign1");
    check(&[0xa0], "not a COSE_Sign1");
    check(&world.file()[1..], "not a COSE_Sign1");
    check(&vec![0; RECEIPT_BYTES_MAX + ENVELOPE_BYTES_MAX + 1], "more than any receipt");
    let mut unprotected = world.file();
    let at = unprotected.windows(2).position(|pair| pair == [0xa0, 0x59]).unwrap();
    unprotected.splice(at..=at, [0xa1, 0x04, 0x41, 0x31]);
    check(&unprotected, "one spelling");
    let mut wide = world.file();
    let length = wide[at + 2..at + 4].to_vec();
    wide.splice(at + 1..at + 4, [0x5a, 0, 0, length[0], length[1]]);
    check(&wide, "one spelling");
    check(&ReceiptDocument { ambar: 1, ..world.document() }.seal(world.gateway_key()), "format 1");
}
