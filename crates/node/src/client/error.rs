//! What can go wrong between a client and a node.

use crate::api::dto::ErrorBody;
use ambar_base::{Coded, ErrorCode};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is none that a client can use.
    #[error("{url} is not the URL of a node: {reason}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No node answers there.
    #[error("no node answers at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The node refuses.
    #[error("{message}")]
    Refused {
        /// The public code.
        code: ErrorCode,
        /// What happened.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// The answer is not what a node says.
    #[error("the node's answer is not understood: {0}")]
    Answer(String),
    /// A file of this side cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// What happened.
        #[source]
        error: std::io::Error,
    },
}

impl ClientError {
    /// The refusal in an answer's body.
    pub(super) fn refused(status: u16, body: &[u8]) -> Self {
        let Ok(ErrorBody { error }) = serde_json::from_slice(body) else {
            return Self::Answer(format!("status {status} without an explanation"));
        };
        let known = ErrorCode::ALL.iter().find(|code| code.text() == error.code);
        let code = known.copied().unwrap_or(ErrorCode::Internal);
        Self::Refused { code, message: error.message, help: error.help }
    }
}

impl Coded for ClientError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Url { .. } => ErrorCode::RequestInvalid,
            Self::Unreachable { .. } => ErrorCode::NodeUnreachable,
            Self::Refused { code, .. } => *code,
            Self::Answer(_) => ErrorCode::BadGateway,
            Self::File { .. } => ErrorCode::FileUnreadable,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Refused { help, .. } => Some(help.clone()),
            _ => None,
        }
    }
}
