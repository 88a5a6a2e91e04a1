//! Why the ledger refuses a transaction.

use ambar_base::{Coded, DecodeError, ErrorCode};

/// A refused transaction: nothing of it takes effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The public code.
    pub code: ErrorCode,
    /// What is wrong, for people.
    pub message: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The refusal that a room's own error becomes.
    #[must_use]
    pub fn of(error: &impl Coded) -> Self {
        Self::new(error.code(), error.to_string())
    }

    /// Something that the transaction names does not exist.
    #[must_use]
    pub fn unknown(what: &str, which: impl std::fmt::Display) -> Self {
        let code = match what {
            "account" => ErrorCode::AccountUnknown,
            "capsule" => ErrorCode::CapsuleUnknown,
            "channel" => ErrorCode::ChannelUnknown,
            _ => ErrorCode::NotFound,
        };
        Self::new(code, format!("there is no {what} {which}"))
    }

    /// A sum that does not fit its type: the transaction fails whole.
    #[must_use]
    pub fn overflow() -> Self {
        Self::new(ErrorCode::LimitExceeded, "a sum is larger than the ledger can hold")
    }
}

impl Coded for Refusal {
    fn code(&self) -> ErrorCode {
        self.code
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::new(ErrorCode::TransactionInvalid, error.to_string())
    }
}

/// Why an execution stops before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// These keys must be read first.
    Missing(Vec<Vec<u8>>),
    /// The transaction is refused.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
