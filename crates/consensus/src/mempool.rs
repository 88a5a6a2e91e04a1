//! Transactions that wait, and who waits for them.
//!
//! **Invariant**: count and bytes stay within the limits; an id is in the pool once. A
//! transaction stays in the pool until it is final or refused for good, so that submitting
//! it again joins it, and a block that comes to nothing loses none.

use crate::engine::Committed;
use crate::error::SubmitError;
use crate::machine::Admission;
use crate::settings::{BlockLimits, PoolLimits};
use ambar_base::{Digest, Height};
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tokio::sync::oneshot;

/// What a submitter hears.
pub type Answer = Result<Committed, SubmitError>;

/// A transaction's place in the order of arrival.
type Ticket = u64;

struct Waiting {
    admission: Admission,
    bytes: Bytes,
    submitters: Vec<oneshot::Sender<Answer>>,
}

/// A transaction that may go into a block.
pub struct Candidate {
    /// Its id.
    pub id: Digest,
    /// The last height at which it may be final.
    pub expiry: Height,
    /// Its bytes.
    pub bytes: Bytes,
}

/// The pool.
pub struct Mempool {
    limits: PoolLimits,
    waiting: BTreeMap<Ticket, Waiting>,
    by_fee: BTreeSet<(Reverse<u64>, Ticket)>,
    tickets: HashMap<Digest, Ticket>,
    bytes: usize,
    next: Ticket,
}

impl Mempool {
    /// An empty pool.
    pub fn new(limits: PoolLimits) -> Self {
        let (waiting, by_fee, tickets) = Default::default();
        Self { limits, waiting, by_fee, tickets, bytes: 0, next: 0 }
    }

    /// Adds a transaction, or joins those who wait for it already.
    pub fn insert(
        &mut self,
        admission: Admission,
        bytes: Bytes,
    ) -> Result<oneshot::Receiver<Answer>, SubmitError> {
        let (sender, receiver) = oneshot::channel();
        if let Some(ticket) = self.tickets.get(&admission.id) {
            self.join(*ticket, sender)?;
            return Ok(receiver);
        }
        let fits = self.waiting.len() < self.limits.transactions_max
            && bytes.len() <= self.limits.bytes_max - self.bytes;
        if !fits {
            return Err(SubmitError::Overloaded);
        }
        let ticket = self.next;
        self.next += 1;
        self.bytes += bytes.len();
        self.by_fee.insert((Reverse(admission.fee_per_byte), ticket));
        self.tickets.insert(admission.id, ticket);
        let waiting = Waiting { admission, bytes, submitters: vec![sender] };
        self.waiting.insert(ticket, waiting);
        Ok(receiver)
    }

    fn join(&mut self, ticket: Ticket, sender: oneshot::Sender<Answer>) -> Result<(), SubmitError> {
        let max = self.limits.submitters_max;
        let waiting = self.waiting.get_mut(&ticket).ok_or(SubmitError::Overloaded)?;
        waiting.submitters.retain(|submitter| !submitter.is_closed());
        if waiting.submitters.len() >= max {
            return Err(SubmitError::Overloaded);
        }
        waiting.submitters.push(sender);
        Ok(())
    }

    /// The transactions for a block in the order of arrival, without those in `taken`; when
    /// not all fit, those that offer most.
    pub fn select(&self, limits: &BlockLimits, taken: &HashSet<Digest>) -> Vec<Candidate> {
        let mut bytes = 0;
        let mut chosen = BTreeSet::new();
        for (_, ticket) in &self.by_fee {
            let Some(waiting) = self.waiting.get(ticket) else { continue };
            if taken.contains(&waiting.admission.id) {
                continue;
            }
            bytes += waiting.bytes.len();
            let full = chosen.len() >= limits.transactions_max || bytes > limits.bytes_max;
            // The first always goes in, so that something does.
            if full && !chosen.is_empty() {
                break;
            }
            chosen.insert(*ticket);
        }
        chosen.iter().filter_map(|ticket| self.waiting.get(ticket)).map(candidate).collect()
    }

    /// Whether [`Self::select`] would find something.
    pub fn has_besides(&self, taken: &HashSet<Digest>) -> bool {
        self.tickets.keys().any(|id| !taken.contains(id))
    }

    /// Answers those whose transactions can no longer be in a block of height `next`.
    pub fn expire(&mut self, next: Height) {
        let late: Vec<_> = self
            .waiting
            .values()
            .filter(|waiting| waiting.admission.expiry < next)
            .map(|waiting| (waiting.admission.id, waiting.admission.expiry))
            .collect();
        for (id, expiry) in late {
            self.resolve(&id, &Err(SubmitError::TransactionExpired { expiry, next }));
        }
    }

    /// Removes a transaction and answers those who wait for it.
    pub fn resolve(&mut self, id: &Digest, answer: &Answer) {
        let Some(ticket) = self.tickets.remove(id) else { return };
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        self.bytes -= waiting.bytes.len();
        self.by_fee.remove(&(Reverse(waiting.admission.fee_per_byte), ticket));
        for submitter in waiting.submitters {
            // Whoever dropped the future does not want to know.
            let _ = submitter.send(answer.clone());
        }
    }

    /// Answers everybody with `error`, in the order of arrival, and forgets all.
    pub fn fail_all(&mut self, error: &SubmitError) {
        let ids: Vec<_> = self.waiting.values().map(|waiting| waiting.admission.id).collect();
        for id in ids {
            self.resolve(&id, &Err(error.clone()));
        }
    }

    /// Answers everybody with `error`; their transactions wait on.
    pub fn tell_all(&mut self, error: &SubmitError) {
        for waiting in self.waiting.values_mut() {
            for submitter in waiting.submitters.drain(..) {
                let _ = submitter.send(Err(error.clone()));
            }
        }
    }

    /// Whether a transaction waits.
    pub fn contains(&self, id: &Digest) -> bool {
        self.tickets.contains_key(id)
    }
}

fn candidate(waiting: &Waiting) -> Candidate {
    let Admission { id, expiry, .. } = waiting.admission;
    Candidate { id, expiry, bytes: waiting.bytes.clone() }
}

#[cfg(test)]
mod tests;
