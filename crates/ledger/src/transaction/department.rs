//! What organisations ask of their departments, and which role each operation needs.

use super::Operation;
use crate::object::{Budget, Member, Role};
use ambar_base::{AccountId, Price, record};

record! {
    /// See [`Operation::CreateDepartment`].
    pub struct CreateDepartment {
        /// Its name among the organisation's departments, for ever.
        pub name: String,
        /// Its keys with their roles, ascending by key.
        pub members: Vec<Member>,
        /// How many of them must sign.
        pub threshold: u16,
        /// What it may draw.
        pub budget: Budget,
    }
}

record! {
    /// See [`Operation::SetBudget`].
    pub struct SetBudget {
        /// The department.
        pub department: AccountId,
        /// What it may draw from now on.
        pub budget: Budget,
    }
}

record! {
    /// See [`Operation::SetMembers`].
    pub struct SetMembers {
        /// The department.
        pub department: AccountId,
        /// Its keys from now on, with their roles, ascending by key.
        pub members: Vec<Member>,
        /// How many of them must sign.
        pub threshold: u16,
    }
}

record! {
    /// See [`Operation::Recall`].
    pub struct Recall {
        /// The department.
        pub department: AccountId,
        /// How much; nothing: all that it can spend.
        pub amount: Option<Price>,
    }
}

impl Operation {
    /// The role that each signing key of a department must have for this. Nothing: a
    /// department never does it, such as sending credits away; its organisation does.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Accept(_)
            | Self::RevokeGrant(_)
            | Self::OpenDispute(_)
            | Self::WithdrawDispute(_)
            | Self::OpenChannel(_)
            | Self::FundChannel(_)
            | Self::CloseChannel(_)
            | Self::RevokeCertificate(_) => Some(Role::Spend),
            Self::Publish(_)
            | Self::RegisterName(_)
            | Self::AllowServing(_)
            | Self::OfferTerms(_)
            | Self::WithdrawTerms(_)
            | Self::RevokeGrantFor(_) => Some(Role::Publish),
            Self::SetMembers(_)
            | Self::TransferLine(_)
            | Self::TransferRoyalty(_)
            | Self::OfferRoyalty(_)
            | Self::WithdrawOffer(_) => Some(Role::Admin),
            _ => None,
        }
    }
}
