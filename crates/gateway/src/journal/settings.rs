//! What can be chosen about a journal, and within which bounds.

use super::error::JournalError;
use std::time::Duration;

/// Smallest segment that can be asked for, bytes.
pub const SEGMENT_BYTES_MIN: u64 = 4 << 10;
/// Largest segment that can be asked for, bytes.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Longest that a group may be waited for.
pub const GROUP_DELAY_MAX: Duration = Duration::from_millis(10);
/// Most records that may share a sync.
pub const GROUP_RECORDS_MAX: usize = 1 << 16;
/// Most records that may wait to be committed.
pub const QUEUE_RECORDS_MAX: usize = 1 << 20;
/// Most bytes that may wait to be committed.
pub const QUEUE_BYTES_MAX: usize = 1 << 30;

/// How commits become durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Commits that come while a sync is under way share the next one (group commit).
    Group {
        /// How long the next sync waits for the companions of the last one to come again, and for
        /// those who said that they are coming. A commit that comes to an idle journal never
        /// waits.
        delay: Duration,
        /// Records that are enough to wait no longer, and the most that share a sync (one
        /// larger commit has a sync of its own).
        records_max: usize,
    },
}

/// What can be chosen about a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Length from which on a new segment is begun, bytes. A commit is never split, so a
    /// segment is longer by at most one commit.
    pub segment_bytes_max: u64,
    /// How commits become durable.
    pub sync: Sync,
    /// Most records that may wait to be committed.
    pub queue_records_max: usize,
    /// Most bytes that may wait to be committed, with their frames; also the largest commit.
    pub queue_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 << 20,
            sync: Sync::Group { delay: Duration::from_micros(500), records_max: 4_096 },
            queue_records_max: 16_384,
            queue_bytes_max: 64 << 20,
        }
    }
}

impl Settings {
    /// Refuses what is out of bounds.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        let Sync::Group { delay, records_max } = self.sync;
        let (delay, delay_max) = (delay.as_micros(), GROUP_DELAY_MAX.as_micros());
        let (segment_min, segment_max) = (SEGMENT_BYTES_MIN.into(), SEGMENT_BYTES_MAX.into());
        within("segment_bytes_max", self.segment_bytes_max.into(), segment_min, segment_max)?;
        within("delay (µs)", delay, 0, delay_max)?;
        within("records_max", records_max as u128, 1, GROUP_RECORDS_MAX as u128)?;
        let (records, bytes) = (self.queue_records_max as u128, self.queue_bytes_max as u128);
        within("queue_records_max", records, 1, QUEUE_RECORDS_MAX as u128)?;
        within("queue_bytes_max", bytes, 1, QUEUE_BYTES_MAX as u128)
    }
}

fn within(name: &'static str, value: u128, min: u128, max: u128) -> Result<(), JournalError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(JournalError::Setting { name, value, min, max })
    }
}
