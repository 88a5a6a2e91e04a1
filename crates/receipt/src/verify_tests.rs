use super::chain_fixture::EPOCH;
use super::fixture::{CHANNEL, DATANET, MODEL, RATE, World, account, decision, details, plan};
use super::*;
use crate::bill::{self, Payee};
use crate::fact::{Fact, TreasuryFact};
use crate::subject::Subject;
use ambar_base::{Amount, Committee, Digest, Encode, SecretKey, amount};
use proptest::prelude::*;
use std::sync::LazyLock;

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| World::new().file());
static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| World::new().document().encode());

/// Verifies with everything that a reader can demand.
pub(super) fn verified(file: &[u8]) -> Report {
    verify(file, Some(&World::new().checkpoint(0)))
}

pub(super) fn failed(report: &Report) -> Vec<&'static str> {
    report.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect()
}

pub(super) fn unchecked(report: &Report) -> Vec<&'static str> {
    report.unchecked.iter().map(|left| left.name).collect()
}

#[test]
fn an_honest_receipt_verifies() {
    for index in 0..5 {
        let report = verified(&World { index, ..World::new() }.file());
        assert!(report.ok && report.unchecked.is_empty(), "{report:#?}");
        let id = report.receipt.map(|id| id.to_string());
        assert_eq!(id, Some(format!("{CHANNEL}-{index}")));
        let mut names: Vec<_> = report.checks.iter().map(|check| check.name).collect();
        let kebab = |name: &&str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        assert!(names.iter().all(kebab), "{names:?}");
        assert!(report.checks.iter().all(|check| check.detail.ends_with('.')), "{report:#?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), report.checks.len());
    }
}

#[test]
fn payments_sum_to_the_price_and_name_the_holder_of_the_time() {
    let paid_for = |index: usize| {
        let world = World { index, ..World::new() };
        let report = verified(&world.file());
        let sum = amount::total(report.payments.iter().map(|payment| payment.amount));
        assert_eq!(sum, world.leaves[index].price().map(Amount::from));
        report.payments
    };
    let holder = |index: usize| {
        let payments = paid_for(index);
        payments.iter().find(|payment| payment.payee == Payee::Royalty(2)).unwrap().account
    };
    assert_eq!(holder(0), account("first holder"));
    assert_eq!(holder(2), account("second holder"));
    let payments = paid_for(2);
    let roles = |role| payments.iter().filter(|payment| payment.role() == role).count();
    assert_eq!(["royalty", "contributor", "node", "network", "burn"].map(roles), [5, 6, 3, 1, 1]);
    let contributor = payments.iter().find(|payment| payment.role() == "contributor").unwrap();
    assert_eq!(contributor.account, account("contributor 2"));
    assert_eq!(contributor.amount.to_string(), "0.000021336585360000");
}

#[test]
fn what_was_demanded_is_found_or_fails() {
    let world = World::new();
    let stranger = SecretKey::from_seed(&[9; 32]).public();
    let stranger = Committee::new(0, vec![stranger]).unwrap();
    let check = |trusted: Option<&Checkpoint>, expect: &[&str], left: &[&str]| {
        let report = verify(&FILE, trusted);
        assert_eq!((&failed(&report)[..], &unchecked(&report)[..]), (expect, left));
        assert_eq!(report.ok, expect.is_empty());
    };
    for epoch in 0..=EPOCH {
        check(Some(&world.checkpoint(epoch)), &[], &[]);
    }
    check(Some(&world.checkpoint(EPOCH + 1)), &["finality"], &[]);
    check(None, &[], &["finality"]);
    check(Some(&Checkpoint { committee: stranger, ..world.checkpoint(0) }), &["finality"], &[]);
    let elsewhere = NetworkId(Digest::of(b"other"));
    let elsewhere = Checkpoint { network: elsewhere, ..world.checkpoint(0) };
    check(Some(&elsewhere), &["network", "finality"], &[]);
}

#[test]
fn a_receipt_that_is_not_final_says_so() {
    let world = World::new();
    let document = ReceiptDocument { settlement: None, ..world.document() };
    let file = document.seal(world.gateway_key());
    let report = verify(&file, None);
    assert!(report.ok && report.summary.contains("not shown to be final"), "{report:#?}");
    assert_eq!(unchecked(&report), ["finality", "facts-root", "outcome-path", "batch-outcome"]);
    let report = verified(&file);
    assert_eq!(failed(&report), ["finality"]);
    assert!(report.summary.ends_with("what does not hold: finality."), "{}", report.summary);
}

#[test]
fn void_leaves_verify_and_move_nothing() {
    let mut world = World::new();
    let leaf = world.leaf();
    *leaf = Leaf::void(leaf.channel, leaf.n, leaf.admitted, leaf.time);
    let mut document = world.document();
    (document.details, document.decision) = (None, None);
    let report = verified(&document.seal(world.gateway_key()));
    assert!(report.ok && report.payments.is_empty(), "{report:#?}");
    assert_eq!(document.facts.len(), 2);
}

#[test]
fn a_treasury_is_paid_when_no_record_was_used() {
    let mut world = World::new();
    world.leaf().lines[1].shares.clear();
    world
        .facts
        .push(Fact::Treasury(TreasuryFact { datanet: DATANET, account: account("treasury") }));
    let report = verified(&world.file());
    assert!(report.ok, "{report:#?}");
    let treasury = report.payments.iter().find(|payment| payment.role() == "treasury");
    assert_eq!(treasury.unwrap().account, account("treasury"));
}

/// A model pays a datanet that is no line of the call: nothing attests its manifest.
#[test]
fn shares_of_a_datanet_that_is_not_attested_are_left_unchecked() {
    let mut world = World::new();
    world.facts.retain(|fact| fact.subject() != Subject::Version(DATANET));
    for fact in &mut world.facts {
        if let Fact::Version(version) = fact
            && version.number == MODEL
        {
            version.plan = plan(DATANET).digest();
        }
    }
    let leaf = world.leaf();
    let datanet = leaf.lines.remove(1);
    leaf.lines[1].shares = datanet.shares;
    let lines = leaf.lines.iter().flat_map(|line| [line.royalty, line.node_fee]);
    let lines = amount::total_price(lines).unwrap();
    leaf.network_fee = bill::network_fee(lines, RATE);
    leaf.details = details(leaf).digest();
    let leaf = leaf.clone();
    world.bound = vec![(details(&leaf), decision(&leaf))];
    world.leaves = vec![leaf];
    world.index = 0;
    let report = verified(&world.file());
    assert!(report.ok, "{report:#?}");
    assert_eq!(unchecked(&report), ["shares"]);
    assert!(report.summary.ends_with("Not checked: shares."), "{}", report.summary);
}

#[test]
fn every_truncation_fails() {
    for end in (0..FILE.len()).step_by(37) {
        assert!(!verified(&FILE[..end]).ok, "{end}");
    }
    assert!(!verified(&[&FILE[..], &[0]].concat()).ok);
}

proptest! {
    #[test]
    fn any_flipped_bit_fails(at: usize, bit in 0u8..8) {
        let mut file = FILE.clone();
        let at = at % file.len();
        file[at] ^= 1 << bit;
        prop_assert!(!verified(&file).ok, "byte {at}, bit {bit}");
    }

    /// The gateway itself cannot change a bit of what it seals.
    #[test]
    fn any_flipped_bit_of_the_document_fails_though_sealed_again(at: usize, bit in 0u8..8) {
        let mut bytes = DOCUMENT.clone();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(document) = ReceiptDocument::decode(&bytes) {
            let report = verified(&document.seal(World::new().gateway_key()));
            prop_assert!(!report.ok, "byte {at}, bit {bit}");
        }
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>, cut: usize) {
        prop_assert!(!verified(&bytes).ok);
        let cut = cut % FILE.len();
        prop_assert!(!verified(&[&FILE[..cut], &bytes, &FILE[cut..]].concat()).ok || bytes.is_empty());
    }

    /// Parts that decode but say anything at all are refused without panic.
    #[test]
    fn parts_of_garbage_never_panic(leaf: Vec<u8>, fact: Vec<u8>, part in 0usize..6, index: u64) {
        let world = World::new();
        let mut document = world.document();
        match part {
            0 => document.leaf = leaf,
            1 => document.batch = leaf,
            2 => document.facts[0].fact = fact,
            3 => document.place.index = index,
            4 => document.settlement.as_mut().unwrap().result = index,
            _ => document.preimages.terms[0] = leaf.into(),
        }
        let same = document == world.document();
        prop_assert_eq!(verified(&document.seal(world.gateway_key())).ok, same);
    }

    /// A leaf or fact with a flipped bit that everybody signs may say anything.
    #[test]
    fn signed_nonsense_never_panics(at: usize, bit in 0u8..8, pick: usize) {
        let mut world = World::new();
        let flipped = |bytes: &mut Vec<u8>| {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        };
        let (mut leaf, pick) = (world.leaf().to_bytes(), pick % world.facts.len());
        let mut fact = world.facts[pick].to_bytes();
        flipped(&mut leaf);
        flipped(&mut fact);
        let mut worlds = [World::new(), World::new()];
        if let Ok(leaf) = codec::decode(&leaf) {
            *worlds[0].leaf() = leaf;
        }
        if let Ok(fact) = codec::decode(&fact) {
            worlds[1].facts[pick] = fact;
        }
        for world in worlds.iter().filter(|world| world.signable()) {
            if let Ok(document) = world.assembled() {
                let report = verified(&document.seal(world.gateway_key()));
                let paid = amount::total(report.payments.iter().map(|payment| payment.amount));
                let price = world.leaves[world.index].price().map(Amount::from);
                prop_assert!(!report.ok || paid == price);
            }
        }
    }
}
