use super::*;
use crate::quota::{Period, Quota};
use crate::terms::Purposes;
use ambar_base::codec;
use proptest::prelude::*;

fn word(text: &str) -> Purpose {
    text.parse().unwrap()
}

fn part(terms: &Terms, right: Right) -> PartFacts {
    let view = GrantView {
        accepted: Moment(0),
        revoked: false,
        calls_used: 0,
        spent: Price::ZERO,
        rate_wait_ms: 0,
        territory: None,
        licensee_ok: true,
    };
    PartFacts {
        grant: 1,
        terms: terms.id(),
        view,
        capsule: Cid::of(b"capsule"),
        capsule_ok: true,
        right,
        line_max: Price(100),
        unit_price: Price(10),
    }
}

/// A call that may run: a capsule and a component.
fn facts(terms: [&Terms; 2]) -> CallFacts {
    CallFacts {
        channel: 7,
        height: Height(3),
        now: Moment(1_000),
        ledger_age_ms: 5,
        remaining: Price(1_000),
        expires: Moment(2_000),
        closing: false,
        unit_price_max: Price(10),
        purpose: None,
        agent: None,
        price_max: Price(150),
        blocks: vec![(Digest::of(b"block"), (Narrowing::default(), Spent::default()))],
        parts: vec![part(terms[0], Right::Call), part(terms[1], Right::Compose)],
    }
}

fn open() -> Terms {
    Terms::granting([Right::Call, Right::Compose])
}

fn only(purposes: &[&str]) -> Terms {
    let allow = purposes.iter().map(|text| word(text)).collect();
    Terms { purposes: Purposes { allow, ..Purposes::default() }, ..open() }
}

#[test]
fn a_component_can_refuse_and_is_named() {
    let closed = Terms::granting([Right::Call]);
    let denied = facts([&open(), &closed]).decide(&[&open(), &closed]).unwrap_err();
    assert_eq!(
        denied,
        PartDenied { part: 1, denial: Denial::RightNotGranted { right: Right::Compose } }
    );
    assert_eq!(facts([&open(), &open()]).decide(&[&open(), &open()]).unwrap().price, Price(150));
}

#[test]
fn a_component_declares_no_purpose_for_the_caller() {
    let research = only(&["research"]);
    let check = |terms: [&Terms; 2], purpose: Option<&str>, expect: Result<Option<&str>, usize>| {
        let facts = CallFacts { purpose: purpose.map(word), ..facts(terms) };
        let found = facts.decide(&terms).map(|reservation| reservation.purpose);
        let found = found.map_err(|denied| denied.part);
        assert_eq!(found, expect.map(|purpose| purpose.map(word)));
    };
    check([&open(), &research], None, Err(1));
    check([&open(), &research], Some("research"), Ok(Some("research")));
    check([&open(), &research], Some("sales"), Err(1));
    check([&research, &research], None, Ok(Some("research")));
    check([&research, &only(&["research", "sales"])], None, Ok(Some("research")));
    check([&only(&["research", "sales"]), &research], None, Err(0));
}

#[test]
fn nothing_that_is_called_is_nothing_that_runs() {
    let facts = CallFacts { parts: Vec::new(), ..facts([&open(), &open()]) };
    assert!(facts.decide(&[]).is_err());
}

/// The bytes of this exemplar are for ever; a change needs a new version of the domain.
#[test]
fn conformance() {
    let terms = only(&["research"]);
    let facts =
        CallFacts { purpose: Some(word("research")), agent: None, ..facts([&terms, &terms]) };
    let decided = facts.decide(&[&terms, &terms]);
    let record = facts.recorded(&decided);
    assert_eq!(codec::decode(&record.to_bytes()), Ok(record.clone()));
    assert_eq!(
        record.digest().to_string(),
        "40100942ebf4f7be6fd6bbc3da1e23d0cd81ac2fd44349406733a5ec33461679"
    );
}

#[test]
fn a_changed_record_is_found() {
    let terms = Terms {
        quota: Some(Quota { per: Period::Day, calls: Some(3), spend: None, rate: None }),
        ..open()
    };
    let known = |id: &Cid| (*id == terms.id()).then_some(&terms);
    let facts = facts([&terms, &terms]);
    let decided = facts.decide(&[&terms, &terms]);
    let record = facts.recorded(&decided);
    assert_eq!(record.replay(known), Ok(()));
    assert_eq!(record.replay(|_| None), Err(ReplayError::Terms(terms.id())));
    let mut more = record.clone();
    more.facts.parts[0].view.calls_used = 3;
    let Err(ReplayError::Other(Answer::Deny(denied))) = more.replay(known) else {
        panic!("a quota that is used up allows nothing");
    };
    assert_eq!((denied.part, denied.code.as_str()), (0, "quota_exceeded"));
    let mut dearer = record;
    dearer.facts.price_max = Price(151);
    assert!(matches!(dearer.replay(known), Err(ReplayError::Other(Answer::Allow(_)))));
}

proptest! {
    /// Whatever is said of a call, its record replays, and survives being written.
    #[test]
    fn records_replay(
        used in 0u64..4, quota in 1u64..4, remaining in 0u64..300, price in 0u64..300,
        closing: bool, revoked: bool, age in 0u64..10_000, calls in proptest::option::of(0u64..3),
        purpose in proptest::option::of(prop_oneof!["research", "sales"]), purposes in 0usize..3,
    ) {
        let list = &["research", "evaluation"][..purposes];
        let quota = Quota { per: Period::Day, calls: Some(quota), spend: None, rate: None };
        let terms = Terms { quota: Some(quota), ..only(list) };
        let mut facts = facts([&terms, &terms]);
        facts.parts[0].view.calls_used = used;
        facts.parts[1].view.revoked = revoked;
        facts.blocks[0].1.0.calls = calls;
        let facts = CallFacts {
            remaining: Price(remaining), price_max: Price(price), closing, ledger_age_ms: age,
            purpose: purpose.as_deref().map(word), ..facts
        };
        let decided = facts.decide(&[&terms, &terms]);
        let record = facts.recorded(&decided);
        prop_assert_eq!(record.replay(|_| Some(&terms)), Ok(()));
        prop_assert_eq!(codec::decode::<DecisionRecord>(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn garbage_never_panics(bytes: Vec<u8>) {
        if let Ok(record) = codec::decode::<DecisionRecord>(&bytes) {
            prop_assert_eq!(record.to_bytes(), bytes);
        }
    }
}
