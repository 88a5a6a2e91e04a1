//! Revocations: when an owner may end a grant before its term.
//!
//! A licensee may always end a grant. What is not listed here the owner cannot do.

use serde::{Deserialize, Serialize};

/// A reason for which the owner may end a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revocation {
    /// A dispute against the licensee was upheld.
    Breach,
    /// No open channel of the licensee backs the grant.
    NonPayment,
    /// The owner's will.
    Owner,
}

impl Revocation {
    /// Every reason, in the order of documents.
    pub const ALL: [Self; 3] = [Self::Breach, Self::NonPayment, Self::Owner];

    /// The word of the language.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Breach => "breach",
            Self::NonPayment => "non_payment",
            Self::Owner => "owner",
        }
    }
}
