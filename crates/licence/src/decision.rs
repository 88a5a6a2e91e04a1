//! The decision: may this call run, and how much is reserved for it?
//!
//! One pure function over facts. It knows no certificate format, no ledger and no clock;
//! it counts nothing. The first refusal in the order of [`decide`]'s list is the answer,
//! the same on every machine.
//!
//! **Invariant**: adding a narrowing never turns a refusal into a permission and never
//! raises the reservation. One exception, on purpose: where terms or certificate allow
//! several purposes and the call declares none, the answer is *purpose required*, and a
//! narrowing that leaves exactly one purpose is itself such a declaration.

use crate::denial::Denial;
use crate::narrowing::Narrowing;
use crate::purpose::Purpose;
use crate::quota::Quota;
use crate::terms::{Right, Terms};
use crate::territory::Territory;
use ambar_base::{Cid, Moment, Price, PublicKey, record};
use std::collections::BTreeSet;

/// Oldest final block that calls may be admitted on, milliseconds (stale = deny).
pub const LEDGER_AGE_MS_MAX: u64 = 5_000;

record! {
    /// What the ledger says about the grant.
    #[derive(Copy)]
    pub struct GrantView {
        /// When the terms were accepted.
        pub accepted: Moment,
        /// Whether the grant was revoked.
        pub revoked: bool,
        /// Calls counted in the quota period of now.
        pub calls_used: u64,
        /// Royalty and node fee counted in the quota period of now, holds included,
        /// nano-credit.
        pub spent: Price,
        /// How long until the gateway's share of the terms' rate has room, milliseconds;
        /// 0: it has. The ledger, which holds no rate, always says 0.
        pub rate_wait_ms: u64,
        /// The territory that the licensee declared at acceptance.
        pub territory: Option<Territory>,
        /// Whether the grant is the channel payer's, for the capsule called.
        pub licensee_ok: bool,
    }
}

/// What the ledger says about the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelView {
    /// What is neither spent nor reserved, nano-credit.
    pub remaining: Price,
    /// The first moment after its life.
    pub expires: Moment,
    /// Whether it is closing or closed.
    pub closing: bool,
    /// Highest unit price that its payer accepts, nano-credit per MU.
    pub unit_price_max: Price,
    /// Whether it may pay for the capsule called.
    pub capsule_ok: bool,
}

record! {
    /// What was spent or reserved under one block so far.
    #[derive(Copy, Default)]
    pub struct Spent {
        /// Nano-credit.
        pub price: Price,
        /// Calls.
        pub calls: u64,
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The capsule version.
    pub capsule: Cid,
    /// The purpose that the call declares.
    pub purpose: Option<Purpose>,
    /// The right that it makes use of.
    pub right: Right,
    /// The agent whose key has signed it.
    pub agent: Option<PublicKey>,
    /// Most that it can cost, nano-credit: the hold.
    pub price_max: Price,
    /// Most of it that the lines under this grant can cost (royalty and node fee),
    /// nano-credit: what counts against the spend of its quota.
    pub line_max: Price,
    /// What it costs per MU, nano-credit.
    pub unit_price: Price,
}

/// Everything that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The owner's terms.
    pub terms: &'a Terms,
    /// The grant under them.
    pub grant: GrantView,
    /// The channel that pays.
    pub channel: ChannelView,
    /// The certificate's blocks from the first on, with what was spent under each.
    pub narrowings: &'a [(&'a Narrowing, Spent)],
    /// What is asked.
    pub request: &'a Request,
    /// Consensus time now.
    pub now: Moment,
    /// Age of the last final block, milliseconds.
    pub ledger_age_ms: u64,
}

record! {
    /// What is set aside while the call runs.
    pub struct Reservation {
        /// Nano-credit.
        pub price: Price,
        /// The purpose that goes into the receipt.
        pub purpose: Option<Purpose>,
        /// The territory that goes into the receipt.
        pub territory: Option<Territory>,
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The call may run.
    Allow(Reservation),
    /// It may not.
    Deny(Denial),
}

/// Decides. The order of refusals is fixed: first whether the ledger is fresh, then the
/// channel's life, the grant's life, the right; then the certificate: expiry, agent,
/// depth; then the capsule (channel, then blocks), the purpose, the territory; last the
/// numbers: unit price, the quota's calls, spend and rate, calls per block, budget per
/// block, the channel's money. Within a matter, the certificate's first block answers
/// first.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Decision {
    match try_decide(situation) {
        Ok(reservation) => Decision::Allow(reservation),
        Err(denial) => Decision::Deny(denial),
    }
}

fn try_decide(situation: &Situation<'_>) -> Result<Reservation, Denial> {
    fresh_ledger(situation)?;
    channel_lives(situation)?;
    grant_lives(situation)?;
    certificate_lives(situation)?;
    capsule_allowed(situation)?;
    let purpose = purpose(situation)?;
    territory_allowed(situation)?;
    unit_price(situation)?;
    quota_left(situation)?;
    calls_left(situation)?;
    money_left(situation)?;
    let territory = situation.grant.territory;
    Ok(Reservation { price: situation.request.price_max, purpose, territory })
}

fn refuse(refused: bool, denial: impl FnOnce() -> Denial) -> Result<(), Denial> {
    if refused { Err(denial()) } else { Ok(()) }
}

fn fresh_ledger(situation: &Situation<'_>) -> Result<(), Denial> {
    let age_ms = situation.ledger_age_ms;
    refuse(age_ms > LEDGER_AGE_MS_MAX, || Denial::LedgerStale { age_ms })
}

fn channel_lives(situation: &Situation<'_>) -> Result<(), Denial> {
    let ChannelView { expires, closing, .. } = situation.channel;
    refuse(closing, || Denial::ChannelClosed)?;
    refuse(situation.now >= expires, || Denial::ChannelExpired { expires })
}

fn grant_lives(situation: &Situation<'_>) -> Result<(), Denial> {
    let Situation { terms, grant, .. } = *situation;
    refuse(!grant.licensee_ok, || Denial::GrantMissing)?;
    refuse(grant.revoked, || Denial::GrantRevoked)?;
    if let Some(ended) = terms.expires(grant.accepted).filter(|end| situation.now >= *end) {
        return Err(Denial::GrantTermOver { ended });
    }
    let right = situation.request.right;
    refuse(!terms.grants.contains(&right), || Denial::RightNotGranted { right })
}

fn certificate_lives(situation: &Situation<'_>) -> Result<(), Denial> {
    let blocks = || situation.narrowings.iter().enumerate();
    for (block, (narrowing, _)) in blocks() {
        if let Some(expires) = narrowing.expires.filter(|last| situation.now > *last) {
            return Err(Denial::CertificateExpired { block, expires });
        }
    }
    for (block, (narrowing, _)) in blocks() {
        let wanted = narrowing.agent.filter(|agent| situation.request.agent != Some(*agent));
        if let Some(agent) = wanted {
            return Err(Denial::AgentSignatureRequired { block, agent });
        }
    }
    let depth = situation.narrowings.len().saturating_sub(1);
    let depth_max = situation.terms.delegation.depth;
    refuse(depth > usize::from(depth_max), || Denial::DelegationTooDeep { depth, depth_max })
}

fn capsule_allowed(situation: &Situation<'_>) -> Result<(), Denial> {
    let denied = |block| move || Denial::CapsuleNotAllowed { block };
    refuse(!situation.channel.capsule_ok, denied(None))?;
    for (block, (narrowing, _)) in situation.narrowings.iter().enumerate() {
        let allowed = narrowing.capsules.as_ref();
        let outside = allowed.is_some_and(|set| !set.contains(&situation.request.capsule));
        refuse(outside, denied(Some(block)))?;
    }
    Ok(())
}

/// The purpose of the call: what is declared, or the only one that terms and certificate
/// leave. Where they leave any purpose, none need be declared.
fn purpose(situation: &Situation<'_>) -> Result<Option<Purpose>, Denial> {
    let purposes = &situation.terms.purposes;
    let lists = || {
        let blocks = situation.narrowings.iter().filter_map(|(block, _)| block.purposes.as_ref());
        Some(&purposes.allow).filter(|allow| !allow.is_empty()).into_iter().chain(blocks)
    };
    let allowed =
        |word: &Purpose| !purposes.deny.contains(word) && lists().all(|list| list.contains(word));
    if let Some(declared) = &situation.request.purpose {
        let denial = || Denial::PurposeNotAllowed { purpose: Some(declared.clone()) };
        return refuse(!allowed(declared), denial).map(|()| Some(declared.clone()));
    }
    let Some(first) = lists().next() else { return Ok(None) };
    let left: BTreeSet<Purpose> = first.iter().filter(|word| allowed(word)).cloned().collect();
    match left.len() {
        0 => Err(Denial::PurposeNotAllowed { purpose: None }),
        1 => Ok(left.into_iter().next()),
        _ => Err(Denial::PurposeRequired { allowed: left }),
    }
}

/// A territory is declared once, at acceptance: no call and no narrowing changes it.
fn territory_allowed(situation: &Situation<'_>) -> Result<(), Denial> {
    let territories = &situation.terms.territories;
    match situation.grant.territory {
        _ if territories.is_empty() => Ok(()),
        None => Err(Denial::TerritoryRequired),
        Some(territory) => {
            let denial = || Denial::TerritoryNotAllowed { territory };
            refuse(!territories.admit(territory), denial)
        }
    }
}

fn unit_price(situation: &Situation<'_>) -> Result<(), Denial> {
    let (unit_price, unit_price_max) =
        (situation.request.unit_price, situation.channel.unit_price_max);
    let denial = || Denial::PriceAboveLimit { unit_price, unit_price_max };
    refuse(unit_price > unit_price_max, denial)
}

fn quota_left(situation: &Situation<'_>) -> Result<(), Denial> {
    let Some(Quota { per, calls, spend, rate }) = situation.terms.quota else { return Ok(()) };
    let GrantView { calls_used: used, spent, rate_wait_ms: wait_ms, .. } = situation.grant;
    if let Some(calls) = calls.filter(|calls| used >= *calls) {
        return Err(Denial::QuotaExceeded { used, calls, per });
    }
    let hold = situation.request.line_max;
    if let Some(spend) = spend.filter(|spend| !fits(spent, hold, *spend)) {
        return Err(Denial::SpendExceeded { spent, spend, per, hold });
    }
    match rate.filter(|_| wait_ms > 0) {
        Some(rate) => Err(Denial::RateExceeded { rate, wait_ms }),
        None => Ok(()),
    }
}

fn calls_left(situation: &Situation<'_>) -> Result<(), Denial> {
    for (block, (narrowing, spent)) in situation.narrowings.iter().enumerate() {
        if let Some(calls) = narrowing.calls.filter(|calls| spent.calls >= *calls) {
            return Err(Denial::CallLimitExceeded { block, used: spent.calls, calls });
        }
    }
    Ok(())
}

/// Whether a limit holds what is spent and a hold. A sum past all numbers does not fit.
fn fits(spent: Price, hold: Price, limit: Price) -> bool {
    spent.checked_add(hold).is_some_and(|sum| sum <= limit)
}

fn money_left(situation: &Situation<'_>) -> Result<(), Denial> {
    let hold = situation.request.price_max;
    for (block, (narrowing, spent)) in situation.narrowings.iter().enumerate() {
        let spent = spent.price;
        if let Some(budget) = narrowing.budget.filter(|budget| !fits(spent, hold, *budget)) {
            return Err(Denial::BudgetExceeded { block, budget, spent, hold });
        }
    }
    let remaining = situation.channel.remaining;
    refuse(hold > remaining, || Denial::ChannelEmpty { remaining, hold })
}

#[cfg(test)]
#[path = "decision_tests.rs"]
mod tests;
