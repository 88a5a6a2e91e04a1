//! Disputes, backings and ancestors, in every state.

use ambar_base::{Amount, Cid, Digest, Encode, Height, Moment, Price, Weight};
use ambar_ledger::Key;
use ambar_ledger::object::{
    Ancestor, Ancestry, Backing, Claim, Dispute, DisputeBook, DisputeState, Misattributed, Ruled,
};
use ambar_ledger::transaction::{
    OpenDispute, Operation, ResolveDispute, RevocationReason, RevokeGrantFor, Ruling,
};
use ambar_receipt::{BatchHeader, Leaf};

/// What is asked about these leaves of a batch.
#[must_use]
pub fn operations(header: &BatchHeader, leaf: &Leaf, path: &[Digest]) -> Vec<Operation> {
    let open = |claim| {
        Operation::OpenDispute(OpenDispute {
            header: header.clone(),
            leaf: leaf.clone(),
            index: 0,
            path: path.to_vec(),
            claim,
            evidence: Digest::of(b"evidence"),
            statement: "It was used for advertising.".into(),
        })
    };
    let resolve = |ruling| {
        let reason = "It shows.".into();
        Operation::ResolveDispute(ResolveDispute { dispute: 0, ruling, reason })
    };
    let revoke = |reason| Operation::RevokeGrantFor(RevokeGrantFor { grant: 0, reason });
    vec![
        open(Claim::Breach(0)),
        open(Claim::Overstated(0)),
        open(Claim::Misattributed(Misattributed { line: 0, datanet: 0 })),
        resolve(Ruling::Upheld(Price(5))),
        resolve(Ruling::Dismissed),
        Operation::WithdrawDispute(0),
        Operation::LapseDispute(0),
        revoke(RevocationReason::Breach),
        revoke(RevocationReason::NonPayment),
        revoke(RevocationReason::Owner),
    ]
}

/// Objects with their keys.
#[must_use]
pub fn entries() -> Vec<(Vec<u8>, Vec<u8>)> {
    let ancestor = Ancestor {
        id: Cid::of(b"ancestor"),
        line: 2,
        terms: Cid::of(b"terms"),
        reaches: Weight(300_000_000),
        due: Weight(200_000_000),
    };
    let claim = Claim::Overstated(1);
    let ruled = || Ruled { height: Height(10), refund: Amount(11), reason: "It shows.".into() };
    let states = [
        DisputeState::Open,
        DisputeState::Upheld(ruled()),
        DisputeState::Dismissed(ruled()),
        DisputeState::Withdrawn(Height(10)),
        DisputeState::Lapsed(Height(10)),
    ];
    let disputes = (0..).zip(states).map(|(number, state)| {
        let dispute = Dispute {
            receipt: (300, 7),
            batch: (1, 2),
            claim,
            claimant: 4,
            accused: 5,
            node: Some(6),
            capsule: Cid::of(b"capsule"),
            price: Price(300),
            evidence: Digest::of(b"evidence"),
            statement: "It was counted twice.".into(),
            deposit: Amount(8),
            opened: Moment(1_800_000_000_000),
            height: Height(9),
            state,
        };
        (Key::Dispute(number), dispute.to_bytes())
    });
    let others = [
        (Key::Ancestry(3), Ancestry { ancestors: vec![ancestor] }.to_bytes()),
        (Key::Backing(3), Backing { channels: vec![3, 300] }.to_bytes()),
        (Key::Claim(claim.digest((300, 7), 4)), 1u64.to_bytes()),
        (Key::DisputeBook, DisputeBook { next: 5, open: 1 }.to_bytes()),
    ];
    disputes.chain(others).map(|(key, value)| (key.bytes(), value)).collect()
}
