//! A ledger in memory as a gateway looks at it: one state that does not change any more.

use ambar_base::Digest;
use ambar_consensus::{Entry, Head, State, StateView, StoreError};
use ambar_gateway::view::LedgerView;
use ambar_ledger::MemoryLedger;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Frozen(BTreeMap<Vec<u8>, Bytes>);

impl State for Frozen {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, _: &[u8], _: Option<&[u8]>, _: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(Vec::new())
    }
}

/// The state of a ledger now.
pub fn view(ledger: &MemoryLedger) -> LedgerView {
    let entries = ledger.entries();
    let entries = entries.map(|(key, value)| (key.to_vec(), Bytes::copy_from_slice(value)));
    let head = Head { height: ledger.height(), time: ledger.time(), digest: Digest::ZERO };
    LedgerView::of(StateView::new(head, Arc::new(Frozen(entries.collect()))))
}
