//! Pools, in which a datanet's records are gathered.

use super::Sharing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    /// Its number.
    pub number: String,
    /// What it is called.
    pub name: String,
    /// What its records are about.
    pub theme: String,
    /// The account that keeps it and publishes what stands.
    pub steward: String,
    /// What it takes.
    pub rules: PoolRules,
    /// The accounts that decide on records.
    pub reviewers: Vec<String>,
    /// How often the rules have changed.
    pub revision: u64,
    /// The number of the pool whose rules it began with.
    pub forked_from: Option<String>,
    /// How many belong to it.
    pub members: u64,
    /// How many of them have a record that stands, and vote.
    pub contributors: u64,
    /// How many records stand.
    pub records: u64,
    /// How many were ever submitted.
    pub submissions: u64,
    /// How many changes of the rules were ever proposed.
    pub proposals: u64,
}

/// What a pool takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolRules {
    /// Whether anybody may join.
    pub open: bool,
    /// How many reviewers must agree.
    pub agreeing: u16,
    /// What a submission sets aside, 9 decimals.
    pub deposit: String,
    /// Largest record, bytes.
    pub bytes_max: u64,
    /// Licences that records may have, as SPDX writes them; none: any.
    pub licences: Vec<String>,
    /// The SHA-256 of the rules of quality that reviewers go by, if they are not the program's.
    pub quality: Option<String>,
    /// How calls of its snapshots pay contributors.
    pub sharing: Sharing,
}

/// A part of the pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pools {
    /// Ascending by number.
    pub pools: Vec<Pool>,
    /// The last number of this part, if there are more.
    pub next: Option<String>,
}

/// Something that somebody wants to add to a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submission {
    /// Its number in the pool.
    pub number: String,
    /// The account whose it is.
    pub contributor: String,
    /// When it was committed.
    pub committed: String,
    /// Until when it may be revealed; from then on it may be decided.
    pub opens: String,
    /// What is set aside for it now, 18 decimals.
    pub deposit: String,
    /// `committed`, `revealed`, `accepted`, `rejected` or `withdrawn`.
    pub state: String,
    /// What it is, once it was revealed.
    pub record: Option<PoolRecord>,
    /// The accounts of reviewers who would take it.
    pub accepting: Vec<String>,
    /// The accounts of reviewers who would not.
    pub rejecting: Vec<String>,
    /// The height at which it was decided or taken back.
    pub closed: Option<u64>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolRecord {
    /// The BLAKE3 root of its content.
    pub content: String,
    /// How long it is, bytes.
    pub bytes: u64,
    /// What it is called.
    pub title: String,
    /// The licence that it may be used under, as SPDX writes it.
    pub licence: String,
    /// `unstated`, `own`, `address`, `doi`, `orcid` or `c2pa`: where it is from, as its contributor
    /// says.
    pub source_kind: String,
    /// The source itself.
    pub source: String,
}

/// A part of a pool's submissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Submissions {
    /// Ascending by number.
    pub submissions: Vec<Submission>,
    /// The last number that was looked at, if there are more.
    pub next: Option<String>,
}

/// Rules that contributors vote about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// Its number in the pool.
    pub number: String,
    /// The account that made it.
    pub by: String,
    /// The rules.
    pub rules: PoolRules,
    /// The reviewers.
    pub reviewers: Vec<String>,
    /// At which height it was made: who joined later does not vote.
    pub height: u64,
    /// How many are for it.
    pub ayes: u64,
    /// How many are against it.
    pub noes: u64,
    /// `open`, `passed`, or `overtaken` by other rules.
    pub state: String,
}

/// A part of a pool's proposals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proposals {
    /// Ascending by number.
    pub proposals: Vec<Proposal>,
    /// The last number of this part, if there are more.
    pub next: Option<String>,
}
