//! What is asked about calls that were not what their receipts say, and of grants that the
//! terms let an owner end.

use crate::object::Claim;
use ambar_base::{Digest, Price, choice, record};
use ambar_receipt::{BatchHeader, Leaf};

record! {
    /// See [`Operation::OpenDispute`](super::Operation::OpenDispute).
    pub struct OpenDispute {
        /// The header of the batch in which the call settled.
        pub header: BatchHeader,
        /// The call as it settled.
        pub leaf: Leaf,
        /// Its place in the batch.
        pub index: u64,
        /// The hashes beside its way to the batch's root, lowest first.
        pub path: Vec<Digest>,
        /// What is claimed.
        pub claim: Claim,
        /// The SHA-256 of the evidence, which the claimant keeps and shows.
        pub evidence: Digest,
        /// What the claimant says, 1 to
        /// [`DISPUTE_TEXT_BYTES_MAX`](crate::object::DISPUTE_TEXT_BYTES_MAX) bytes.
        pub statement: String,
    }
}

record! {
    /// See [`Operation::ResolveDispute`](super::Operation::ResolveDispute).
    pub struct ResolveDispute {
        /// The dispute.
        pub dispute: u64,
        /// How it is decided.
        pub ruling: Ruling,
        /// Why, 1 to [`DISPUTE_TEXT_BYTES_MAX`](crate::object::DISPUTE_TEXT_BYTES_MAX) bytes.
        pub reason: String,
    }
}

choice! {
    /// How the council decides.
    #[derive(Copy)]
    pub enum Ruling {
        /// The claim is true; so much is paid back out of the node's bond.
        Upheld(Price) = 1,
        /// The claim is not shown: the deposit goes to the accused.
        Dismissed = 2,
    }
}

record! {
    /// See [`Operation::RevokeGrantFor`](super::Operation::RevokeGrantFor).
    #[derive(Copy)]
    pub struct RevokeGrantFor {
        /// The grant.
        pub grant: u64,
        /// For which reason of its terms.
        pub reason: RevocationReason,
    }
}

choice! {
    /// For which reason an owner ends a grant.
    #[derive(Copy)]
    pub enum RevocationReason {
        /// A dispute about a breach was upheld.
        Breach = 1,
        /// No open channel of the licensee backs it.
        NonPayment = 2,
        /// The owner's will.
        Owner = 3,
    }
}

impl From<RevocationReason> for ambar_licence::Revocation {
    fn from(reason: RevocationReason) -> Self {
        match reason {
            RevocationReason::Breach => Self::Breach,
            RevocationReason::NonPayment => Self::NonPayment,
            RevocationReason::Owner => Self::Owner,
        }
    }
}

impl From<ambar_licence::Revocation> for RevocationReason {
    fn from(reason: ambar_licence::Revocation) -> Self {
        match reason {
            ambar_licence::Revocation::Breach => Self::Breach,
            ambar_licence::Revocation::NonPayment => Self::NonPayment,
            ambar_licence::Revocation::Owner => Self::Owner,
        }
    }
}
