//! Figures of this process since it started: what its operator watches.

use crate::record::Metered;
use crate::telemetry::Telemetry;
use ambar_base::{ErrorCode, Price};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Figures {
    accepted: AtomicU64,
    charged: AtomicU64,
    hedged: AtomicU64,
    price: AtomicU64,
    tokens_in: AtomicU64,
    tokens_out: AtomicU64,
    refused: Mutex<BTreeMap<ErrorCode, u64>>,
    telemetry: Arc<Telemetry>,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Calls accepted.
    pub accepted: u64,
    /// Calls charged.
    pub charged: u64,
    /// Times that a second node was asked because the first was slow.
    pub hedged: u64,
    /// What they cost, nano-credit.
    pub price: u64,
    /// Prompt tokens.
    pub tokens_in: u64,
    /// Answer tokens.
    pub tokens_out: u64,
    /// Calls refused, by code.
    pub refused: BTreeMap<ErrorCode, u64>,
}

impl Figures {
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn hedged(&self) {
        self.hedged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn charged(&self, metered: &Metered, price: Price) {
        self.charged.fetch_add(1, Ordering::Relaxed);
        self.price.fetch_add(price.0, Ordering::Relaxed);
        self.tokens_in.fetch_add(metered.answer.tokens_in, Ordering::Relaxed);
        self.tokens_out.fetch_add(metered.answer.tokens_out, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, code: ErrorCode) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.entry(code).or_default() += 1;
    }

    /// What is told of each call, and how long its stages take.
    #[must_use]
    pub const fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Snapshot {
            accepted: read(&self.accepted),
            charged: read(&self.charged),
            hedged: read(&self.hedged),
            price: read(&self.price),
            tokens_in: read(&self.tokens_in),
            tokens_out: read(&self.tokens_out),
            refused: self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
