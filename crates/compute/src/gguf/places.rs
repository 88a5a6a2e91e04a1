//! How many jobs an engine has at a time, and how many of them one party.
//!
//! **Invariant**: no more jobs than places, and, of a party that is somebody, no
//! more than half of them: whoever asks for everything leaves room for others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Failure;
use crate::limits::{GENERATE_JOBS_PARTY_MAX, GENERATE_JOBS_QUEUED_MAX};

use super::slots::NOBODY;

/// The places of an engine's jobs, running or waiting.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// How many jobs each party has; no party stands here with none.
    taken: Mutex<BTreeMap<u64, usize>>,
}

/// A job's place, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    party: u64,
}

impl Places {
    /// A place for a job of `party`.
    ///
    /// # Errors
    /// [`Failure::Busy`]: all places are taken, or all that the party may have.
    pub(super) fn take(self: &Arc<Self>, party: u64) -> Result<Place, Failure> {
        let mut taken = self.lock();
        let full = |jobs: usize, queued_max: usize| {
            if jobs >= queued_max { Err(Failure::Busy { queued_max }) } else { Ok(()) }
        };
        full(taken.values().sum(), GENERATE_JOBS_QUEUED_MAX)?;
        let own = taken.get(&party).copied().unwrap_or_default();
        if party != NOBODY {
            full(own, GENERATE_JOBS_PARTY_MAX)?;
        }
        taken.insert(party, own + 1);
        Ok(Place { places: Arc::clone(self), party })
    }

    /// Nothing can panic under the lock, so that a poisoned one is consistent.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.party) {
            Some(jobs) if *jobs > 1 => *jobs -= 1,
            _ => drop(taken.remove(&self.party)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes places until there are none; how many there were, and the limit told.
    fn fill(places: &Arc<Places>, party: u64, held: &mut Vec<Place>) -> (usize, usize) {
        let before = held.len();
        loop {
            match places.take(party) {
                Ok(place) => held.push(place),
                Err(Failure::Busy { queued_max }) => return (held.len() - before, queued_max),
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn nobody_takes_all_and_everything_is_given_back() {
        let (all, half) = (GENERATE_JOBS_QUEUED_MAX, GENERATE_JOBS_PARTY_MAX);
        let (places, mut held) = (Arc::new(Places::default()), Vec::new());
        assert_eq!(fill(&places, 7, &mut held), (half, half));
        assert_eq!(fill(&places, 8, &mut held), (all - half, all));
        assert_eq!(fill(&places, 9, &mut held), (0, all));
        held.pop();
        assert_eq!(fill(&places, 9, &mut held), (1, all));
        held.clear();
        assert!(places.lock().is_empty());
        // Those of nobody are of many.
        assert_eq!(fill(&places, NOBODY, &mut held), (all, all));
    }
}
