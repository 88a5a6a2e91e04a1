//! In which epochs a member may have voted, kept through its crashes as beside its key.

use ambar_chain::mark::VoteMark;
use std::io;
use std::sync::{Mutex, PoisonError};

/// A mark in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryMark(Mutex<Option<u64>>);

impl VoteMark for MemoryMark {
    fn newest(&self) -> io::Result<Option<u64>> {
        Ok(*self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn raise(&self, epoch: u64) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(epoch);
        Ok(())
    }
}
