//! Calls between admission and finality: who is under way, and which receipts are durable
//! in the journal but not yet final.

use crate::call::ReceiptId;
use crate::journal::Position;
use crate::record::Metered;
use ambar_base::Digest;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Most receipts that wait to be final; past it new calls are refused.
pub const RECEIPTS_PENDING_MAX: usize = 65_536;

#[derive(Default)]
struct Inner {
    under_way: BTreeMap<Digest, watch::Receiver<()>>,
    metered: BTreeMap<ReceiptId, (Arc<Metered>, Instant)>,
    calls: BTreeMap<Digest, ReceiptId>,
    positions: BTreeMap<ReceiptId, Position>,
}

/// Calls between admission and finality.
#[derive(Clone, Default)]
pub struct Pending(Arc<Mutex<Inner>>);

/// A call that is under way; dropping it wakes those who wait for its answer.
pub struct UnderWay {
    pending: Pending,
    call: Digest,
    _done: watch::Sender<()>,
}

/// Entering a call.
pub enum Entry {
    /// Nobody makes this call.
    Fresh(UnderWay),
    /// Somebody makes it: wait until the channel closes, then look for its receipt.
    Taken(watch::Receiver<()>),
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call, unless it is under way.
    #[must_use]
    pub fn enter(&self, call: Digest) -> Entry {
        let mut inner = self.lock();
        if let Some(taken) = inner.under_way.get(&call) {
            return Entry::Taken(taken.clone());
        }
        let (done, receiver) = watch::channel(());
        inner.under_way.insert(call, receiver);
        Entry::Fresh(UnderWay { pending: self.clone(), call, _done: done })
    }

    /// Notes where the journal first speaks of a call.
    pub fn reserve(&self, id: ReceiptId, position: Position) {
        self.lock().positions.insert(id, position);
    }

    /// A receipt is durable.
    pub fn add(&self, metered: &Arc<Metered>) {
        let mut inner = self.lock();
        let id = metered.receipt();
        if let Some(replaced) = inner.metered.get(&id).map(|(metered, _)| metered.leaf.call) {
            inner.calls.remove(&replaced);
        }
        if metered.leaf.call != Digest::ZERO {
            inner.calls.insert(metered.leaf.call, id);
        }
        inner.metered.insert(id, (Arc::clone(metered), Instant::now()));
    }

    /// Receipts are final and archived; how long each has waited for that.
    pub fn remove(&self, ids: &[ReceiptId]) -> Vec<Duration> {
        let mut inner = self.lock();
        let mut waited = Vec::with_capacity(ids.len());
        for id in ids {
            inner.positions.remove(id);
            if let Some((metered, since)) = inner.metered.remove(id) {
                inner.calls.remove(&metered.leaf.call);
                waited.push(since.elapsed());
            }
        }
        waited
    }

    /// The receipt with an id.
    #[must_use]
    pub fn receipt(&self, id: ReceiptId) -> Option<Arc<Metered>> {
        self.lock().metered.get(&id).map(|(metered, _)| Arc::clone(metered))
    }

    /// The receipt of a call.
    #[must_use]
    pub fn of_call(&self, call: &Digest) -> Option<Arc<Metered>> {
        let inner = self.lock();
        let found = inner.calls.get(call).and_then(|id| inner.metered.get(id));
        found.map(|(metered, _)| Arc::clone(metered))
    }

    /// Every receipt that is not final.
    #[must_use]
    pub fn receipts(&self) -> Vec<Arc<Metered>> {
        self.lock().metered.values().map(|(metered, _)| Arc::clone(metered)).collect()
    }

    /// How many receipts wait to be final.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().metered.len()
    }

    /// Whether no receipt waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.lock().under_way.len()
    }

    /// The oldest place in the journal that is still needed.
    #[must_use]
    pub fn oldest(&self) -> Option<Position> {
        self.lock().positions.values().min().copied()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.pending.lock().under_way.remove(&self.call);
    }
}
