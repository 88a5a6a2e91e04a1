//! The bytes of what is asked and kept of disputes, backings and ancestors are for ever, as
//! those in `conformance.rs` are.

use ambar_base::{
    AccountId, Amount, Cid, Decode, Digest, Encode, Height, Moment, Price, Weight, codec,
};
use ambar_ledger::Key;
use ambar_ledger::object::{
    Ancestor, Ancestry, Backing, Claim, Dispute, DisputeBook, DisputeState, Misattributed, Ruled,
};
use ambar_ledger::result::{DisputeClosed, DisputeOpened, OperationResult};
use ambar_ledger::transaction::{
    OpenDispute, Operation, ResolveDispute, RevocationReason, RevokeGrantFor, Ruling,
};
use ambar_receipt::{BatchHeader, Leaf};
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value));
}

const MISATTRIBUTED: Claim = Claim::Misattributed(Misattributed { line: 300, datanet: 301 });

fn dispute(state: DisputeState) -> Dispute {
    Dispute {
        receipt: (300, 7),
        batch: (1, 2),
        claim: Claim::Overstated(1),
        claimant: 4,
        accused: 5,
        node: Some(6),
        capsule: Cid::of(b"capsule"),
        price: Price(300),
        evidence: Digest::of(b"evidence"),
        statement: "statement".into(),
        deposit: Amount(8),
        opened: Moment(1_800_000_000_000),
        height: Height(9),
        state,
    }
}

fn ruled() -> Ruled {
    Ruled { height: Height(10), refund: Amount(11), reason: "reason".into() }
}

#[test]
fn objects() {
    let ancestor = Ancestor {
        id: Cid::of(b"ancestor"),
        line: 2,
        terms: Cid::of(b"terms"),
        reaches: Weight(300_000_000),
        due: Weight(200_000_000),
    };
    check(
        &Ancestry { ancestors: vec![ancestor] },
        "66d1f4ed003c13c021f1fbf71caf0ce706f424713580db3dc6b2122c1ca2cbd8",
    );
    check(
        &Backing { channels: vec![3, 300] },
        "f1b212444002a010c7ad344d8514e35545d183520755b85a867bce4d46f3bd12",
    );
    let states = [
        (DisputeState::Open, "909e0c3256f41f135eaf10f8836b2581f4ed981a20519c2dc39adbfe7a2b8d39"),
        (
            DisputeState::Upheld(ruled()),
            "3db07cc0be4bfa1e268c6d6269e720a544cffda7f204a29ee0f1098ecd601868",
        ),
        (
            DisputeState::Dismissed(ruled()),
            "80b13408d4d326f9b41430101d537b0417568a0e324fd00b6d9786e776e65e37",
        ),
        (
            DisputeState::Withdrawn(Height(10)),
            "9f29f5886f42f54fc8dfb4e67cb2eb6c840f184ca750293a8569d057fbcd1a0b",
        ),
        (
            DisputeState::Lapsed(Height(10)),
            "61d04f6bec52b4d3fb2b1ddcfa5fb42157aabd910a41960c6f1c97c5c09f56a2",
        ),
    ];
    for (state, expect) in states {
        check(&dispute(state), expect);
    }
    let shares = Dispute { claim: MISATTRIBUTED, ..dispute(DisputeState::Open) };
    check(&shares, "0e0a443914538710df18d9d4df6d32bc595961bb28cfe1138f8b90a05f4c6cdf");
    check(
        &DisputeBook { next: 300, open: 2 },
        "f2b25b205c150d457f266ab0d8b7f88e478bd60bdefa4f6db2cea6a847bd55d7",
    );
    let keys = vec![
        Key::Ancestry(300),
        Key::Backing(300),
        Key::Dispute(300),
        Key::Claim(Claim::Breach(7).digest((300, 7), 4)),
        Key::Claim(MISATTRIBUTED.digest((300, 7), 4)),
        Key::DisputeBook,
    ];
    check(&keys, "9147beb488c8949db1816ece250d0ec239b26d0b3027f8e9d0cb6111c71ee425");
}

fn opened() -> Operation {
    let leaf = Leaf::void(300, 7, Height(8), Moment(1_800_000_000_000));
    let header = BatchHeader {
        gateway: 1,
        number: 2,
        leaves: 1,
        leaves_root: leaf.hash(),
        nodes: Vec::new(),
        price: Price(0),
    };
    Operation::OpenDispute(OpenDispute {
        header,
        leaf,
        index: 300,
        path: vec![Digest::of(b"beside")],
        claim: Claim::Breach(7),
        evidence: Digest::of(b"evidence"),
        statement: "statement".into(),
    })
}

#[test]
fn operations() {
    let resolve = |ruling| {
        let reason = "reason".into();
        Operation::ResolveDispute(ResolveDispute { dispute: 300, ruling, reason })
    };
    let revoke = |reason| Operation::RevokeGrantFor(RevokeGrantFor { grant: 300, reason });
    let checks = [
        (opened(), "c6a26eaa2e4d422417de577cd137902c366277febb74cdd8c6f9239fe33f6348"),
        (
            resolve(Ruling::Upheld(Price(300))),
            "edd1ea2e84187a94e3afafb14531afe3c7a454e8911458ccbccde0104797ad0c",
        ),
        (
            resolve(Ruling::Dismissed),
            "65f80532cef18aaab19434386466efbc085fef9d261e52ed2794e20ec92d7558",
        ),
        (
            Operation::WithdrawDispute(300),
            "723df740748ddc4e9fae32d43da23959f5086d39d3876d41b35459b1db7ef5a5",
        ),
        (
            Operation::LapseDispute(300),
            "43650023ce9f01c07a472d1c01acbd937a9b6fe5d0f794593ed9f949f44f3662",
        ),
        (
            revoke(RevocationReason::Breach),
            "1c21261635174afb13ed1dfeee7ea37f3c188bf204f56e43e0d9d5f549bfefb1",
        ),
        (
            revoke(RevocationReason::NonPayment),
            "8fb686dadedda30edfffc90056f9a4f3ff63562aafdfbfac540732b5791856fa",
        ),
        (
            revoke(RevocationReason::Owner),
            "1d4f02ca7aab97f354aca5a829098094de112dcd439f82c93c3a3b348401ec3d",
        ),
    ];
    for (operation, expect) in checks {
        check(&operation, expect);
    }
}

#[test]
fn results() {
    let opened = DisputeOpened { number: 300, deposit: Amount(8) };
    check(
        &OperationResult::Disputed(opened),
        "c95f3e53cc0e6b3258617e853c0fc1ed9ba23deee2b797b0ec97666d305487d8",
    );
    let closed = DisputeClosed {
        number: 300,
        to: AccountId::reserved("a"),
        deposit: Amount(8),
        claimant: AccountId::reserved("b"),
        refund: Amount(9),
    };
    check(
        &OperationResult::DisputeClosed(closed),
        "7ef1d944a66eb1e45058d01861b9199a8c4a62e9a6d3815f407923e0148620ac",
    );
}
