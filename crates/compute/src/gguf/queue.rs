//! Who is next: a queue that is fair between parties.
//!
//! It knows parties and their order, not what waits. How many may wait is
//! bounded by whoever pushes.
//!
//! **Invariant**: of the parties that wait, each gets one turn before any gets
//! its second; within a party, what came first goes first.

use std::collections::{BTreeMap, VecDeque};

/// What waits, by party. An item is known by a number that its owner gives it.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// The parties that wait, the next one first; none stands here twice.
    turns: VecDeque<u64>,
    /// Never an empty line.
    lines: BTreeMap<u64, VecDeque<(u64, T)>>,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), lines: BTreeMap::new() }
    }
}

impl<T> FairQueue<T> {
    /// Puts an item behind those of its party.
    pub(super) fn push(&mut self, party: u64, number: u64, item: T) {
        self.line(party).push_back((number, item));
    }

    /// Puts an item before those of its party: it has been at the front before.
    pub(super) fn push_again(&mut self, party: u64, number: u64, item: T) {
        self.line(party).push_front((number, item));
    }

    /// Takes the next item; its party stands behind all others then.
    pub(super) fn pop(&mut self) -> Option<T> {
        let party = self.turns.pop_front()?;
        let line = self.lines.get_mut(&party)?;
        let item = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&party);
        } else {
            self.turns.push_back(party);
        }
        item.map(|(_, item)| item)
    }

    /// Takes an item out of the middle, if it waits.
    pub(super) fn remove(&mut self, party: u64, number: u64) -> Option<T> {
        let line = self.lines.get_mut(&party)?;
        let at = line.iter().position(|(other, _)| *other == number)?;
        let item = line.remove(at);
        if line.is_empty() {
            self.lines.remove(&party);
            self.turns.retain(|other| *other != party);
        }
        item.map(|(_, item)| item)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn line(&mut self, party: u64) -> &mut VecDeque<(u64, T)> {
        let turns = &mut self.turns;
        self.lines.entry(party).or_insert_with(|| {
            turns.push_back(party);
            VecDeque::new()
        })
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
