//! A final block, and how its header follows from its body.

use crate::error::StoreError;
use ambar_base::codec::{DecodeError, Reader, Writer};
use ambar_base::finality::{FinalHeader, OutcomeProof, root_over};
use ambar_base::tree::{Tree, leaf_hash};
use ambar_base::{Digest, Domain, Encode, record};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Net writes in ascending order of keys; `None` removes a key.
pub type Writes = BTreeMap<Vec<u8>, Option<Bytes>>;

record! {
    /// A final block.
    pub struct Block {
        /// The header and what makes it final. Genesis needs no votes and has none.
        pub finality: FinalHeader,
        /// The transactions in the order of execution.
        pub transactions: Vec<Vec<u8>>,
        /// The beginning's outcome, then each transaction's. Genesis has none.
        pub outcomes: Vec<Vec<u8>>,
    }
}

impl Block {
    /// Whether the header commits to this body.
    #[must_use]
    pub fn body_agrees(&self) -> bool {
        let header = &self.finality.header;
        header.outcomes as usize == self.outcomes.len()
            && header.transactions_root == root_of(&self.transactions)
            && header.outcomes_root == root_of(&self.outcomes)
    }

    /// The proof of the outcome at `index`, if there is one.
    #[must_use]
    pub fn proof(&self, index: u64) -> Option<OutcomeProof> {
        let at = usize::try_from(index).ok().filter(|at| *at < self.outcomes.len())?;
        let tree = Tree::new(self.outcomes.iter().map(|outcome| leaf_hash(outcome)).collect());
        let (block, path) = (self.finality.clone(), tree.path(at));
        Some(OutcomeProof { block, index, path, handovers: Vec::new() })
    }
}

record! {
    /// What is stored of a final block, beside the votes.
    pub(crate) struct Stored {
        pub(crate) header: ambar_base::BlockHeader,
        pub(crate) transactions: Vec<Vec<u8>>,
        pub(crate) outcomes: Vec<Vec<u8>>,
        /// Its transactions' ids, in order.
        pub(crate) ids: Vec<Digest>,
    }
}

impl Stored {
    /// A block of which only the header is kept.
    pub(crate) fn of_header(header: ambar_base::BlockHeader) -> Self {
        Self { header, transactions: Vec::new(), outcomes: Vec::new(), ids: Vec::new() }
    }
}

/// What undoes a block: the values before it of the keys that it wrote.
pub(crate) type Undo = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// The header of a stored block, without a look at its body.
pub(crate) fn header_from_store(bytes: &[u8]) -> Result<ambar_base::BlockHeader, StoreError> {
    let header = ambar_base::Decode::decode(&mut Reader::new(bytes));
    header.map_err(|error: DecodeError| StoreError::Corrupt(error.to_string()))
}

/// Reads what this process or an earlier one wrote.
pub(crate) fn from_store<T: ambar_base::Decode>(bytes: &[u8]) -> Result<T, StoreError> {
    ambar_base::codec::decode(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The state at height 0 as the writes with which block 1 begins.
pub fn genesis_writes(genesis: Vec<(Vec<u8>, Vec<u8>)>) -> Writes {
    genesis.into_iter().map(|(key, value)| (key, Some(Bytes::from(value)))).collect()
}

/// The RFC 9162 root over items in order.
pub fn root_of<T: AsRef<[u8]>>(items: &[T]) -> Digest {
    root_over(items.iter().map(AsRef::as_ref))
}

/// The digest of net writes: their count, then key and new value of each, ascending, in
/// the encoding of a map from byte strings to optional byte strings.
#[must_use]
pub fn writes_digest(writes: &Writes) -> Digest {
    let mut writer = Writer::new();
    writer.varint(writes.len() as u128);
    for (key, value) in writes {
        key.encode(&mut writer);
        writer.tag(u8::from(value.is_some()));
        if let Some(value) = value {
            writer.varint(value.len() as u128);
            writer.raw(value);
        }
    }
    Domain::Block.digest(&writer.into_bytes())
}
