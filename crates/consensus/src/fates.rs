//! A bounded memory of refusals, oldest forgotten first.

use crate::machine::Refusal;
use ambar_base::Digest;
use std::collections::{HashMap, VecDeque};

/// The refusals of late.
#[derive(Debug)]
pub(crate) struct Refusals {
    max: usize,
    order: VecDeque<Digest>,
    refusals: HashMap<Digest, Refusal>,
}

impl Refusals {
    /// Remembers at most `max`.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, order: VecDeque::new(), refusals: HashMap::new() }
    }

    /// Remembers that a transaction was refused; a later refusal replaces an earlier one.
    pub(crate) fn insert(&mut self, id: Digest, refusal: Refusal) {
        if self.refusals.insert(id, refusal).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.refusals.remove(&oldest);
            }
        }
    }

    /// Why a transaction was refused.
    pub(crate) fn get(&self, id: &Digest) -> Option<&Refusal> {
        self.refusals.get(id)
    }
}
