//! Why the ledger refuses a transaction.

use ambar_base::{Coded, DecodeError, Digest, ErrorCode};

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

/// What must be read before an execution goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Keys whose values it needs.
    pub keys: Vec<Vec<u8>>,
    /// Calls of which it needs to know whether a batch settled them.
    pub calls: Vec<Digest>,
}

impl Need {
    /// Adds what another needs.
    fn add(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.calls.extend(other.calls);
    }

    /// Stops if anything is needed: asks for all of it, each once.
    pub fn finish(mut self) -> Result<(), Stop> {
        self.keys.sort_unstable();
        self.keys.dedup();
        self.calls.sort_unstable();
        self.calls.dedup();
        if self == Self::default() { Ok(()) } else { Err(Stop::Missing(self)) }
    }
}

/// Why an execution stops before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// This must be read first.
    Missing(Need),
    /// The transaction is refused.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Goes on after a missing key, so that everything asks for its keys in the same round. A
/// round that lacks keys has no effect, so what is done after a missing key is only asked.
#[derive(Debug, Default)]
pub struct Gather {
    missing: Need,
}

impl Gather {
    /// The value; nothing if keys are missing. A refusal counts only if nothing was
    /// missing before: otherwise the next round decides.
    pub fn take<T>(&mut self, result: Result<T, Stop>) -> Result<Option<T>, Stop> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Stop::Missing(need)) => {
                self.missing.add(need);
                Ok(None)
            }
            Err(refused) if self.missing == Need::default() => Err(refused),
            Err(_) => Ok(None),
        }
    }

    /// Stops if keys were missing: asks for all of them, each once.
    pub fn finish(self) -> Result<(), Stop> {
        self.missing.finish()
    }
}
