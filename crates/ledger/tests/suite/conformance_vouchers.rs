//! The bytes of channels in voucher mode and of settlements with vouchers are for ever.

use ambar_base::{
    Amount, Decode, Digest, Encode, Height, Moment, NetworkId, Price, SecretKey, Signature, codec,
};
use ambar_ledger::Operation;
use ambar_ledger::object::Channel;
use ambar_ledger::transaction::{BatchSigners, OpenChannel, Settle};
use ambar_receipt::{BatchHeader, Leaf, SignedBatch, Voucher};
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(what: &str, value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{what}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value), "{what}");
}

#[test]
fn vouchers() {
    let (session, node) = (SecretKey::from_seed(&[3; 32]), SecretKey::from_seed(&[4; 32]));
    let open = OpenChannel {
        session_key: session.public(),
        gateway: node.public(),
        grants: vec![1, 2],
        amount: Price(3),
        unit_price_max: Price(4),
        expires: Moment(5),
        vouchers: true,
    };
    check(
        "open",
        &Operation::OpenChannel(open),
        "4f8d1b3fabf02fedef8d33fc12f91d236d4f642e6271af69c040fdd3ba003834",
    );
    let channel = Channel {
        payer: 1,
        session_key: session.public(),
        gateway: 2,
        grants: vec![3, 4],
        unit_price_max: Price(5),
        expires: Moment(6),
        funded: Amount(8),
        spent: Amount(7),
        settled: ambar_ledger::sequence::Sequence::default(),
        closing: None,
        deposit: Amount(10),
        vouched: Some(Price(300)),
    };
    check("channel", &channel, "bbcb3f6bc08f8e9783babe948d24229bf844ec6f63b42cea82d8ff8417cf039a");
    let leaves = vec![Leaf::void(8, 10, Height(10), Moment(1))];
    let header = BatchHeader::of(3, 0, &leaves).expect("no price overflows");
    let signers = BatchSigners { gateway: node.public(), nodes: Vec::new() };
    let batch = SignedBatch { header, signature: Signature([1; 64]), nodes: Vec::new() };
    let voucher = Voucher::sign(NetworkId(Digest::ZERO), 8, Price(300), &session);
    let vouchers = vec![(session.public(), voucher)];
    let settle = Settle { batch, signers, leaves, vouchers };
    check(
        "settle",
        &Operation::Settle(settle),
        "34668f89a4d357cae456b62e68c35a7f9494f06729b3577141d9a3b9722ea3b7",
    );
}
