//! The licence's decision about a call that settles: the one that its gateway made, by what
//! the call was instead of what it could be at most.
//!
//! What a certificate narrows is the gateway's to decide, for its holder; the ledger knows no
//! certificate but for its revocation. A rate is held by parts of it that gateways lease, and
//! the ledger counts no time.

use super::check::Part;
use super::progress::Progress;
use crate::object::{Channel, Lease};
use crate::refusal::Refusal;
use ambar_base::{Amount, Coded, ErrorCode, Price};
use ambar_licence::decision::{GrantView, Spent};
use ambar_licence::{
    CallFacts, Denial, PartDenied, PartFacts, Purpose, Quota, Reservation, Right, Territory,
};
use ambar_receipt::{Leaf, Line};
use std::collections::{BTreeMap, BTreeSet};

/// A call that settles.
pub(super) struct Settling<'a> {
    pub leaf: &'a Leaf,
    pub parts: &'a [Part<'a>],
    pub channel: &'a Channel,
    /// What calls before it in the batch take out of the channel.
    pub spent: Amount,
}

impl Settling<'_> {
    /// Whether the call may settle: every line by its own terms, all in its channel's means.
    pub(super) fn decide(&self, progress: &Progress) -> Result<(), Refusal> {
        let terms: Vec<_> = self.parts.iter().map(|part| part.terms).collect();
        let facts = self.facts(progress)?;
        let reservation = facts.decide(&terms);
        let reservation = reservation.map_err(|denied| self.refused(&denied, progress))?;
        self.declared(&facts, &reservation)
    }

    fn facts(&self, progress: &Progress) -> Result<CallFacts, Refusal> {
        let Self { leaf, channel, .. } = *self;
        let remaining = channel.remaining().saturating_sub(self.spent).0 / 1_000_000_000;
        Ok(CallFacts {
            channel: leaf.channel,
            height: leaf.admitted,
            now: leaf.time,
            ledger_age_ms: 0,
            remaining: Price(u64::try_from(remaining).unwrap_or(u64::MAX)),
            expires: channel.expires,
            closing: channel.closing.is_some_and(|closing| leaf.admitted >= closing),
            unit_price_max: channel.unit_price_max,
            purpose: self.purpose()?,
            agent: None,
            price_max: leaf.price().ok_or_else(Refusal::overflow)?,
            blocks: Vec::new(),
            parts: self.part_facts(progress)?,
        })
    }

    fn purpose(&self) -> Result<Option<Purpose>, Refusal> {
        let purpose = self.leaf.purpose.as_deref().map(str::parse::<Purpose>).transpose();
        purpose.map_err(|error| Refusal::new(ErrorCode::PurposeNotAllowed, error.to_string()))
    }

    /// The called capsule by the caller's grant, every other line a component that a line
    /// before it uses, under that author's grant.
    fn part_facts(&self, progress: &Progress) -> Result<Vec<PartFacts>, Refusal> {
        let mut components: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut before: BTreeMap<u64, Spent> = BTreeMap::new();
        let mut facts = Vec::with_capacity(self.parts.len());
        for (index, part) in self.parts.iter().enumerate() {
            let Part { line, grant, version, price, ask, .. } = part;
            let called = index == 0;
            let ours = !called || grant.licensee == self.channel.payer;
            let lines = before.entry(line.grant).or_default();
            let view = self.grant_view(part, ours, *lines, progress);
            let cost = cost(line).ok_or_else(Refusal::overflow)?;
            lines.calls += 1;
            lines.price = lines.price.checked_add(cost).ok_or_else(Refusal::overflow)?;
            facts.push(PartFacts {
                grant: line.grant,
                terms: grant.terms,
                view,
                capsule: version.id,
                capsule_ok: if called {
                    self.channel.grants.contains(&line.grant)
                } else {
                    components.contains(&(line.version, line.grant))
                },
                right: if called { Right::Call } else { Right::Compose },
                line_max: cost,
                unit_price: price.per_mu.checked_add(*ask).ok_or_else(Refusal::overflow)?,
            });
            components.extend(version.uses_at(self.leaf.admitted));
        }
        Ok(facts)
    }

    /// What is said of a grant: of its quota, everything but what the gateway's lease holds is
    /// used, and so are the lines of this call that come before.
    fn grant_view(
        &self,
        part: &Part<'_>,
        licensee_ok: bool,
        before: Spent,
        progress: &Progress,
    ) -> GrantView {
        let Part { line, grant, terms, .. } = part;
        let mut used = Spent::default();
        if let Some(quota) = terms.quota.filter(Quota::counts) {
            // Who has no lease that holds has a lease that holds nothing.
            let period = quota.period_of(self.leaf.time, grant.accepted);
            let lease = progress.lease(line.grant, period, self.leaf.admitted);
            let lease = lease.map_or_else(|_| Lease::default(), Clone::clone);
            let calls = quota.calls.map_or(0, |calls| calls.saturating_sub(lease.calls));
            let spend = quota.spend.map_or(Price::ZERO, |spend| spend.saturating_sub(lease.spend));
            used = Spent { calls, price: spend };
        }
        GrantView {
            accepted: grant.accepted,
            revoked: grant.revoked.is_some_and(|revoked| self.leaf.admitted >= revoked),
            calls_used: used.calls.saturating_add(before.calls),
            spent: Price(used.price.0.saturating_add(before.price.0)),
            rate_wait_ms: 0,
            territory: grant.territory.as_deref().and_then(|code| code.parse().ok()),
            licensee_ok,
        }
    }

    fn refused(&self, denied: &PartDenied, progress: &Progress) -> Refusal {
        let PartDenied { part, denial } = denied;
        let message = match self.parts.get(*part) {
            Some(Part { line, grant, terms, .. }) if is_counted(denial) => {
                let period =
                    terms.quota.map_or(0, |quota| quota.period_of(self.leaf.time, grant.accepted));
                match progress.lease(line.grant, period, self.leaf.admitted) {
                    Ok(_) => format!("beside what the gateway's lease holds, {denial}"),
                    Err(why) => why,
                }
            }
            _ => denial.to_string(),
        };
        Refusal::new(denial.code(), format!("line {part}: {message}"))
    }

    /// The leaf declares what the decision leaves: its receipt says so for ever.
    fn declared(&self, facts: &CallFacts, reservation: &Reservation) -> Result<(), Refusal> {
        if reservation.purpose != facts.purpose {
            let message = "the purpose is not the only one that the terms leave";
            return Err(Refusal::new(ErrorCode::PurposeNotAllowed, message));
        }
        let territory = reservation.territory.map(Territory::as_str);
        if self.leaf.territory.as_deref() != territory {
            let message = "the territory is not the one that was declared with the grant";
            return Err(Refusal::new(ErrorCode::ReceiptInvalid, message));
        }
        Ok(())
    }
}

fn is_counted(denial: &Denial) -> bool {
    [ErrorCode::QuotaExceeded, ErrorCode::SpendExceeded].contains(&denial.code())
}

/// What a line counts against the spend of its grant's quota; nothing on overflow.
pub(super) fn cost(line: &Line) -> Option<Price> {
    line.royalty.checked_add(line.node_fee)
}
