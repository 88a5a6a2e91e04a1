//! Royalty lines, and accounts that get new keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A royalty line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Royalty {
    /// Its number.
    pub id: String,
    /// The latest version of the capsule that it belongs to.
    pub capsule: String,
    /// What people call it.
    pub capsule_name: String,
    /// Its part of what the capsule itself keeps, per cent.
    pub weight: String,
    /// The account that later calls pay.
    pub holder: String,
    /// At what it is for sale.
    pub offer: Option<RoyaltyOffer>,
}

/// What a royalty line is offered for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoyaltyOffer {
    /// The price in credits, 9 decimals.
    pub price: String,
    /// The account that may buy it; absent: any.
    pub to: Option<String>,
    /// Nobody buys it from then on.
    pub expires: String,
    /// Whether that is past.
    pub over: bool,
}

/// A recovery that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recovering {
    /// The DIDs of the keys that the account gets.
    pub keys: Vec<String>,
    /// Signatures needed then.
    pub threshold: u16,
    /// The digest of the key set that may recover it the next time.
    pub next: Option<String>,
    /// From when on it can be finished, RFC 3339.
    pub from: String,
    /// The first block in which it can be.
    pub from_height: u64,
}
