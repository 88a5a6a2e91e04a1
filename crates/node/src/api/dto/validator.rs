//! Who votes on blocks, and who would.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A part of the validators, and the epoch that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Validators {
    /// The epoch whose committee votes on blocks.
    pub epoch: u64,
    /// Heights of an epoch.
    pub epoch_blocks: u64,
    /// The bond that a new validator needs.
    pub bond: String,
    /// The validators in the order in which they registered.
    pub validators: Vec<Validator>,
    /// What to ask for after this, if there is more.
    pub next: Option<String>,
}

/// Somebody who votes on blocks, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Validator {
    /// Its number.
    pub number: String,
    /// The `did:key` of the key that it votes with.
    pub did: String,
    /// The account that its bond comes from.
    pub owner: String,
    /// What it can lose.
    pub bond: String,
    /// `candidate`, `seated`, `leaving`, `left` or `ejected`.
    pub status: String,
    /// The height since which it has left or is ejected.
    pub since: Option<u64>,
    /// Whether it votes in this epoch. One that was ejected does to the epoch's end.
    pub seated: bool,
    /// Its place in the council's order of preference, from 1.
    pub rank: Option<u64>,
}
