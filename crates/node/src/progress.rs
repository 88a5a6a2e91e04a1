//! How far long work has come, for whoever waits for it.
//!
//! Whoever works writes into a [`Gauge`]; the API and the command line look. A gauge knows
//! neither what becomes of its figures nor who looks, and no work ever waits for a look.
//!
//! **Invariant**: a gauge is idle unless somebody works: what [`Gauge::begin`] returns
//! makes it so again, however the work ends.

use ambar_base::Cid;
use std::sync::Arc;
use tokio::sync::watch;

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// An engine, or a corpus that is there, is opened and checked.
    Opening,
    /// A dataset's records are read from their blobs, in bytes.
    Reading,
    /// Records are checked and hashed, in bytes.
    Checking,
    /// The suffixes of all records are sorted. Nobody knows how far that is.
    Sorting,
    /// Passages are cut and their words indexed, in bytes.
    Indexing,
    /// A corpus is written and made durable.
    Writing,
    /// Blocks of the network are waited for: too few validators run yet.
    Network,
    /// The index takes in blocks.
    Index,
    /// Blocks are executed again.
    Blocks,
    /// The recomputed state is compared, and its invariants are checked.
    State,
    /// The settled calls of each block are added up, in blocks.
    Calls,
    /// Receipts are compared with what settled.
    Receipts,
}

impl Phase {
    /// Its name in the API, for ever.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Opening => "opening",
            Self::Reading => "reading",
            Self::Checking => "checking",
            Self::Sorting => "sorting",
            Self::Indexing => "indexing",
            Self::Writing => "writing",
            Self::Network => "network",
            Self::Index => "index",
            Self::Blocks => "blocks",
            Self::State => "state",
            Self::Calls => "calls",
            Self::Receipts => "receipts",
        }
    }

    /// What it counts; nothing if it counts nothing.
    #[must_use]
    pub const fn unit(self) -> Option<&'static str> {
        match self {
            Self::Reading | Self::Checking | Self::Indexing => Some("bytes"),
            Self::Index | Self::Blocks | Self::Calls => Some("blocks"),
            Self::Receipts => Some("receipts"),
            Self::Idle
            | Self::Opening
            | Self::Sorting
            | Self::Writing
            | Self::Network
            | Self::State => None,
        }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// The capsule that it is about, if it is about one.
    pub capsule: Option<Cid>,
    /// What is being done.
    pub phase: Phase,
    /// How much of it is done, in [`Phase::unit`].
    pub done: u64,
    /// Of how much; 0 if nobody knows.
    pub total: u64,
}

/// Where work is noted. Clones are the same gauge.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<watch::Sender<Work>>);

impl Gauge {
    /// How far the work is.
    #[must_use]
    pub fn work(&self) -> Work {
        *self.0.borrow()
    }

    /// Follows it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Work> {
        self.0.subscribe()
    }

    /// Work begins; it is over when the returned value is dropped.
    pub(crate) fn begin(&self, capsule: Option<Cid>) -> Busy<'_> {
        self.0.send_replace(Work { capsule, ..Work::default() });
        Busy(self)
    }
}

/// Work under way.
pub(crate) struct Busy<'a>(&'a Gauge);

impl Busy<'_> {
    /// Notes how far it is.
    pub fn at(&self, phase: Phase, done: u64, total: u64) {
        self.0.0.send_modify(|work| {
            *work = Work { capsule: work.capsule, phase, done, total };
        });
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.0.send_replace(Work::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_idle_again_however_work_ends() {
        let (gauge, capsule) = (Gauge::default(), Cid::of(b"a dataset"));
        let seen = gauge.clone();
        let busy = gauge.begin(Some(capsule));
        busy.at(Phase::Reading, 3, 7);
        let expect = Work { capsule: Some(capsule), phase: Phase::Reading, done: 3, total: 7 };
        assert_eq!(seen.work(), expect);
        let work = || -> Result<(), ()> {
            let busy = gauge.begin(None);
            busy.at(Phase::Blocks, 1, 2);
            Err(())
        };
        drop(busy);
        assert!(work().is_err());
        assert_eq!(seen.work(), Work::default());
    }
}
