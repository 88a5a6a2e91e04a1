//! Admission: may this call run, and how much is held for it?

use crate::books::{Books, Claim, Hold};
use crate::call::CallError;
use crate::certificate::Opened;
use crate::route::{Part, Route};
use ambar_base::{Coded, ErrorCode, Moment, Price};
use ambar_licence::decision::{
    ChannelView, Decision, GrantView, Request, Reservation, Situation, Spent, decide,
};
use ambar_licence::narrowing::Narrowing;
use ambar_licence::{Purpose, Right};

/// What admission decides about.
pub struct Admission<'a> {
    /// The certificate.
    pub certificate: &'a Opened,
    /// The route.
    pub route: &'a Route,
    /// The declared purpose.
    pub purpose: Option<&'a str>,
    /// Most that the call can cost.
    pub price_max: Price,
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
}

impl Admission<'_> {
    /// Decides and takes the hold, in one step with respect to other calls. Nothing if a
    /// settlement overtook the route: with a newer state the same question has an answer.
    pub fn decide(&self, books: &Books) -> Result<Option<Admitted>, CallError> {
        let declared = self.purpose.map(str::parse::<Purpose>).transpose();
        let declared = declared.map_err(|error| CallError::of(&error).at("Ambar-Purpose"))?;
        let page = books.page();
        if self.route.head.height < page.settled() {
            return Ok(None);
        }
        let spent: Vec<(&Narrowing, Spent)> = self
            .certificate
            .blocks
            .iter()
            .map(|block| (&block.narrowing, page.spent(&block.id)))
            .collect();
        let calls = |part: &Part| match part.quota {
            None => 0,
            Some((period, settled)) => settled + page.calls(part.grant_number, period),
        };
        let remaining = self.route.channel.remaining().0 / 1_000_000_000;
        let remaining = u64::try_from(remaining).unwrap_or(u64::MAX);
        let remaining = Price(remaining).saturating_sub(page.unsettled(self.channel()));
        let [called, components @ ..] = &self.route.parts[..] else {
            return Err(CallError::new(ErrorCode::Internal, "a route has at least one part"));
        };
        let first = self.ask(called, Right::Call, declared, &spent, calls(called), remaining)?;
        for component in components {
            let purpose = first.purpose.clone();
            self.ask(component, Right::Compose, purpose, &[], calls(component), remaining)?;
        }
        let quotas = self
            .route
            .parts
            .iter()
            .filter_map(|part| part.quota.map(|(period, _)| (part.grant_number, period)));
        let claim = Claim {
            channel: self.channel(),
            blocks: self.certificate.blocks.iter().map(|block| block.id).collect(),
            quotas: quotas.collect(),
        };
        let hold = page.hold(claim, first.price, self.route.channel.settled.end());
        Ok(Some(Admitted { hold, purpose: first.purpose }))
    }

    fn channel(&self) -> u64 {
        self.route.channel_number
    }

    /// Asks the licence's decision for one part: the certificate narrows the called
    /// capsule, the author's grant covers components.
    fn ask(
        &self,
        part: &Part,
        right: Right,
        purpose: Option<Purpose>,
        narrowings: &[(&Narrowing, Spent)],
        calls_used: u64,
        remaining: Price,
    ) -> Result<Reservation, CallError> {
        let channel = &self.route.channel;
        let request = Request {
            capsule: part.version.id,
            purpose,
            right,
            price_max: self.price_max,
            line_max: self.price_max,
            unit_price: part.unit_price(self.route.ask),
        };
        let covers = part.grant.line == part.version.line && part.grant.terms == part.version.terms;
        let called = right == Right::Call;
        let situation = Situation {
            terms: &part.terms,
            grant: GrantView {
                accepted: part.grant.accepted,
                revoked: part.grant.revoked.is_some(),
                calls_used,
                // No capsule is published under terms that limit these: the ledger refuses them.
                spent: Price::ZERO,
                rate_wait_ms: 0,
                territory: None,
                licensee_ok: covers && (!called || part.grant.licensee == channel.payer),
            },
            channel: ChannelView {
                remaining,
                expires: channel.expires,
                closing: channel.closing.is_some(),
                unit_price_max: channel.unit_price_max,
                capsule_ok: !called || channel.grants.contains(&part.grant_number),
            },
            narrowings,
            request: &request,
            now: self.now,
            ledger_age_ms: self.ledger_age_ms,
        };
        match decide(&situation) {
            Decision::Allow(reservation) => Ok(reservation),
            Decision::Deny(denial) => {
                let retry = denial.code() == ErrorCode::LedgerStale;
                Err(CallError { retry, ..CallError::of(&denial) })
            }
        }
    }
}
