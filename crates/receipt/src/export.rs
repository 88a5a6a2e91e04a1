//! The exported receipt: one document that holds a call's leaf and everything that its
//! bill, its split and its place on the ledger are recomputed from.
//!
//! This module knows how a receipt is written down, not whether it is true: see
//! [`crate::verify`]. Parts that are hashed or signed elsewhere stand here as the very
//! bytes that were hashed or signed.
//!
//! **Invariant**: a receipt has one spelling. [`seal::open`] refuses every other file
//! that would say the same.

pub mod assemble;
pub mod preimages;
pub mod seal;

pub use assemble::{AssembleError, Parts};
pub use preimages::{Kind, Preimages};
pub use seal::{OpenError, Sealed, open};
pub use serde_bytes::ByteBuf;

use crate::leaf::Leaf;
use ambar_base::document::{self, DocumentError};
use ambar_base::{Digest, NetworkId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The receipt format that this version reads and writes.
pub const RECEIPT_FORMAT: u16 = 4;
/// Largest document of a receipt, bytes: [`crate::leaf::LINES_MAX`] lines with the largest
/// terms and plans, and evidence for those that a datanet earns from.
pub const RECEIPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A receipt. Numbers are the ledger's; `facts` say what they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptDocument {
    /// The receipt format: [`RECEIPT_FORMAT`].
    pub ambar: u16,
    /// The [`SignedBatch`](crate::SignedBatch) in the compact encoding.
    #[serde(with = "serde_bytes")]
    pub batch: Vec<u8>,
    /// The [`DecisionRecord`](ambar_licence::DecisionRecord) by which the call was admitted, in
    /// the compact encoding, for those who may see the details.
    #[serde(with = "serde_bytes")]
    pub decision: Option<Vec<u8>>,
    /// The [`Details`](crate::Details) in the compact encoding, for those who may see them.
    #[serde(with = "serde_bytes")]
    pub details: Option<Vec<u8>>,
    /// What the ledger attests about this leaf, in the order of the batch's facts.
    pub facts: Vec<PlacedFact>,
    /// The [`Leaf`] in the compact encoding.
    #[serde(with = "serde_bytes")]
    pub leaf: Vec<u8>,
    /// Where each line stands among those that its node signed, in the leaf's order.
    pub lines: Vec<Place>,
    /// The network, by the digest of its genesis.
    pub network: Digest,
    /// Where the leaf stands in the batch.
    pub place: Place,
    /// The documents that facts and leaf name by digest.
    pub preimages: Preimages,
    /// Where the batch settled; nothing before that.
    pub settlement: Option<Settlement>,
}

/// A place in an RFC 9162 tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The index of the tree's leaf.
    pub index: u64,
    /// The hashes beside the way to the root, lowest first.
    pub path: Vec<Digest>,
}

/// A fact and its place among the batch's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacedFact {
    /// The [`Fact`](crate::Fact) in the compact encoding.
    #[serde(with = "serde_bytes")]
    pub fact: Vec<u8>,
    /// Its place.
    pub place: Place,
}

/// The transaction that settled a batch, and the proof that it is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The [`TransactionOutcome`](crate::TransactionOutcome) in the compact encoding.
    #[serde(with = "serde_bytes")]
    pub outcome: Vec<u8>,
    /// The [`OutcomeProof`](ambar_base::OutcomeProof) in the compact encoding.
    #[serde(with = "serde_bytes")]
    pub proof: Vec<u8>,
    /// Which of the outcome's results is the batch's.
    pub result: u64,
}

impl ReceiptDocument {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// Reads a document of at most [`RECEIPT_BYTES_MAX`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DocumentError> {
        document::decode(bytes, RECEIPT_BYTES_MAX)
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        NetworkId(self.network)
    }
}

/// The id of a receipt, printed as `5-17`. It is known before the answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId {
    /// The channel that pays.
    pub channel: u64,
    /// The call's sequence number in it.
    pub n: u64,
}

impl ReceiptId {
    /// The id of a leaf's receipt.
    #[must_use]
    pub fn of(leaf: &Leaf) -> Self {
        Self { channel: leaf.channel, n: leaf.n }
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.channel, self.n)
    }
}

/// The text is no receipt's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a receipt's id is a channel and a number, such as 5-17")]
pub struct ReceiptIdError;

impl FromStr for ReceiptId {
    type Err = ReceiptIdError;

    fn from_str(text: &str) -> Result<Self, ReceiptIdError> {
        let number = |text: &str| text.parse().map_err(|_| ReceiptIdError);
        let (channel, n) = text.split_once('-').ok_or(ReceiptIdError)?;
        let id = Self { channel: number(channel)?, n: number(n)? };
        // One spelling: no signs, no leading zeros.
        if id.to_string() == text { Ok(id) } else { Err(ReceiptIdError) }
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
