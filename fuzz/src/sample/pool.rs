//! Pools, with submissions in every state.

use ambar_attribution::{Duplicates, Sharing};
use ambar_base::{AccountId, Amount, Digest, Encode, Height, Moment, Price, Weight};
use ambar_ledger::Key;
use ambar_ledger::object::{
    Decided, Pool, PoolMember, PoolRecord, PoolRules, Proposal, Revealed, Source, Submission,
    SubmissionState, TakenBack,
};
use ambar_ledger::transaction::{
    CreatePool, JoinPool, Operation, ProposeRules, RevealRecord, ReviewRecord, SubmitRecord,
    Verdict, VoteRules, WithdrawRecord,
};

fn rules() -> PoolRules {
    PoolRules {
        open: true,
        agreeing: 1,
        deposit: Price(5),
        bytes_max: 1_000,
        licences: vec!["CC0-1.0".into()],
        quality: Digest::ZERO,
        sharing: Sharing {
            duplicates: Duplicates::First,
            floor: Weight(50_000_000),
            cap: Weight(300_000_000),
        },
    }
}

fn record(source: Source) -> PoolRecord {
    PoolRecord {
        content: Digest::of(b"content"),
        bytes: 7,
        title: "harbour.txt".into(),
        licence: "CC0-1.0".into(),
        source,
    }
}

/// What is asked of the first pool by somebody who reviews it.
#[must_use]
pub fn operations(reviewer: AccountId) -> Vec<Operation> {
    let review =
        |verdict| Operation::ReviewRecord(ReviewRecord { pool: 0, submission: 0, verdict });
    vec![
        Operation::CreatePool(CreatePool {
            name: "speeches".into(),
            theme: "What was said".into(),
            rules: rules(),
            reviewers: vec![reviewer],
            forked_from: None,
        }),
        Operation::JoinPool(JoinPool { pool: 0, member: Some(reviewer) }),
        Operation::LeavePool(0),
        Operation::SubmitRecord(SubmitRecord { pool: 0, commitment: Digest::of(b"hidden") }),
        Operation::RevealRecord(RevealRecord {
            pool: 0,
            submission: 0,
            record: record(Source::Doi("10.1000/182".into())),
            salt: Digest::of(b"salt"),
        }),
        review(Verdict::Accept),
        review(Verdict::Reject("It addresses the model.".into())),
        Operation::WithdrawRecord(WithdrawRecord { pool: 0, submission: 0 }),
        Operation::ProposeRules(ProposeRules {
            pool: 0,
            rules: rules(),
            reviewers: vec![reviewer],
        }),
        Operation::VoteRules(VoteRules { pool: 0, proposal: 0, aye: true }),
    ]
}

/// Objects with their keys.
#[must_use]
pub fn entries() -> Vec<(Vec<u8>, Vec<u8>)> {
    let decided = |source| Decided {
        record: record(source),
        height: Height(9),
        reason: "It addresses the model.".into(),
    };
    let revealed = Revealed {
        record: record(Source::Orcid("0000-0002-1825-0097".into())),
        accepting: vec![1],
        rejecting: vec![2],
    };
    let states = [
        SubmissionState::Committed,
        SubmissionState::Revealed(revealed),
        SubmissionState::Accepted(decided(Source::Address("https://example.org".into()))),
        SubmissionState::Rejected(decided(Source::C2pa(Digest::of(b"manifest")))),
        SubmissionState::Withdrawn(TakenBack {
            record: Some(record(Source::Own)),
            height: Height(9),
        }),
    ];
    let submissions = (0..).zip(states).map(|(number, state)| {
        let submission = Submission {
            contributor: 3,
            commitment: Digest::of(b"hidden"),
            committed: Moment(1_800_000_000_000),
            deposit: Amount(5),
            state,
        };
        (Key::Submission((0, number)), submission.to_bytes())
    });
    let pool = Pool {
        name: "speeches".into(),
        theme: "What was said".into(),
        steward: 3,
        rules: rules(),
        reviewers: vec![3],
        revision: 1,
        forked_from: Some(0),
        members: 1,
        contributors: 1,
        records: 1,
        submissions: 5,
        proposals: 1,
    };
    let proposal = Proposal {
        by: 3,
        rules: rules(),
        reviewers: vec![3],
        revision: 0,
        height: Height(8),
        ayes: vec![3],
        noes: vec![4],
        passed: Some(Height(9)),
    };
    let others = [
        (Key::PoolBook, 1_u64.to_bytes()),
        (Key::Pool(0), pool.to_bytes()),
        (Key::PoolName("speeches".into()), 0_u64.to_bytes()),
        (Key::PoolMember((0, 3)), PoolMember { joined: Height(7), records: 1 }.to_bytes()),
        (Key::Content(Digest::of(b"content")), (0_u64, 2_u64).to_bytes()),
        (Key::Proposal((0, 0)), proposal.to_bytes()),
    ];
    submissions.chain(others).map(|(key, value)| (key.bytes(), value)).collect()
}
