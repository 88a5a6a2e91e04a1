//! Why a gateway does not open.

use crate::answers::AnswerError;
use crate::archive::ArchiveError;
use crate::journal::JournalError;
use crate::recovery::RecoveryError;
use ambar_base::{Coded, ErrorCode};
use std::path::PathBuf;

/// Why a gateway does not open.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The call journal does not open.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The archive does not open.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Calls cannot be taken up again.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// The secrets of kept answers cannot be read.
    #[error(transparent)]
    Answers(#[from] AnswerError),
    /// A directory cannot be made.
    #[error("{path}: {error}", path = path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl Coded for GatewayError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Journal(error) => error.code(),
            Self::Archive(error) => error.code(),
            Self::Recovery(error) => error.code(),
            Self::Answers(error) => error.code(),
            Self::Directory { .. } => ErrorCode::FileUnreadable,
        }
    }
}
