//! Reading state: what engines, audits and queries share.
//!
//! **Invariant**: a view never changes. Two reads of one view agree.

use crate::engine::Head;
use crate::error::StoreError;
use crate::limits::SCAN_ENTRIES_MAX;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A key and its value.
pub type Entry = (Vec<u8>, Bytes);

/// Unchanging key-value state.
pub trait State: Send + Sync {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// Entries whose keys start with `prefix`, ascending, strictly after the key `after`;
    /// at most `limit` and never more than
    /// [`SCAN_ENTRIES_MAX`](crate::limits::SCAN_ENTRIES_MAX).
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;
}

/// The state as of one final block.
#[derive(Clone)]
pub struct StateView {
    head: Head,
    state: Arc<dyn State>,
}

impl StateView {
    /// The state `state` as of the block `head`.
    #[must_use]
    pub fn new(head: Head, state: Arc<dyn State>) -> Self {
        Self { head, state }
    }

    /// The block after which this is the state.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.state.get(key)
    }

    /// See [`State::scan`].
    pub fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.state.scan(prefix, after, limit)
    }
}

/// Where a scan starts: at the prefix, or behind `after` if that is further.
pub(crate) fn scan_start<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> Bound<&'a [u8]> {
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

/// State in memory: what a replay builds, and what tests of machines run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    entries: BTreeMap<Vec<u8>, Bytes>,
}

impl MemoryState {
    /// Sets a key, or removes it.
    pub fn write(&mut self, key: Vec<u8>, value: Option<Bytes>) {
        match value {
            Some(value) => self.entries.insert(key, value),
            None => self.entries.remove(&key),
        };
    }

    /// Every entry in ascending order.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], &Bytes)> {
        self.entries.iter().map(|(key, value)| (key.as_slice(), value))
    }
}

impl State for MemoryState {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.entries.get(key).cloned())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let range = (scan_start(prefix, after), Bound::Unbounded);
        let entries = self.entries.range::<[u8], _>(range);
        let entries = entries.take_while(|(key, _)| key.starts_with(prefix));
        let limited = entries.take(limit.min(SCAN_ENTRIES_MAX));
        Ok(limited.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}
