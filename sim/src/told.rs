//! What clients were told, and what they made: the judge compares it with the chain.

use ambar_base::{Digest, PublicKey};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// That a transaction is final, as a member said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who said so.
    pub member: usize,
    /// Of which bytes.
    pub transaction: Vec<u8>,
    /// At which height.
    pub height: u64,
    /// At which place.
    pub index: u64,
}

/// Everything of one trial.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What was said to be final.
    pub answers: Vec<Answer>,
    /// The highest height at which something was said to be final.
    pub floor: u64,
    /// Calls that somebody made.
    pub calls: BTreeSet<Digest>,
    /// Transactions that must never be final.
    pub forged: BTreeSet<Vec<u8>>,
    /// Whom members caught voting against itself, and who caught it.
    pub caught: BTreeSet<(PublicKey, usize)>,
    /// What honest people were refused without reason.
    pub refused: Vec<String>,
}

/// Where clients note it.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<Record>>);

impl Told {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A member said that something is final.
    pub fn answer(&self, answer: Answer) {
        let mut record = self.record();
        record.floor = record.floor.max(answer.height);
        record.answers.push(answer);
    }

    /// Whoever sees less than this sees the past.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.record().floor
    }

    /// Somebody made a call.
    pub fn call(&self, call: Digest) {
        self.record().calls.insert(call);
    }

    /// A transaction that must never be final.
    pub fn forge(&self, transaction: Vec<u8>) {
        self.record().forged.insert(transaction);
    }

    /// A member has evidence against a key.
    pub fn caught(&self, key: PublicKey, by: usize) {
        self.record().caught.insert((key, by));
    }

    /// An honest person was refused.
    pub fn refuse(&self, what: String) {
        self.record().refused.push(what);
    }

    /// Everything so far.
    #[must_use]
    pub fn take(&self) -> Record {
        std::mem::take(&mut self.record())
    }
}
