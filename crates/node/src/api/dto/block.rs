//! Blocks, audits and blobs.

use super::OperationView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A block in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockRow {
    /// Its height.
    pub height: u64,
    /// Its time.
    pub time: String,
    /// The digest of its header.
    pub digest: String,
    /// How many transactions.
    pub transactions: u64,
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Block {
    /// Its height.
    pub height: u64,
    /// Its time.
    pub time: String,
    /// The digest of its header.
    pub digest: String,
    /// The digest of its parent's header.
    pub parent: String,
    /// The encoded header with its signature, in hexadecimal.
    pub header: String,
    /// Its transactions.
    pub transactions: Vec<BlockTransaction>,
}

/// A transaction of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockTransaction {
    /// Its id.
    pub id: String,
    /// Who acted: an account id, or `node N`.
    pub actor: String,
    /// What it asked, in order.
    pub operations: Vec<String>,
    /// The fee that was paid.
    pub fee: String,
    /// What each operation yielded.
    pub results: Vec<OperationView>,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// Whether everything agrees.
    pub ok: bool,
    /// The first block that was executed again; 0 if that began with genesis itself.
    #[serde(default)]
    pub from: u64,
    /// The block up to which was audited.
    pub height: u64,
    /// Calls that settled with a charge.
    pub calls: u64,
    /// Receipts of charged calls that this node keeps.
    pub receipts: u64,
    /// Of these, how many settled with the very same leaf.
    pub settled: u64,
    /// Calls of these receipts whose decision, made again, admits them.
    #[serde(default)]
    pub decisions: u64,
    /// Decisions by which calls were refused, of those that this node keeps, made again with
    /// the same answer.
    #[serde(default)]
    pub refusals: u64,
    /// What accounts and channels paid, 18 decimals.
    pub debits: String,
    /// What accounts received, 18 decimals.
    pub credits: String,
    /// What does not agree.
    pub problems: Vec<String>,
}

/// A stored blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Blob {
    /// The root of its chunk tree.
    pub root: String,
    /// Its length, bytes.
    pub bytes: u64,
}
