//! Decisions by which calls were refused, of late: an audit makes them again.
//!
//! Decisions by which calls were admitted are kept with their receipts. Refusals move no
//! money, so nothing waits for them to be durable, and only the latest are kept: whoever has
//! a certificate can be refused as often as they like.
//!
//! **Invariant**: what is read is what was decided, in order; a gap is never in the middle.

use crate::journal::{Journal, JournalError, Position, Settings};
use ambar_base::{Encode, codec};
use ambar_licence::DecisionRecord;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Length of a segment of refusals, bytes.
const SEGMENT_BYTES: u64 = 4 << 20;
/// Segments that are kept, the one that is written included.
const SEGMENTS_KEPT: u64 = 16;
/// The directory, in the gateway's.
const DIRECTORY: &str = "refusals";

/// The refusals of a gateway.
pub struct Refusals {
    journal: Journal,
    kept: Mutex<VecDeque<Position>>,
}

impl Refusals {
    /// Opens those in a gateway's directory.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let settings = Settings { segment_bytes_max: SEGMENT_BYTES, ..Settings::default() };
        let (journal, found) = Journal::open(directory.join(DIRECTORY), &settings)?;
        let kept = found.records.into_iter().map(|(position, _)| position).collect();
        Ok(Self { journal, kept: Mutex::new(kept) })
    }

    /// Keeps one. What cannot be written is told to the operator only: the caller is refused
    /// all the same.
    pub fn keep(&self, decision: &DecisionRecord) {
        // Held while it is written: positions ascend.
        let mut kept = self.lock();
        let written = self.journal.append(&decision.to_bytes()).and_then(|position| {
            kept.push_back(position);
            let first = position.segment.saturating_sub(SEGMENTS_KEPT - 1);
            let gone = kept.partition_point(|position| position.segment < first);
            if gone == 0 {
                return Ok(());
            }
            kept.drain(..gone);
            kept.front().map_or(Ok(()), |oldest| self.journal.retain_from(*oldest))
        });
        if let Err(error) = written {
            tracing::warn!(%error, "a refusal cannot be kept");
        }
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands each to `see`, oldest first; those that were dropped meanwhile are left out.
    ///
    /// # Errors
    /// `File` and `Corrupt`.
    pub fn each(
        &self,
        mut see: impl FnMut(Result<DecisionRecord, codec::DecodeError>),
    ) -> Result<(), JournalError> {
        let positions: Vec<_> = self.lock().iter().copied().collect();
        for position in positions {
            match self.journal.read(position) {
                Ok(bytes) => see(codec::decode(&bytes)),
                Err(JournalError::PositionUnknown(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Position>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Height, Moment, Price};
    use ambar_licence::CallFacts;

    fn refusal(channel: u64) -> DecisionRecord {
        let facts = CallFacts {
            channel,
            height: Height(1),
            now: Moment(1),
            ledger_age_ms: 0,
            remaining: Price(0),
            expires: Moment(2),
            closing: true,
            unit_price_max: Price(0),
            purpose: None,
            agent: None,
            price_max: Price(0),
            blocks: Vec::new(),
            parts: Vec::new(),
        };
        let decided = facts.decide(&[]);
        facts.recorded(&decided)
    }

    fn channels(refusals: &Refusals) -> Vec<u64> {
        let mut found = Vec::new();
        refusals.each(|decision| found.push(decision.unwrap().facts.channel)).unwrap();
        found
    }

    #[test]
    fn they_outlive_the_process_and_are_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let refusals = Refusals::open(directory.path()).unwrap();
        (0..3).for_each(|channel| refusals.keep(&refusal(channel)));
        drop(refusals);
        let refusals = Refusals::open(directory.path()).unwrap();
        refusals.keep(&refusal(3));
        assert_eq!(channels(&refusals), [0, 1, 2, 3]);
        // More than fit: the oldest are gone, the newest are there, and nothing between.
        let each = refusal(3).to_bytes().len() as u64;
        let many = (SEGMENTS_KEPT + 2) * SEGMENT_BYTES / each;
        (4..many).for_each(|channel| refusals.keep(&refusal(channel)));
        let found = channels(&refusals);
        assert!(found[0] > 3 && found.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        assert_eq!((found.last(), found.len()), (Some(&(many - 1)), refusals.len()));
        let files = std::fs::read_dir(directory.path().join(DIRECTORY)).unwrap().count() as u64;
        assert!(files <= SEGMENTS_KEPT + 2, "{files} files with the lock");
    }
}
