//! The bytes of what is asked and kept of offered terms are for ever, as those in
//! `conformance.rs` are.

use ambar_base::{AccountId, Cid, Decode, Digest, Encode, Height, Moment, codec};
use ambar_ledger::Key;
use ambar_ledger::history::History;
use ambar_ledger::object::{Offer, Volume};
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{Accept, OfferTerms, Operation};
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value));
}

const EXPIRES: Moment = Moment(1_800_000_000_000);

#[test]
fn objects() {
    let offer = Offer {
        line: 300,
        terms: Cid::of(b"terms"),
        owner: 7,
        to: Some(8),
        expires: EXPIRES,
        left: Some(9),
        once: true,
    };
    check(&offer, "a300d3fa030ae06ac312188283df7abf70aa2ff007135ee813dc88eb12df4d46");
    check(
        &vec![Key::Offer(300), Key::OfferTaken((300, 301))],
        "278b4584dbafd1fd9a6b1456af1726cb4a6881239b74e7dadc3274709740a7e1",
    );
}

#[test]
fn volumes() {
    let mut tier = History::new(Height(300), 0);
    tier.set(Height(400), Height(0), 2).unwrap();
    check(
        &Volume { calls: 1_000, tier },
        "791bdd058d19136c593037dffe7b0070ac733e14cbb0828a8cb3b66acc59caf7",
    );
    check(&Key::Volume(300), "c94b3cb164c48725be840fe99feff4c091ff4a5c0ad656752b5f2658edf3533e");
}

#[test]
fn operations() {
    let offer = OfferTerms {
        version: Cid::of(b"version"),
        terms: Cid::of(b"terms"),
        document: Some(b"terms".to_vec()),
        to: Some(AccountId::reserved("a")),
        expires: EXPIRES,
        limit: Some(300),
        once: true,
    };
    let accept = Accept {
        version: Cid::of(b"version"),
        terms: Cid::of(b"terms"),
        territory: None,
        offer: Some(300),
    };
    let checks = [
        (
            Operation::OfferTerms(offer),
            "e8ce6a5b08e8b914cf4bedf256ad31a09f9570c9a2e868e5804c2a01b974677b",
        ),
        (
            Operation::WithdrawTerms(300),
            "f593fab2d4470abbf3ee839bcb75c0206badeb3fcc284987662cb5960ffe7d9a",
        ),
        (
            Operation::Accept(accept),
            "3804d195c42cdc97192b6a065a0293cc4a0da1a52fb6a8e11ce22ddc1f15e16b",
        ),
    ];
    for (operation, expect) in checks {
        check(&operation, expect);
    }
    check(
        &OperationResult::Offer(300),
        "a8027c8703482e45a1f0efd9581ebb453cde2f0a8efa2ee0f80d75ae888ef539",
    );
}
