//! Accounts and what belongs to them.

use super::{Department, DepartmentRow, Recovering, StatementAccount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: String,
    /// The DID of its first key; absent for escrow and reserved accounts.
    pub did: Option<String>,
    /// Its number.
    pub number: String,
    /// What an escrow or reserved account is called.
    pub name: Option<String>,
    /// The DIDs of its keys now.
    pub keys: Vec<String>,
    /// Signatures needed.
    pub threshold: u16,
    /// The nonce of its next transaction.
    pub nonce: u64,
    /// What can be spent, 18 decimals.
    pub available: String,
    /// What waits for the challenge window, 18 decimals.
    pub pending: String,
    /// The digest of the key set that may recover it.
    pub recovery: Option<String>,
    /// The recovery that has begun.
    pub recovering: Option<Recovering>,
    /// What it is if it is a department.
    #[serde(default)]
    pub department: Option<Department>,
    /// Its departments, oldest first, closed ones too.
    #[serde(default)]
    pub departments: Vec<DepartmentRow>,
}

/// Credits wanted from the faucet of a development network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaucetRequest {
    /// The encoded signed inception record of the account, in hexadecimal. The account is
    /// opened if need be.
    pub inception: String,
    /// Credits, at most 9 decimals.
    pub amount: String,
}

/// What the faucet did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaucetAnswer {
    /// The account as it is now.
    pub account: Account,
    /// Whether it was opened just now.
    pub opened: bool,
    /// The transaction.
    pub transaction: String,
}

/// A part of an account's statement, oldest row first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// The account's id.
    pub account: String,
    /// The first block whose movements this node knows; absent if it knows all. What the account
    /// held before is one row of kind `opening`.
    #[serde(default)]
    pub first: Option<u64>,
    /// The account and its departments, if the statement is consolidated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<StatementAccount>,
    /// The rows.
    pub rows: Vec<StatementRow>,
    /// What to ask for as `after` next; absent at the end.
    pub next: Option<String>,
}

/// One movement of an account's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementRow {
    /// The row's place in the statement.
    pub cursor: String,
    /// The block.
    pub height: u64,
    /// The block's time.
    pub time: String,
    /// Why: `genesis`, `fee`, `transfer`, `channel`, `deposit`, `refund`, `bond`,
    /// `royalty`, `contribution`, `treasury`, `node`, `network`, `burn`, `opening`, `sale`,
    /// `draw` (by a department from its organisation) or `recall` (back).
    pub kind: String,
    /// Whether money came (`in`) or went (`out`).
    pub direction: String,
    /// How much, 18 decimals.
    pub amount: String,
    /// The receipt that it comes from.
    pub receipt: Option<String>,
    /// The account on the other side.
    pub counterpart: Option<String>,
    /// The capsule that it is about.
    pub capsule: Option<String>,
    /// The channel that it is about.
    pub channel: Option<String>,
    /// Whose row it is, in a consolidated statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Whether the other side is in the same consolidated statement: such rows net to zero.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
}

/// Accepted terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// Its number.
    pub id: String,
    /// Who accepted.
    pub licensee: String,
    /// The latest version of the line.
    pub capsule: String,
    /// What people call it.
    pub capsule_name: String,
    /// Which terms.
    pub terms: String,
    /// When.
    pub accepted: String,
    /// At which height.
    pub height: u64,
    /// From which height it no longer holds.
    pub revoked: Option<u64>,
    /// Whether it holds for the line's latest version.
    pub current: bool,
    /// The height at which a dispute about a breach of it was upheld.
    #[serde(default)]
    pub breach: Option<u64>,
    /// Open disputes about a breach of it.
    #[serde(default)]
    pub disputes: Vec<String>,
    /// The published terms of the versions that it holds for; others than its own if those were
    /// offered beside them.
    #[serde(default)]
    pub of: Option<String>,
    /// Calls settled under it, where its terms have tiers.
    #[serde(default)]
    pub calls: Option<u64>,
    /// The tier that calls are billed at from now on: 0 is the price from the first call on.
    #[serde(default)]
    pub tier: Option<u16>,
}

/// Money set aside for calls through one gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its number.
    pub id: String,
    /// Who pays.
    pub payer: String,
    /// The DID of the key that roots certificates.
    pub session_key: String,
    /// The gateway's node number.
    pub gateway: String,
    /// The DID of the gateway's key.
    pub gateway_did: String,
    /// The grants that it may be used with.
    pub grants: Vec<String>,
    /// Most credits per MU of any line, 9 decimals.
    pub unit_price_max: String,
    /// No call is admitted from then on.
    pub expires: String,
    /// Everything ever put in, 18 decimals.
    pub funded: String,
    /// What settled calls took out, 18 decimals.
    pub spent: String,
    /// What calls may still take, 18 decimals.
    pub remaining: String,
    /// From which height it is closing.
    pub closing: Option<u64>,
    /// In voucher mode the most that may ever have been spent, 9 decimals; absent otherwise.
    #[serde(default)]
    pub vouched: Option<String>,
}
