//! Texts that people and programs exchange: ids, keys, money, shares, instants.

use crate::promise::{exact, readable};
use crate::{Reach, Target, sample};
use ambar_base::{AccountId, Amount, Cid, Digest, Price, PublicKey, Weight};
use ambar_capsule::Kind;
use ambar_capsule::chunks::ContentRoot;
use ambar_licence::{Purpose, calendar};
use ambar_receipt::ReceiptId;

pub(super) const TARGET: Target = Target { name: "text", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"digest");
    let texts = [
        Cid(digest).to_string(),
        digest.to_string(),
        sample::key("owner").public().did(),
        Price(1_250_000_007).to_string(),
        Amount(u128::MAX).to_string(),
        Weight(155_000_001).to_string(),
        "12".into(),
        "5-17".into(),
        "research".into(),
        Kind::Dataset.to_string(),
        calendar::print(ambar_base::Moment(1_800_000_000_123)),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Ok(text) = std::str::from_utf8(input) else { return Reach::Refused };
    let read = [
        exact::<Cid>(text),
        exact::<Digest>(text),
        exact::<AccountId>(text),
        exact::<ContentRoot>(text),
        exact::<ReceiptId>(text),
        exact::<Purpose>(text),
        exact::<Kind>(text),
        readable::<Price>(text),
        readable::<Amount>(text),
        readable::<Weight>(text),
        did(text),
        instant(text),
    ];
    if read.contains(&true) { Reach::Used } else { Reach::Refused }
}

fn did(text: &str) -> bool {
    let Ok(key) = PublicKey::from_did(text) else { return false };
    assert_eq!(key.did(), text, "a key has one DID");
    assert!(key.is_point(), "a DID names a key that can sign");
    true
}

fn instant(text: &str) -> bool {
    let Some(moment) = calendar::parse(text) else { return false };
    assert_eq!(calendar::print(moment), text, "an instant has one spelling");
    true
}
