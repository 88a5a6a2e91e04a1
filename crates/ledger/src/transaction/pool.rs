//! What is asked of pools.

use crate::object::{PoolRecord, PoolRules};
use ambar_base::{AccountId, Digest, choice, record};

record! {
    /// See [`Operation::CreatePool`](super::Operation::CreatePool).
    pub struct CreatePool {
        /// What it is called.
        pub name: String,
        /// What its records are about.
        pub theme: String,
        /// What it takes.
        pub rules: PoolRules,
        /// Who decides on records.
        pub reviewers: Vec<AccountId>,
        /// The pool that it goes on from.
        pub forked_from: Option<u64>,
    }
}

record! {
    /// See [`Operation::JoinPool`](super::Operation::JoinPool).
    pub struct JoinPool {
        /// The pool.
        pub pool: u64,
        /// Whom the steward brings in; nobody: the actor joins.
        pub member: Option<AccountId>,
    }
}

record! {
    /// See [`Operation::SubmitRecord`](super::Operation::SubmitRecord).
    pub struct SubmitRecord {
        /// The pool.
        pub pool: u64,
        /// The [`commitment`](crate::object::commitment) to the record.
        pub commitment: Digest,
    }
}

record! {
    /// See [`Operation::RevealRecord`](super::Operation::RevealRecord).
    pub struct RevealRecord {
        /// The pool.
        pub pool: u64,
        /// The submission.
        pub submission: u64,
        /// What was committed to.
        pub record: PoolRecord,
        /// With what it was hidden.
        pub salt: Digest,
    }
}

record! {
    /// See [`Operation::ReviewRecord`](super::Operation::ReviewRecord).
    pub struct ReviewRecord {
        /// The pool.
        pub pool: u64,
        /// The submission.
        pub submission: u64,
        /// What the reviewer says.
        pub verdict: Verdict,
    }
}

choice! {
    /// What a reviewer says of a record.
    pub enum Verdict {
        /// It may stand.
        Accept = 1,
        /// It may not, for this reason.
        Reject(String) = 2,
    }
}

record! {
    /// See [`Operation::WithdrawRecord`](super::Operation::WithdrawRecord).
    #[derive(Copy)]
    pub struct WithdrawRecord {
        /// The pool.
        pub pool: u64,
        /// The submission.
        pub submission: u64,
    }
}

record! {
    /// See [`Operation::ProposeRules`](super::Operation::ProposeRules).
    pub struct ProposeRules {
        /// The pool.
        pub pool: u64,
        /// What it takes from then on.
        pub rules: PoolRules,
        /// Who decides from then on.
        pub reviewers: Vec<AccountId>,
    }
}

record! {
    /// See [`Operation::VoteRules`](super::Operation::VoteRules).
    #[derive(Copy)]
    pub struct VoteRules {
        /// The pool.
        pub pool: u64,
        /// The proposal.
        pub proposal: u64,
        /// For it, or against.
        pub aye: bool,
    }
}
