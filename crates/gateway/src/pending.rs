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
/// Most memory that they take, bytes; past it new calls are refused.
pub const RECEIPTS_PENDING_BYTES_MAX: usize = 32 << 20;
/// What each takes besides itself: its places in maps, what allocators add.
const RECEIPT_BYTES_BESIDES: usize = 512;

#[derive(Default)]
struct Inner {
    under_way: BTreeMap<Digest, watch::Receiver<()>>,
    metered: BTreeMap<ReceiptId, (Arc<Metered>, Instant)>,
    calls: BTreeMap<Digest, ReceiptId>,
    positions: BTreeMap<ReceiptId, Position>,
    /// What `metered` takes, bytes.
    bytes: usize,
}

/// About how much memory a receipt takes.
fn bytes_of(metered: &Metered) -> usize {
    let Metered { leaf, details, decision, evidence, blocks, quotas, answer, .. } = metered;
    let shares = leaf.lines.iter().flat_map(|line| &line.shares);
    let shares = shares.map(|shares| size_of_val(shares) + size_of_val(&*shares.weights));
    let routing = details.as_ref().map_or(0, |details| size_of_val(&*details.routing));
    let evidence = evidence.iter().map(|one| size_of_val(one) + one.len());
    let body = answer.body.as_ref().map_or(0, |body| body.bytes.len());
    let fixed = size_of_val(metered) + size_of_val(&*leaf.lines) + routing + RECEIPT_BYTES_BESIDES;
    let lists = size_of_val(&**blocks) + size_of_val(&**quotas);
    let decision = decision.as_ref().map_or(0, Vec::len);
    fixed + shares.sum::<usize>() + evidence.sum::<usize>() + body + lists + decision
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
        if let Some((replaced, _)) = inner.metered.remove(&id) {
            inner.calls.remove(&replaced.leaf.call);
            inner.bytes -= bytes_of(&replaced);
        }
        inner.bytes += bytes_of(metered);
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
                inner.bytes -= bytes_of(&metered);
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

    /// Whether so much waits that nothing may be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let inner = self.lock();
        inner.metered.len() >= RECEIPTS_PENDING_MAX || inner.bytes >= RECEIPTS_PENDING_BYTES_MAX
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

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Height, Moment};

    fn receipt(n: u64, evidence: usize) -> Arc<Metered> {
        let void = Metered::void(1, n, Height(1), Moment(1));
        Arc::new(Metered { evidence: vec![vec![0; evidence]], ..void })
    }

    #[test]
    fn large_receipts_fill_it_before_many_do() {
        let (pending, large) = (Pending::default(), RECEIPTS_PENDING_BYTES_MAX / 2);
        pending.add(&receipt(0, large));
        // The same receipt again is no second one.
        pending.add(&receipt(0, large));
        assert!(!pending.is_full());
        pending.add(&receipt(1, large));
        assert!(pending.is_full());
        let ids = [0, 1].map(|n| ReceiptId { channel: 1, n });
        assert_eq!(pending.remove(&ids).len(), 2);
        assert!(!pending.is_full());
        assert_eq!(pending.lock().bytes, 0);
    }

    #[test]
    fn small_receipts_are_counted() {
        let pending = Pending::default();
        (0..2_000).for_each(|n| pending.add(&receipt(n, 0)));
        let bytes = pending.lock().bytes;
        let each = size_of::<Metered>() + RECEIPT_BYTES_BESIDES + size_of::<Vec<u8>>();
        assert_eq!(bytes, 2_000 * each);
    }
}
