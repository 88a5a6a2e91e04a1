//! Refusals of the decision, each with the numbers it was made on and its public code.

use crate::calendar;
use crate::decision::LEDGER_AGE_MS_MAX;
use crate::print::listed;
use crate::purpose::Purpose;
use crate::quota::Period;
use crate::rate::Rate;
use crate::terms::Right;
use crate::territory::Territory;
use ambar_base::{Coded, ErrorCode, Moment, Price, PublicKey};
use std::collections::BTreeSet;

/// Why not. `block` counts the certificate's blocks from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message names its fields; money is in nano-credit")]
pub enum Denial {
    /// The last final block is too old to decide on.
    #[error("the last final block is {age_ms} ms old, more than {LEDGER_AGE_MS_MAX}")]
    LedgerStale { age_ms: u64 },
    /// The channel is closing or closed.
    #[error("the channel is closing or closed")]
    ChannelClosed,
    /// The channel's life is over.
    #[error("the channel expired at {}", calendar::print(*.expires))]
    ChannelExpired { expires: Moment },
    /// The payer holds no grant for this capsule.
    #[error("the channel's payer holds no grant for this capsule")]
    GrantMissing,
    /// The grant was revoked.
    #[error("the grant was revoked")]
    GrantRevoked,
    /// The grant's term is over.
    #[error("the grant ended at {}", calendar::print(*.ended))]
    GrantTermOver { ended: Moment },
    /// The terms do not give this right.
    #[error("the terms do not grant `{}`", .right.text())]
    RightNotGranted { right: Right },
    /// A block's time is over.
    #[error("block {block} of the certificate expired at {}", calendar::print(*.expires))]
    CertificateExpired { block: usize, expires: Moment },
    /// A block asks for an agent's signature, which the call does not carry.
    #[error("block {block} of the certificate wants each call signed by {}", .agent.did())]
    AgentSignatureRequired { block: usize, agent: PublicKey },
    /// The certificate was passed on too often.
    #[error("the certificate was narrowed {depth} times; the terms allow {depth_max}")]
    DelegationTooDeep { depth: usize, depth_max: u16 },
    /// The channel (no block), or a block, does not allow the capsule.
    #[error("{} does not allow this capsule", holder(*.block))]
    CapsuleNotAllowed { block: Option<usize> },
    /// The purpose declared, or every purpose, is ruled out.
    #[error("{}", purpose_message(.purpose.as_ref()))]
    PurposeNotAllowed { purpose: Option<Purpose> },
    /// Several purposes are allowed, none is declared.
    #[error("declare one of these purposes: {}", listed(.allowed))]
    PurposeRequired { allowed: BTreeSet<Purpose> },
    /// The territory declared at acceptance is ruled out.
    #[error("the territory `{territory}`, declared at acceptance, is not allowed")]
    TerritoryNotAllowed { territory: Territory },
    /// The terms restrict territories, and none was declared.
    #[error("the terms restrict territories, and none was declared at acceptance")]
    TerritoryRequired,
    /// Dearer per MU than the channel accepts.
    #[error("{unit_price} credits per MU exceed the channel's limit of {unit_price_max}")]
    PriceAboveLimit { unit_price: Price, unit_price_max: Price },
    /// The terms' quota is used up.
    #[error("{used} of {calls} calls per {} are used", .per.text())]
    QuotaExceeded { used: u64, calls: u64, per: Period },
    /// The terms' spend does not hold what the lines under them can cost.
    #[error(
        "the terms allow {spend} credits per {}, {spent} are spent, the call may cost {hold} of them",
        .per.text()
    )]
    SpendExceeded { spent: Price, spend: Price, per: Period, hold: Price },
    /// Calls come faster than the terms allow.
    #[error("the terms allow {rate} calls; there is room for one in {wait_ms} ms")]
    RateExceeded { rate: Rate, wait_ms: u64 },
    /// A block's number of calls is used up.
    #[error("{used} of {calls} calls of block {block} are used")]
    CallLimitExceeded { block: usize, used: u64, calls: u64 },
    /// A block's budget does not hold what the call can cost.
    #[error("block {block} allows {budget} credits, {spent} are spent, the call may cost {hold}")]
    BudgetExceeded { block: usize, budget: Price, spent: Price, hold: Price },
    /// The channel does not hold what the call can cost.
    #[error("the channel holds {remaining} credits, the call may cost {hold}")]
    ChannelEmpty { remaining: Price, hold: Price },
}

fn holder(block: Option<usize>) -> String {
    block.map_or("the channel".to_owned(), |block| format!("block {block} of the certificate"))
}

fn purpose_message(purpose: Option<&Purpose>) -> String {
    match purpose {
        Some(purpose) => format!("the purpose `{purpose}` is not allowed"),
        None => "terms and certificate leave no purpose".to_owned(),
    }
}

impl Coded for Denial {
    fn code(&self) -> ErrorCode {
        match self {
            Self::LedgerStale { .. } => ErrorCode::LedgerStale,
            Self::ChannelClosed => ErrorCode::ChannelClosed,
            Self::ChannelExpired { .. } => ErrorCode::ChannelExpired,
            Self::GrantMissing => ErrorCode::GrantMissing,
            Self::GrantRevoked => ErrorCode::GrantRevoked,
            Self::GrantTermOver { .. } => ErrorCode::GrantTermOver,
            Self::RightNotGranted { .. } => ErrorCode::RightNotGranted,
            Self::CertificateExpired { .. } => ErrorCode::CertificateExpired,
            Self::AgentSignatureRequired { .. } => ErrorCode::AgentSignatureRequired,
            Self::DelegationTooDeep { .. } => ErrorCode::DelegationTooDeep,
            Self::CapsuleNotAllowed { .. } => ErrorCode::CapsuleNotAllowed,
            Self::PurposeNotAllowed { .. } => ErrorCode::PurposeNotAllowed,
            Self::PurposeRequired { .. } => ErrorCode::PurposeRequired,
            Self::TerritoryNotAllowed { .. } => ErrorCode::TerritoryNotAllowed,
            Self::TerritoryRequired => ErrorCode::TerritoryRequired,
            Self::PriceAboveLimit { .. } => ErrorCode::PriceAboveLimit,
            Self::QuotaExceeded { .. } => ErrorCode::QuotaExceeded,
            Self::SpendExceeded { .. } => ErrorCode::SpendExceeded,
            Self::RateExceeded { .. } => ErrorCode::RateExceeded,
            Self::CallLimitExceeded { .. } => ErrorCode::CallLimitExceeded,
            Self::BudgetExceeded { .. } => ErrorCode::BudgetExceeded,
            Self::ChannelEmpty { .. } => ErrorCode::ChannelEmpty,
        }
    }
}
