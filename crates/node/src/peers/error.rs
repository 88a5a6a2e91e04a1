//! How a request to another node fails.

use ambar_base::{Coded, ErrorCode, PublicKey};
use std::fmt;

/// What was waited for when time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The connection, its handshake included.
    Connection,
    /// The head of the answer.
    Head,
    /// The next piece of the answer's body.
    Piece,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "a connection",
            Self::Head => "the head of the answer",
            Self::Piece => "the next piece of the answer",
        })
    }
}

/// Why another node has not answered, or not to the end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// The request is none that can be sent there.
    #[error("the request to the node cannot be sent: {0}")]
    Request(String),
    /// Nobody listens there, or the address is none.
    #[error("no node listens at {address}: {reason}")]
    Refused {
        /// Where.
        address: String,
        /// What happened.
        reason: String,
    },
    /// Whoever listens there is no node of this protocol.
    #[error("what listens at {address} is not a node of this version: {reason}")]
    Foreign {
        /// Where.
        address: String,
        /// What happened.
        reason: String,
    },
    /// Another node listens there.
    #[error("the node at {address} has not the key {}{}", .expected.did(), Shown(.found))]
    WrongKey {
        /// Where.
        address: String,
        /// Whose key it should be.
        expected: PublicKey,
        /// The key that it showed, if it is one.
        found: Option<PublicKey>,
    },
    /// Too much is under way at the same time.
    #[error("too many requests to other nodes are under way")]
    Busy,
    /// It took too long.
    #[error("the node at {address} took too long: {wait} did not come")]
    Timeout {
        /// Where.
        address: String,
        /// What was waited for.
        wait: Wait,
    },
    /// The connection or the stream broke before the answer's head.
    #[error("the node at {address} broke off before it answered: {reason}")]
    ResetBeforeHead {
        /// Where.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The connection or the stream broke in the answer's body.
    #[error("the node at {address} broke off in its answer: {reason}")]
    ResetInBody {
        /// Where.
        address: String,
        /// What happened.
        reason: String,
    },
}

struct Shown<'a>(&'a Option<PublicKey>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, ": it showed {}", key.did()),
            None => f.write_str(": it showed none"),
        }
    }
}

impl PeerError {
    /// Whether the other node may have begun with the request. If not, asking somebody else
    /// does nothing twice.
    #[must_use]
    pub const fn may_have_begun(&self) -> bool {
        match self {
            Self::Request(_)
            | Self::Refused { .. }
            | Self::Foreign { .. }
            | Self::WrongKey { .. }
            | Self::Busy => false,
            Self::Timeout { wait, .. } => !matches!(wait, Wait::Connection),
            Self::ResetBeforeHead { .. } | Self::ResetInBody { .. } => true,
        }
    }
}

impl Coded for PeerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Request(_) => ErrorCode::RequestInvalid,
            Self::Busy => ErrorCode::Overloaded,
            Self::Refused { .. } => ErrorCode::NodeUnreachable,
            Self::Timeout { wait: Wait::Connection, .. } => ErrorCode::NodeUnreachable,
            Self::Foreign { .. }
            | Self::WrongKey { .. }
            | Self::Timeout { .. }
            | Self::ResetBeforeHead { .. }
            | Self::ResetInBody { .. } => ErrorCode::BadGateway,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Refused { .. } | Self::Timeout { wait: Wait::Connection, .. } => {
                Some("check that the node runs, and that its port is open".into())
            }
            Self::WrongKey { .. } => {
                Some("check the address that the node stands with on the ledger".into())
            }
            _ => None,
        }
    }
}
