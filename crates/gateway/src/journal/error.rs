//! What can go wrong with a journal.

use super::Position;
use super::frame::RECORD_BYTES_MAX;
use ambar_base::{Coded, ErrorCode};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that were written are not there any more, or not as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is damaged at byte {offset}: {damage}", file.display())]
pub struct JournalCorrupt {
    /// The file.
    pub file: PathBuf,
    /// Where the damage begins, bytes from the start of the file.
    pub offset: u64,
    /// What is wrong there.
    pub damage: Damage,
}

impl JournalCorrupt {
    /// What to do about it. Nothing was changed, so every way is still open.
    #[must_use]
    pub fn what_to_do(&self) -> String {
        let file = self.file.display();
        format!(
            "nothing was changed; restore {file} from a copy, or move the journal's directory \
             aside to start an empty one (what it had not settled is then lost)"
        )
    }
}

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A frame's checksum or length is wrong, although it had been made durable.
    #[error("a durable record is not as it was written")]
    Frame,
    /// The header of a segment is wrong, or of an unknown version.
    #[error("the header is not that of this segment")]
    Header,
    /// A segment is longer or shorter than it was when the next one was begun.
    #[error("the segment does not have the length it was closed with")]
    Length,
    /// A segment between two others is gone.
    #[error("the segment is missing")]
    Missing,
}

/// Why the journal did not do what it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// Records were written since the caller looked, which its checkpoint cannot stand for.
    #[error("the journal ends at {end}, but the checkpoint was made for {seen}")]
    CheckpointStale {
        /// The end that the checkpoint was made for.
        seen: Position,
        /// The end now.
        end: Position,
    },
    /// A commit whose frames exceed the queue's limit.
    #[error("a commit of {bytes} bytes exceeds the limit of {max}")]
    CommitTooLarge {
        /// Size of all its frames, bytes.
        bytes: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// Written bytes are damaged.
    #[error(transparent)]
    Corrupt(#[from] JournalCorrupt),
    /// No space; nothing of the record was kept, and earlier records are untouched.
    #[error("no space left for {}", file.display())]
    DiskFull {
        /// The file that could not grow.
        file: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The disk failed at something that could be tried again.
    #[error("could not {doing} {}", file.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// Another process, or another handle of this one, has the journal.
    #[error("{} is in use by another process", .0.display())]
    HomeInUse(PathBuf),
    /// More commits wait than the queue holds.
    #[error("{records} records of {bytes} bytes already wait to be committed")]
    Overloaded {
        /// Records that wait.
        records: usize,
        /// Size of their frames, bytes.
        bytes: usize,
    },
    /// No record stands at this position.
    #[error("no record stands at {0}")]
    PositionUnknown(Position),
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("a record of {0} bytes exceeds the limit of {RECORD_BYTES_MAX}")]
    RecordTooLarge(usize),
    /// A setting outside its bounds.
    #[error("{name} is {value}, but must be {min} to {max}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What it is.
        value: u128,
        /// The least it may be.
        min: u128,
        /// The most it may be.
        max: u128,
    },
    /// A sync failed, so that what the kernel holds may never reach the disk. This handle
    /// acknowledges nothing any more; what it wrote is written again when the journal is opened.
    #[error("{} could not be made durable; the journal must be opened again", file.display())]
    SyncFailed {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
}

impl JournalError {
    /// The error of a file operation that may be tried again.
    pub(super) fn file(doing: &'static str, file: &Path, error: io::Error) -> Self {
        let (file, full) = (file.to_owned(), is_full(&error));
        let source = Arc::new(error);
        if full { Self::DiskFull { file, source } } else { Self::File { doing, file, source } }
    }

    /// The error of a rename: without space it was not done, else nobody knows.
    pub(super) fn rename(file: &Path, error: io::Error) -> Self {
        if is_full(&error) { Self::file("rename", file, error) } else { Self::sync(file, error) }
    }

    /// The error of a sync, which may not.
    pub(super) fn sync(file: &Path, error: io::Error) -> Self {
        Self::SyncFailed { file: file.to_owned(), source: Arc::new(error) }
    }
}

/// Whether the disk, or the owner's part of it, has no space.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Coded for JournalError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::CheckpointStale { .. } | Self::PositionUnknown(_) => ErrorCode::Internal,
            Self::CommitTooLarge { .. } | Self::RecordTooLarge(_) => ErrorCode::LimitExceeded,
            Self::Corrupt(_) => ErrorCode::JournalCorrupt,
            Self::DiskFull { .. } => ErrorCode::DiskFull,
            Self::File { .. } | Self::SyncFailed { .. } => ErrorCode::DiskFailed,
            Self::HomeInUse(_) => ErrorCode::HomeInUse,
            Self::Overloaded { .. } => ErrorCode::Overloaded,
            Self::Setting { .. } => ErrorCode::RequestInvalid,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Corrupt(corrupt) => Some(corrupt.what_to_do()),
            _ => None,
        }
    }
}
