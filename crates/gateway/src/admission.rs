//! Admission: may this call run, and how much is held for it?

use crate::books::{Books, Claim, Hold, Page, QuotaClaim};
use crate::call::CallError;
use crate::certificate::Opened;
use crate::leases::{Counted, Want};
use crate::route::{Part, Route};
use crate::vouchers::room;
use ambar_base::{Coded, ErrorCode, Moment, Price, PublicKey};
use ambar_ledger::quota::Share;
use ambar_licence::decision::{GrantView, Spent};
use ambar_licence::{
    CallFacts, CertificateBlock, DecisionRecord, PartDenied, PartFacts, Purpose, Quota,
    Reservation, Right, Territory,
};
use ambar_receipt::Voucher;
use std::collections::BTreeMap;

/// What admission decides about.
pub struct Admission<'a> {
    /// The certificate.
    pub certificate: &'a Opened,
    /// The route.
    pub route: &'a Route,
    /// The declared purpose.
    pub purpose: Option<&'a str>,
    /// The agent whose key has signed the call.
    pub agent: Option<PublicKey>,
    /// The call's voucher, whose signature is good.
    pub voucher: Option<Voucher>,
    /// Most that the call can cost.
    pub price_max: Price,
    /// Most that the line of each part can cost, royalty and node fee, in the route's order.
    pub lines_max: &'a [Price],
    /// The consensus time of the call.
    pub now: Moment,
    /// The age of the last final block.
    pub ledger_age_ms: u64,
}

/// An admitted call.
pub struct Admitted {
    /// What is set aside.
    pub hold: Hold,
    /// The purpose that goes into the receipt.
    pub purpose: Option<Purpose>,
    /// The territory that goes into the receipt.
    pub territory: Option<Territory>,
    /// How it was decided.
    pub decision: DecisionRecord,
    /// The voucher that covers the call and everything counted before it.
    pub voucher: Option<Voucher>,
}

/// What admission comes to.
pub enum Verdict {
    /// The call may run.
    Admitted(Box<Admitted>),
    /// It may not.
    Denied(Box<Denied>),
    /// A settlement overtook the route: with a newer state the same question has an answer.
    Overtaken,
    /// It may run once the ledger has given this.
    Wanted(Want),
}

/// A call that may not run.
pub struct Denied {
    /// What the caller is told.
    pub error: CallError,
    /// How it was decided.
    pub decision: DecisionRecord,
}

/// What a call needs of the quota of one grant.
struct Need<'a> {
    /// The first part under the grant.
    part: usize,
    quota: &'a Quota,
    counted: Option<&'a Counted>,
    rate: Option<&'a Counted>,
    /// Lines under the grant, and what they can cost at most.
    call: Spent,
    /// What this gateway has admitted and not settled.
    own: Spent,
    /// How long until this gateway's part of the rate has room, and whether the ledger has
    /// more to give.
    wait_ms: u64,
    more: bool,
}

impl Admission<'_> {
    /// Decides and takes the hold, in one step with respect to other calls.
    pub fn decide(&self, books: &Books) -> Result<Verdict, CallError> {
        let declared = self.purpose.map(str::parse::<Purpose>).transpose();
        let declared = declared.map_err(|error| CallError::of(&error).at("Ambar-Purpose"))?;
        let mut page = books.page();
        if self.route.head.height < page.settled() {
            return Ok(Verdict::Overtaken);
        }
        let needs = self.needs(&mut page)?;
        let facts = self.facts(&page, declared, &needs);
        let terms: Vec<_> = self.route.parts.iter().map(|part| &part.terms).collect();
        let decided = facts.decide(&terms);
        let reservation = match &decided {
            Ok(reservation) => reservation.clone(),
            Err(denied) => {
                let (error, decision) = (refused(denied), facts.recorded(&decided));
                return Ok(Verdict::Denied(Box::new(Denied { error, decision })));
            }
        };
        if let Some(want) = needs.iter().find_map(|(grant, need)| self.want(*grant, need)) {
            return Ok(Verdict::Wanted(want));
        }
        let covering = room(&mut page, &self.route.channel, self.voucher, reservation.price)?;
        let rated: Vec<_> =
            needs.iter().filter(|(_, need)| need.rate.is_some()).map(rate_of).collect();
        let claim = Claim {
            channel: self.channel(),
            blocks: self.certificate.blocks.iter().map(|block| block.id).collect(),
            quotas: needs.iter().filter_map(claim_of).collect(),
        };
        for (grant, calls) in rated {
            page.admit(grant, self.now, calls);
        }
        let Reservation { price, purpose, territory } = reservation;
        let hold = page.hold(claim, price, self.route.channel.settled.end());
        let decision = facts.recorded(&decided);
        let admitted = Admitted { hold, purpose, territory, decision, voucher: covering };
        Ok(Verdict::Admitted(Box::new(admitted)))
    }

    fn channel(&self) -> u64 {
        self.route.channel_number
    }

    /// What the call needs of each quota, all parts under one grant together.
    fn needs(&self, page: &mut Page<'_>) -> Result<BTreeMap<u64, Need<'_>>, CallError> {
        let mut needs: BTreeMap<u64, Need<'_>> = BTreeMap::new();
        for (at, part) in self.route.parts.iter().enumerate() {
            let Some(quota) = &part.terms.quota else { continue };
            let price = self.lines_max.get(at).copied().unwrap_or(self.price_max);
            let need = needs.entry(part.grant_number).or_insert_with(|| Need {
                part: at,
                quota,
                counted: part.quota.as_ref(),
                rate: part.rate.as_ref(),
                call: Spent::default(),
                own: Spent::default(),
                wait_ms: 0,
                more: false,
            });
            need.call.calls += 1;
            need.call.price.0 = need.call.price.0.saturating_add(price.0);
        }
        for (grant, need) in &mut needs {
            if let Some(counted) = need.counted {
                need.own = page.under(*grant, counted.period);
            }
            if let (Some(held), Some(rate)) = (need.rate, need.quota.rate) {
                let part = held.lease.rate;
                let full = || CallError::new(ErrorCode::Overloaded, "too many grants have a rate");
                let window = page.window(*grant, rate.per, self.now, part).ok_or_else(full)?;
                let calls = calls_of(&need.call);
                need.wait_ms = window.wait_ms(self.now, part, calls);
                need.more = held.left.rate >= calls;
            }
        }
        Ok(needs)
    }

    /// What this gateway lacks for a call that may run.
    fn want(&self, grant: u64, need: &Need<'_>) -> Option<Want> {
        let head = self.route.head.height;
        let want = |counted: &Counted, lack: Share| Want {
            channel: self.channel(),
            grant,
            period: counted.period,
            through: self.route.through(need.part),
            need: lack,
            left: counted.left,
            rate: counted.lease.rate,
        };
        let limits = (need.quota.calls.is_some(), need.quota.spend.is_some());
        let counted = need.counted.and_then(|counted| {
            let lack = counted.lack(need.own, need.call, limits);
            (!lack.is_empty() || !counted.is_open(head)).then(|| want(counted, lack))
        });
        counted.or_else(|| {
            let rate = need.rate?;
            let lacks = if need.wait_ms > 0 { calls_of(&need.call) } else { 0 };
            let lack = Share { rate: lacks, ..Share::default() };
            (lacks > 0 || !rate.is_open(head)).then(|| want(rate, lack))
        })
    }

    /// Everything that the decision depends on: the certificate narrows the called capsule,
    /// the authors' grants cover components.
    fn facts(
        &self,
        page: &Page<'_>,
        declared: Option<Purpose>,
        needs: &BTreeMap<u64, Need<'_>>,
    ) -> CallFacts {
        let channel = &self.route.channel;
        let remaining = channel.remaining().0 / 1_000_000_000;
        let remaining = u64::try_from(remaining).unwrap_or(u64::MAX);
        let blocks = self.certificate.blocks.iter();
        let block =
            |block: &CertificateBlock| (block.id, (block.narrowing.clone(), page.spent(&block.id)));
        let parts = self.route.parts.iter().enumerate();
        CallFacts {
            channel: self.channel(),
            height: self.route.head.height,
            now: self.now,
            ledger_age_ms: self.ledger_age_ms,
            remaining: Price(remaining).saturating_sub(page.unsettled(self.channel())),
            expires: channel.expires,
            closing: channel.closing.is_some(),
            unit_price_max: channel.unit_price_max,
            purpose: declared,
            agent: self.agent,
            price_max: self.price_max,
            blocks: blocks.map(block).collect(),
            parts: parts.map(|(at, part)| self.part_facts(at, part, needs)).collect(),
        }
    }

    fn part_facts(&self, at: usize, part: &Part, needs: &BTreeMap<u64, Need<'_>>) -> PartFacts {
        let (channel, called) = (&self.route.channel, at == 0);
        let need = needs.get(&part.grant_number);
        PartFacts {
            grant: part.grant_number,
            terms: part.grant.terms,
            view: grant_view(part, need, !called || part.grant.licensee == channel.payer),
            capsule: part.version.id,
            capsule_ok: !called || channel.grants.contains(&part.grant_number),
            right: if called { Right::Call } else { Right::Compose },
            line_max: need.map_or(Price::ZERO, |need| need.call.price),
            unit_price: part.unit_price(),
        }
    }
}

/// What the caller is told. Some refusals pass with time.
fn refused(denied: &PartDenied) -> CallError {
    let passing = [ErrorCode::LedgerStale, ErrorCode::RateExceeded];
    let retry = passing.contains(&denied.denial.code());
    CallError { retry, ..CallError::of(&denied.denial) }
}

/// What is said of a grant: the numbers are those of all gateways, so that a call is denied
/// exactly if neither this gateway's lease nor what nobody has leased holds it.
fn grant_view(part: &Part, need: Option<&Need<'_>>, licensee_ok: bool) -> GrantView {
    let covers = part.grant.covers(&part.version);
    let counted = need.and_then(|need| need.counted.map(|counted| (need, counted)));
    // A decision is about one more call: the other lines under the grant come before it.
    let calls_used = counted.map_or(0, |(need, counted)| {
        counted.calls_used(need.own).saturating_add(need.call.calls.saturating_sub(1))
    });
    GrantView {
        accepted: part.grant.accepted,
        revoked: part.grant.revoked.is_some(),
        calls_used,
        spent: counted.map_or(Price::ZERO, |(need, counted)| counted.spent(need.own)),
        rate_wait_ms: need.map_or(0, |need| if need.more { 0 } else { need.wait_ms }),
        territory: part.grant.territory.as_deref().and_then(|code| code.parse().ok()),
        licensee_ok: covers && licensee_ok,
    }
}

fn calls_of(call: &Spent) -> u32 {
    u32::try_from(call.calls).unwrap_or(u32::MAX)
}

fn rate_of((grant, need): (&u64, &Need<'_>)) -> (u64, u32) {
    (*grant, calls_of(&need.call))
}

fn claim_of((grant, need): (&u64, &Need<'_>)) -> Option<QuotaClaim> {
    let period = need.counted?.period;
    Some(QuotaClaim { grant: *grant, period, spent: need.call })
}
