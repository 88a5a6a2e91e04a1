//! How a node is, how far its long work is, whom its network trusts, and how it says that
//! something failed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the node and its network are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The network's id.
    pub network: String,
    /// What people call the network.
    pub name: String,
    /// Whether credits are free.
    pub development: bool,
    /// The `did:key` of the key that makes blocks final, if it is a single one.
    pub network_key: Option<String>,
    /// The epoch whose committee votes on blocks.
    pub epoch: u64,
    /// The committee: the `did:key` of each validator, in the order of seats.
    pub validators: Vec<String>,
    /// The newest final block.
    pub height: u64,
    /// Its consensus time.
    pub time: String,
    /// The last block that the index has taken in.
    pub indexed: u64,
    /// This node.
    pub node: NodeView,
    /// This node's software version.
    pub version: String,
    /// What this node does: `validator`, `gateway`, `index`, `store`.
    pub roles: Vec<String>,
    /// Other nodes that it is connected to.
    pub peers: u32,
    /// Whether blocks are made: `running`, `stalled`, `halted` or `stopped`.
    pub consensus: String,
    /// The capsules that it serves, by id.
    pub serving: Vec<String>,
}

/// Whose votes make the blocks of an epoch final: what a light client starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checkpoint {
    /// The network's id.
    pub network: String,
    /// The epoch.
    pub epoch: u64,
    /// The `did:key` of each validator, in the order of seats.
    pub validators: Vec<String>,
}

/// A node on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Its number.
    pub number: String,
    /// The `did:key` of its key.
    pub did: String,
    /// The account of its owner.
    pub owner: String,
    /// What it asks per MU.
    pub ask: String,
}

/// How far long work is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// What is being done: `idle`, `opening`, `reading`, `checking`, `sorting`, `indexing`,
    /// `writing`, `blocks`, `state`, `calls` or `receipts`.
    pub phase: String,
    /// How much of it is done.
    pub done: u64,
    /// Of how much, if anybody knows.
    pub total: Option<u64>,
    /// What is counted: `bytes`, `blocks` or `receipts`; nothing if nothing is.
    pub unit: Option<String>,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What failed.
    pub error: ErrorView,
}

/// What failed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorView {
    /// The public code.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub help: String,
}
