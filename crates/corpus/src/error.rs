//! What can go wrong with a corpus, and which public code each failure shows.

use ambar_attribution::EvidenceError;
use ambar_base::{Coded, ErrorCode};
use std::io;
use std::path::{Path, PathBuf};

/// Why a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// Bytes that are not UTF-8.
    #[error("it is not UTF-8 text (at byte {offset})")]
    NotUtf8 {
        /// First byte that is not.
        offset: usize,
    },
    /// A zero byte, which separates documents inside.
    #[error("it holds a zero byte (at byte {offset})")]
    ZeroByte {
        /// Where.
        offset: usize,
    },
    /// Longer than the limit of one document.
    #[error("it has {bytes} bytes; the limit is {bytes_max}")]
    TooLarge {
        /// Length found.
        bytes: usize,
        /// Longest allowed.
        bytes_max: usize,
    },
    /// An empty or overlong title.
    #[error("its title is empty or longer than {bytes_max} bytes")]
    Title {
        /// Longest title, bytes.
        bytes_max: usize,
    },
    /// A title that an earlier record has.
    #[error("an earlier record has the same title")]
    TitleRepeats,
}

/// Why a corpus cannot be built, opened or searched.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// No record at all.
    #[error("a corpus needs at least one record")]
    Empty,
    /// A record that cannot be part of a corpus.
    #[error("record {title:?} is refused: {fault}")]
    Record {
        /// Its title.
        title: String,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// More records or bytes than one corpus holds.
    #[error("the records exceed one corpus: {what} is limited to {max}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// A question or answer longer than the limit.
    #[error("a {what} of {bytes} bytes exceeds the limit of {bytes_max}")]
    TextTooLong {
        /// Question or answer.
        what: &'static str,
        /// Length found.
        bytes: usize,
        /// Longest allowed.
        bytes_max: usize,
    },
    /// Parameters beyond their limits.
    #[error(transparent)]
    Parameters(#[from] EvidenceError),
    /// No such document, or a range outside it.
    #[error("document {document} has no text at {start}..{end}")]
    NoSuchText {
        /// Index of the document.
        document: u32,
        /// First byte asked for.
        start: u32,
        /// Byte after the last asked for.
        end: u32,
    },
    /// No stretch of a document that a proof can be of.
    #[error("document {document} has no span of {bytes} bytes at {offset}")]
    NoSuchSpan {
        /// Index of the document.
        document: u32,
        /// First byte asked for.
        offset: u32,
        /// Bytes asked for.
        bytes: u32,
    },
    /// The suffix array could not be built.
    #[error("the suffix array could not be built: {0}")]
    SuffixArray(String),
    /// A file that is not what was written.
    #[error("{} is damaged: {what}", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Which part of it, and how.
        what: String,
    },
    /// A file of another format version.
    #[error("{} has format version {found}, this program reads {expected}", .file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Version found.
        found: u16,
        /// Version read by this program.
        expected: u16,
    },
    /// The disk or file system refused.
    #[error("{}: {source}", .file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl CorpusError {
    pub(crate) fn io(file: &Path, source: io::Error) -> Self {
        Self::Io { file: file.to_owned(), source }
    }

    pub(crate) fn damaged(file: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), what: what.into() }
    }
}

impl Coded for CorpusError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Empty | Self::Record { fault: RecordFault::Empty, .. } => ErrorCode::DatasetEmpty,
            Self::Record { fault: RecordFault::TooLarge { .. }, .. } => ErrorCode::LimitExceeded,
            Self::Record { .. } | Self::Parameters(_) => ErrorCode::RequestInvalid,
            Self::TooLarge { .. } | Self::TextTooLong { .. } => ErrorCode::LimitExceeded,
            Self::NoSuchText { .. } | Self::NoSuchSpan { .. } => ErrorCode::NotFound,
            Self::SuffixArray(_) => ErrorCode::Internal,
            Self::Damaged { .. } | Self::Version { .. } => ErrorCode::CorpusCorrupt,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorCode::NotFound,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                _ => ErrorCode::FileUnreadable,
            },
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Record { title, .. } => Some(format!("correct or leave out record {title:?}")),
            _ => None,
        }
    }
}
