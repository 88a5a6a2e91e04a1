//! Transactions that wait, and who waits for them.
//!
//! **Invariant**: count and bytes stay within the limits; an id is in the pool once. A
//! transaction stays in the pool while its block is being made, so that submitting it
//! again joins it.

use crate::engine::Committed;
use crate::error::SubmitError;
use crate::machine::Admission;
use crate::settings::{BlockLimits, PoolLimits};
use ambar_base::{Digest, Height};
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::sync::oneshot;

/// What a submitter hears.
pub(crate) type Answer = Result<Committed, SubmitError>;

/// A transaction's place in the order of arrival.
pub(crate) type Ticket = u64;

struct Waiting {
    admission: Admission,
    bytes: Bytes,
    submitters: Vec<oneshot::Sender<Answer>>,
}

/// A transaction that may go into the next block.
pub(crate) struct Candidate {
    pub(crate) ticket: Ticket,
    pub(crate) id: Digest,
    pub(crate) expiry: Height,
    pub(crate) bytes: Bytes,
}

/// The pool.
pub(crate) struct Mempool {
    limits: PoolLimits,
    waiting: BTreeMap<Ticket, Waiting>,
    by_fee: BTreeSet<(Reverse<u64>, Ticket)>,
    tickets: HashMap<Digest, Ticket>,
    bytes: usize,
    next: Ticket,
}

impl Mempool {
    /// An empty pool.
    pub(crate) fn new(limits: PoolLimits) -> Self {
        let (waiting, by_fee, tickets) = Default::default();
        Self { limits, waiting, by_fee, tickets, bytes: 0, next: 0 }
    }

    /// Adds a transaction, or joins those who wait for it already.
    pub(crate) fn insert(
        &mut self,
        admission: Admission,
        bytes: Vec<u8>,
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
        let waiting = Waiting { admission, bytes: bytes.into(), submitters: vec![sender] };
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

    /// The transactions for the next block in the order of arrival; when not all fit,
    /// those that offer most.
    pub(crate) fn select(&self, limits: &BlockLimits) -> Vec<Candidate> {
        if self.waiting.len() <= limits.transactions_max && self.bytes <= limits.bytes_max {
            return self.waiting.iter().map(candidate).collect();
        }
        let mut bytes = 0;
        let mut chosen = BTreeSet::new();
        for (_, ticket) in &self.by_fee {
            let length = self.waiting.get(ticket).map_or(0, |waiting| waiting.bytes.len());
            bytes += length;
            let full = chosen.len() >= limits.transactions_max || bytes > limits.bytes_max;
            // The first always goes in, so that something does.
            if full && !chosen.is_empty() {
                break;
            }
            chosen.insert(*ticket);
        }
        chosen
            .iter()
            .filter_map(|ticket| self.waiting.get_key_value(ticket))
            .map(candidate)
            .collect()
    }

    /// Removes a transaction and answers those who wait for it.
    pub(crate) fn resolve(&mut self, ticket: Ticket, answer: &Answer) {
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        self.bytes -= waiting.bytes.len();
        self.by_fee.remove(&(Reverse(waiting.admission.fee_per_byte), ticket));
        self.tickets.remove(&waiting.admission.id);
        for submitter in waiting.submitters {
            // Whoever dropped the future does not want to know.
            let _ = submitter.send(answer.clone());
        }
    }

    /// Answers everybody with `error`. Transactions in `kept` stay, without submitters.
    pub(crate) fn fail_all(&mut self, error: &SubmitError, kept: &BTreeSet<Ticket>) {
        let answer = Err(error.clone());
        let tickets: Vec<_> = self.waiting.keys().copied().collect();
        for ticket in tickets {
            if !kept.contains(&ticket) {
                self.resolve(ticket, &answer);
            } else if let Some(waiting) = self.waiting.get_mut(&ticket) {
                waiting.submitters.drain(..).for_each(|submitter| {
                    let _ = submitter.send(answer.clone());
                });
            }
        }
    }

    /// Whether a transaction waits.
    pub(crate) fn contains(&self, id: &Digest) -> bool {
        self.tickets.contains_key(id)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn candidate((ticket, waiting): (&Ticket, &Waiting)) -> Candidate {
    let Admission { id, expiry, .. } = waiting.admission;
    Candidate { ticket: *ticket, id, expiry, bytes: waiting.bytes.clone() }
}
