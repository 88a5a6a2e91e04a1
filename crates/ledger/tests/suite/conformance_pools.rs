//! The bytes of what is asked and kept of pools are for ever, as those in `conformance.rs` are.

use ambar_attribution::{Duplicates, Sharing};
use ambar_base::{AccountId, Amount, Decode, Digest, Encode, Height, Moment, Price, Weight, codec};
use ambar_ledger::Key;
use ambar_ledger::object::{
    Decided, Pool, PoolMember, PoolRecord, PoolRules, Proposal, Revealed, Source, Submission,
    SubmissionState, TakenBack, commitment,
};
use ambar_ledger::result::OperationResult;
use ambar_ledger::transaction::{
    CreatePool, JoinPool, Operation, ProposeRules, RevealRecord, ReviewRecord, SubmitRecord,
    Verdict, VoteRules, WithdrawRecord,
};
use std::fmt::Debug;

fn check<T: Encode + Decode + Debug + PartialEq>(value: &T, expect: &str) {
    let bytes = value.to_bytes();
    assert_eq!(Digest::of(&bytes).to_string(), expect, "{value:?}");
    assert_eq!(codec::decode::<T>(&bytes).as_ref(), Ok(value));
}

fn rules() -> PoolRules {
    PoolRules {
        open: true,
        agreeing: 2,
        deposit: Price(300),
        bytes_max: 301,
        licences: vec!["CC0-1.0".into()],
        quality: Digest::of(b"quality"),
        sharing: Sharing { duplicates: Duplicates::Halving, floor: Weight(303), cap: Weight(304) },
    }
}

fn record(source: Source) -> PoolRecord {
    PoolRecord {
        content: Digest::of(b"content"),
        bytes: 300,
        title: "title".into(),
        licence: "CC0-1.0".into(),
        source,
    }
}

fn submission(state: SubmissionState) -> Submission {
    Submission {
        contributor: 7,
        commitment: Digest::of(b"commitment"),
        committed: Moment(1_800_000_000_000),
        deposit: Amount(302),
        state,
    }
}

#[test]
fn objects() {
    let pool = Pool {
        name: "speeches".into(),
        theme: "theme".into(),
        steward: 3,
        rules: rules(),
        reviewers: vec![4, 5],
        revision: 6,
        forked_from: Some(7),
        members: 8,
        contributors: 9,
        records: 10,
        submissions: 11,
        proposals: 12,
    };
    check(&pool, "3a69c24574e07e076d6e1d9172fb345eb3bd87f5be9a1543f95631a1c82996f1");
    check(
        &PoolMember { joined: Height(300), records: 2 },
        "f2b25b205c150d457f266ab0d8b7f88e478bd60bdefa4f6db2cea6a847bd55d7",
    );
    let proposal = Proposal {
        by: 3,
        rules: rules(),
        reviewers: vec![4],
        revision: 5,
        height: Height(300),
        ayes: vec![6],
        noes: vec![7],
        passed: Some(Height(301)),
    };
    check(&proposal, "74a5f941df1811a0913f2baf9383a7aa1d0af3d297bb2f82cc3aca5c54604dc1");
    let keys = vec![
        Key::PoolBook,
        Key::Pool(1),
        Key::PoolName("speeches".into()),
        Key::PoolMember((1, 2)),
        Key::Submission((1, 2)),
        Key::Content(Digest::of(b"content")),
        Key::Proposal((1, 2)),
    ];
    check(&keys, "8e9443c232c1b514c8ae1620408630576c46b5f1cd69619a5be6f1deff740065");
}

#[test]
fn submissions() {
    let decided = |reason: &str| Decided {
        record: record(Source::Doi("10.1000/182".into())),
        height: Height(300),
        reason: reason.into(),
    };
    let revealed = Revealed { record: record(Source::Own), accepting: vec![1], rejecting: vec![2] };
    let taken = TakenBack { record: Some(record(Source::Unstated)), height: Height(300) };
    let all = vec![
        submission(SubmissionState::Committed),
        submission(SubmissionState::Revealed(revealed)),
        submission(SubmissionState::Accepted(decided(""))),
        submission(SubmissionState::Rejected(decided("spam"))),
        submission(SubmissionState::Withdrawn(taken)),
    ];
    check(&all, "4c926d1230ea49c25c13a129273789ad6cfd1e66d5d9a4341f03eb21f63e0ccf");
    let sources = vec![
        Source::Address("https://example.org".into()),
        Source::Orcid("0000-0002-1825-0097".into()),
        Source::C2pa(Digest::of(b"manifest")),
    ];
    check(&sources, "2e5c8727161fae84c41bc011ba55db25f044e7aaf5fb1272fc0d621ad360a8cd");
    let hidden = commitment(1, 2, &record(Source::Own), &Digest::of(b"salt"));
    assert_eq!(
        hidden.to_string(),
        "462c1d5a7892c0fdf0bcb514fa86ad6ee85ac9afce0f22b9b86640eeb297814f"
    );
}

#[test]
fn operations() {
    let who = AccountId::reserved("a");
    let all = vec![
        Operation::CreatePool(CreatePool {
            name: "speeches".into(),
            theme: "theme".into(),
            rules: rules(),
            reviewers: vec![who],
            forked_from: Some(300),
        }),
        Operation::JoinPool(JoinPool { pool: 1, member: Some(who) }),
        Operation::LeavePool(1),
        Operation::SubmitRecord(SubmitRecord { pool: 1, commitment: Digest::of(b"c") }),
        Operation::RevealRecord(RevealRecord {
            pool: 1,
            submission: 2,
            record: record(Source::Own),
            salt: Digest::of(b"salt"),
        }),
        Operation::ReviewRecord(ReviewRecord { pool: 1, submission: 2, verdict: Verdict::Accept }),
        Operation::ReviewRecord(ReviewRecord {
            pool: 1,
            submission: 2,
            verdict: Verdict::Reject("spam".into()),
        }),
        Operation::WithdrawRecord(WithdrawRecord { pool: 1, submission: 2 }),
        Operation::ProposeRules(ProposeRules { pool: 1, rules: rules(), reviewers: vec![who] }),
        Operation::VoteRules(VoteRules { pool: 1, proposal: 2, aye: true }),
    ];
    check(&all, "1c1e31fc99c16b78dbfe3dfe74517446ab3eec61ef968efd2f35851119365f62");
    let results = vec![
        OperationResult::Pool(300),
        OperationResult::Submission(301),
        OperationResult::Proposal(302),
    ];
    check(&results, "1d59653b4defa5c965a9cb5d42b759d0c4d0a954df7359f52fd3f4f17ae5da6c");
}
