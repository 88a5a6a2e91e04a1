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
    /// The oldest block that is kept here with all after it; 0 if all are, from genesis.
    #[serde(default)]
    pub oldest: u64,
    /// How many newest blocks are kept; nothing on an archive node.
    #[serde(default)]
    pub blocks_kept: Option<u64>,
    /// The last block that the index has taken in.
    pub indexed: u64,
    /// This node.
    pub node: NodeView,
    /// SHA-256 of the certificate that the port shows to TLS clients.
    #[serde(default)]
    pub certificate: Option<String>,
    /// This node's software version.
    pub version: String,
    /// What this node does: `validator`, `gateway`, `index`, `store`.
    pub roles: Vec<String>,
    /// Other validators whose votes were heard lately, or in the newest view.
    pub peers: u32,
    /// Whether blocks are made: `running`, `stalled`, `halted` or `stopped`.
    pub consensus: String,
    /// What is wrong with that, if anything is.
    #[serde(default)]
    pub problem: Option<String>,
    /// Age of the newest final block, milliseconds.
    #[serde(default)]
    pub age_ms: u64,
    /// The committee's seats, in their order.
    #[serde(default)]
    pub seats: Vec<Seat>,
    /// Validators whose votes were heard lately or in the newest view, this node among them.
    #[serde(default)]
    pub heard: u32,
    /// Validators that must vote for a block.
    #[serde(default)]
    pub needed: u32,
    /// Whether this node does not use its seat in this epoch, because the votes that it may
    /// have cast in it are lost.
    #[serde(default)]
    pub sits_out: bool,
    /// From a block's consensus time until it was final here, within the last minute.
    #[serde(default)]
    pub finality: Option<Finality>,
    /// What the ledger's parts take on the disk.
    #[serde(default)]
    pub disk: Vec<DiskPart>,
    /// The capsules that it serves, by id.
    pub serving: Vec<String>,
}

/// A seat of the committee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seat {
    /// The `did:key` of its validator.
    pub validator: String,
    /// Whether it is this node's.
    pub own: bool,
    /// Whether a vote of it was heard lately, or in the newest view.
    pub heard: bool,
    /// The newest view in which one was heard.
    pub view: Option<u64>,
    /// How long ago that was, milliseconds.
    pub ago_ms: Option<u64>,
}

/// How long finality takes, milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finality {
    /// Half of the blocks were sooner.
    pub p50_ms: u64,
    /// 99 of 100 were sooner.
    pub p99_ms: u64,
}

/// A part of the ledger on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskPart {
    /// `view`, `blocks`, `state`, `votes` or `other`.
    pub part: String,
    /// Its bytes.
    pub bytes: u64,
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
    /// `writing`, `network`, `blocks`, `state`, `calls` or `receipts`.
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
