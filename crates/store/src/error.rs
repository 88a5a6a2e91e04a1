//! What can go wrong with blobs.

use ambar_base::{Coded, ErrorCode};
use ambar_capsule::chunks::ContentRoot;
use std::io;

/// Why the store does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No blob has this root.
    #[error("no blob has the root {0}")]
    NotFound(ContentRoot),
    /// The blob or its outboard is not what was stored.
    #[error("blob {root} is damaged at byte {offset}")]
    BlobCorrupt {
        /// The blob.
        root: ContentRoot,
        /// The start of the first damaged group, bytes; 0 if the outboard is damaged.
        offset: u64,
    },
    /// No space is left. Nothing of the blob remains.
    #[error("the blobs' disk is full")]
    DiskFull,
    /// More bytes than are accepted or handed out at once.
    #[error("{what} has {bytes} bytes; at most {bytes_max} are allowed")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length, or how much of it was seen.
        bytes: u64,
        /// The most allowed.
        bytes_max: u64,
    },
    /// The range does not lie within the blob.
    #[error("bytes {start}..{end} do not lie within a blob of {length}")]
    Range {
        /// First byte asked for.
        start: u64,
        /// The byte after the last.
        end: u64,
        /// The blob's length, bytes.
        length: u64,
    },
    /// The bytes to store, or the place to copy to, failed; the store itself is well.
    #[error("the other side of the copy failed: {0}")]
    Peer(#[source] io::Error),
    /// The disk failed.
    #[error("the blobs' disk failed: {0}")]
    Disk(#[source] io::Error),
    /// There are more blobs than one listing names.
    #[error("there are more than {0} blobs")]
    TooMany(usize),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Disk(error),
        }
    }
}

impl Coded for StoreError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::BlobCorrupt { .. } => ErrorCode::BlobCorrupt,
            Self::DiskFull => ErrorCode::DiskFull,
            Self::TooLong { .. } | Self::TooMany(_) => ErrorCode::LimitExceeded,
            Self::Range { .. } => ErrorCode::RequestInvalid,
            Self::Peer(_) => ErrorCode::FileUnreadable,
            Self::Disk(_) => ErrorCode::Internal,
        }
    }
}
