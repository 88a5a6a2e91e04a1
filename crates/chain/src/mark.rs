//! In which epochs a key may have voted, kept apart from the votes.
//!
//! A validator that votes twice in one view loses its seat and its bond. What keeps it from
//! that after a crash is its journal of votes; what keeps it from that after the journal is
//! gone is this mark, which lies beside the key.
//!
//! **Invariant**: a key votes in an epoch only if the mark of it was durable before its first
//! vote, and if the mark was there earlier, only where the epoch's votes are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where the newest epoch is kept in which a key may have voted.
pub trait VoteMark: Send + Sync {
    /// The newest epoch.
    fn newest(&self) -> io::Result<Option<u64>>;

    /// Makes `epoch` the newest, durably.
    fn raise(&self, epoch: u64) -> io::Result<()>;
}

/// Whether a key may vote in an epoch, given whether that was begun where its votes are kept.
pub fn may_vote(mark: &dyn VoteMark, epoch: u64, begun: bool) -> io::Result<bool> {
    Ok(begun || mark.newest()?.is_none_or(|newest| newest < epoch))
}

/// A mark in a file.
pub struct FileMark(pub PathBuf);

const PREFIX: &str = "may have voted in epochs up to ";

impl VoteMark for FileMark {
    fn newest(&self) -> io::Result<Option<u64>> {
        let text = match fs::read_to_string(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let epoch = text.strip_prefix(PREFIX).and_then(|rest| rest.trim_end().parse().ok());
        let damaged = || io::Error::other(format!("{} is damaged", self.0.display()));
        epoch.map(Some).ok_or_else(damaged)
    }

    fn raise(&self, epoch: u64) -> io::Result<()> {
        let staged = self.0.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&staged)?;
        writeln!(file, "{PREFIX}{epoch}")?;
        file.sync_all()?;
        fs::rename(&staged, &self.0)?;
        File::open(self.0.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}
