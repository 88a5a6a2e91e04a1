//! Receipts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A receipt in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptRow {
    /// Its id.
    pub id: String,
    /// The channel that paid.
    pub channel: String,
    /// The called version.
    pub capsule: String,
    /// What people call it.
    pub capsule_name: String,
    /// When the call was admitted.
    pub time: String,
    /// `full`, `partial` or `void`.
    pub outcome: String,
    /// What it cost, 9 decimals.
    pub price: String,
    /// The work, 9 decimals.
    pub mu: String,
    /// The block in which it settled; absent before that.
    pub settled: Option<u64>,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// Its id.
    pub id: String,
    /// The channel that paid.
    pub channel: String,
    /// The account that paid.
    pub payer: String,
    /// The identity of the call.
    pub call: String,
    /// The height at which it was admitted.
    pub admitted: u64,
    /// When the call was admitted.
    pub time: String,
    /// `full`, `partial` or `void`.
    pub outcome: String,
    /// The declared purpose.
    pub purpose: Option<String>,
    /// The declared territory.
    pub territory: Option<String>,
    /// The called capsule first, then its components.
    pub lines: Vec<ReceiptLine>,
    /// What the network takes, 9 decimals.
    pub network_fee: String,
    /// What the call cost, 9 decimals.
    pub price: String,
    /// The work of all lines, 9 decimals.
    pub mu: String,
    /// The block in which it settled; absent before that.
    pub settled: Option<u64>,
    /// Whether it is drawn for an audit of whom it paid; absent until the block after the one in
    /// which it settled, and where that is not kept.
    pub audit: Option<bool>,
    /// Who was paid, once it settled. The amounts sum to the price.
    pub payments: Vec<Payment>,
    /// Open disputes about it.
    #[serde(default)]
    pub disputes: Vec<String>,
    /// Where several nodes could serve a part: whom the gateway chose, and why. Known to the
    /// gateway that took the call.
    #[serde(default)]
    pub routing: Vec<PartRouting>,
}

/// The choice of a node for one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartRouting {
    /// The line, from 0.
    pub line: u64,
    /// Whom the gateway could have asked, the most preferred first.
    pub candidates: Vec<RoutingCandidate>,
}

/// A node that may serve a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoutingCandidate {
    /// Its number.
    pub node: String,
    /// What it asked per MU, 9 decimals.
    pub ask: String,
    /// What its first piece took of late, milliseconds.
    pub first_ms: Option<u64>,
    /// How many of its latest calls went well.
    pub succeeded: u64,
    /// Of how many.
    pub calls: u64,
    /// `served`, `failed`, `overtaken`, `spare`, `too_dear` or `resting`.
    pub verdict: String,
    /// With which code it failed.
    pub code: Option<String>,
}

/// A capsule's part of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptLine {
    /// The version.
    pub capsule: String,
    /// What people call it.
    pub capsule_name: String,
    /// The grant under which it was called.
    pub grant: String,
    /// The node that served it.
    pub node: String,
    /// What it used, by counter.
    pub counters: std::collections::BTreeMap<String, u64>,
    /// What that is in work, 9 decimals.
    pub mu: String,
    /// The owner's part, 9 decimals.
    pub royalty: String,
    /// The node's part, 9 decimals.
    pub node_fee: String,
}

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// To whom.
    pub account: String,
    /// The DID of the account's first key, if it has one.
    pub did: Option<String>,
    /// What the account is called, if it is an escrow or reserved account.
    pub name: Option<String>,
    /// `royalty`, `contributor`, `treasury`, `node`, `network` or `burn`.
    pub role: String,
    /// The capsule whose line or datanet it comes from.
    pub capsule: Option<String>,
    /// The attribution methods that led to it, for contributors.
    pub method: Option<String>,
    /// How much, 18 decimals.
    pub amount: String,
}
