//! The ledger as consensus sees it.
//!
//! Nothing here knows what a transaction means. A machine is pure: the same context, item
//! and values read give the same writes and outcome on every machine, for ever.

use ambar_base::{Digest, Encode, ErrorCode, Height, Moment, NetworkId, PublicKey};
use bytes::Bytes;
use std::collections::HashMap;

pub use crate::listing::Lists;

/// The ledger as consensus sees it. Pure: no clock, disk or randomness.
pub trait StateMachine: Send + Sync + 'static {
    /// Stateless admission of many transactions at once: decode, limits, and all signatures
    /// in one batch. Never reads state. The answers stand in the transactions' order; each
    /// is what admitting that transaction alone gives.
    fn admit(&self, transactions: &[&[u8]]) -> Vec<Result<Admission, Refusal>>;

    /// Opens an item of a block: what can be known of it without state is worked out once,
    /// before its steps. A transaction's signatures are not looked at again: an engine opens
    /// only what [`admit`](Self::admit) has accepted, here or, of a block that is durable
    /// already, when it was made. A transaction that was applied once is refused ever after.
    fn open<'a>(
        &self,
        block: &BlockContext,
        item: Item<'a>,
    ) -> Result<Box<dyn Execution + Send + 'a>, Refusal>;

    /// Which entries of the state list ids, if any do: what
    /// [`ReadSet::listed`] is answered from.
    fn lists(&self) -> Option<Lists> {
        None
    }
}

/// What [`StateMachine::admit`] answers, one answer for each transaction whatever the machine
/// does.
pub(crate) fn admit_all<T: AsRef<[u8]>>(
    machine: &dyn StateMachine,
    transactions: &[T],
) -> Vec<Result<Admission, Refusal>> {
    let slices: Vec<&[u8]> = transactions.iter().map(AsRef::as_ref).collect();
    let mut answers = machine.admit(&slices);
    let missing = || Err(Refusal::new(ErrorCode::Internal, "the machine did not answer"));
    answers.resize_with(slices.len(), missing);
    answers
}

/// An item of a block while it is executed.
pub trait Execution {
    /// What the item does, as a function of context, item and what was read, or which keys
    /// it needs besides. At most [`ROUNDS_MAX`](crate::limits::ROUNDS_MAX) rounds of
    /// reading; an item that wants more is refused. A refusal of [`Item::Begin`] or
    /// [`Item::End`] halts the chain.
    fn step(&self, read: &ReadSet) -> Result<Step, Refusal>;
}

/// What a step of an execution leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This must be read first.
    Need(Need),
    /// The item applies.
    Done(Applied),
}

/// What an item must read before it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Keys whose values it needs.
    pub keys: Vec<Vec<u8>>,
    /// Ids of which it needs to know whether an entry lists them.
    pub ids: Vec<Digest>,
}

impl From<Vec<Vec<u8>>> for Need {
    fn from(keys: Vec<Vec<u8>>) -> Self {
        Self { keys, ids: Vec::new() }
    }
}

/// What a transaction says about itself before any state is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Its identity: equal ids are one transaction, which is final at most once.
    pub id: Digest,
    /// The last height at which it may be final.
    pub expiry: Height,
    /// Its priority when not all fit: what it offers per byte, nano-credit.
    pub fee_per_byte: u64,
}

/// The block in which an item runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// The ledger.
    pub network: NetworkId,
    /// The block's height, at least 1.
    pub height: Height,
    /// Consensus time.
    pub time: Moment,
    /// The version of the rules by which it is executed.
    pub protocol: u32,
}

/// What the end of an epoch has as its outcome: the next committee's seats, ascending.
#[must_use]
pub fn seats_outcome(seats: &[PublicKey]) -> Vec<u8> {
    seats.to_vec().to_bytes()
}

/// What runs in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Runs first in every block: releases, expiries.
    Begin,
    /// Runs last in the last block of an epoch: its outcome is [`seats_outcome`] of the keys
    /// that vote in the next.
    End {
        /// The epoch that ends.
        epoch: u64,
    },
    /// A transaction's bytes.
    Transaction(&'a [u8]),
}

/// A key and its new value; `None` removes it.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

/// What an item did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Its writes; of several to one key the last counts.
    pub writes: Vec<Write>,
    /// Its outcome, which the block commits to.
    pub outcome: Vec<u8>,
}

/// Why an item is not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The public code.
    pub code: ErrorCode,
    /// What happened, for people.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The machine looked at a key or an id for which it never asked: a fault of the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} was not asked for", hex(.0))]
pub struct NotAsked(pub Vec<u8>);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<NotAsked> for Refusal {
    fn from(error: NotAsked) -> Self {
        Self::new(ErrorCode::Internal, error.to_string())
    }
}

/// What an item has read: absent keys are in it too.
#[derive(Clone, Debug, Default)]
pub struct ReadSet {
    values: HashMap<Vec<u8>, Option<Bytes>>,
    listed: HashMap<Digest, bool>,
}

impl ReadSet {
    /// The value of a key that was asked for, `None` if the state has none.
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>, NotAsked> {
        let value = self.values.get(key).ok_or_else(|| NotAsked(key.to_vec()))?;
        Ok(value.as_deref())
    }

    /// Whether an entry of the state lists an id that was asked for: see
    /// [`StateMachine::lists`].
    pub fn listed(&self, id: &Digest) -> Result<bool, NotAsked> {
        self.listed.get(id).copied().ok_or_else(|| NotAsked(id.0.to_vec()))
    }

    /// Whether the key was asked for.
    #[must_use]
    pub fn asked(&self, key: &[u8]) -> bool {
        self.values.contains_key(key)
    }

    /// The number of keys and ids asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() + self.listed.len()
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what was read. Engines and tests of machines do this; machines do not.
    pub fn insert(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        self.values.insert(key, value);
    }

    /// Adds whether an id is listed. Engines and tests of machines do this; machines do not.
    pub fn insert_listed(&mut self, id: Digest, listed: bool) {
        self.listed.insert(id, listed);
    }
}
