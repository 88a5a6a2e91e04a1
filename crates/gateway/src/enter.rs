//! Entering a call: its route, what it can cost, and whether it may run.

use crate::admission::{Admission, Admitted, Verdict};
use crate::authorisation::agent_of;
use crate::bound::bound;
use crate::call::{CallError, CallRequest};
use crate::certificate::Opened;
use crate::compose::Work;
use crate::gateway::Inner;
use crate::lessee::LEASE_PATIENCE;
use crate::meter;
use crate::route::{Route, Router};
use crate::view::LedgerView;
use crate::vouchers::voucher_of;
use ambar_base::{ErrorCode, Moment, Price};
use ambar_receipt::Counters;
use tokio::time::Instant;

/// An admitted call before it runs.
pub(crate) struct Entered {
    pub(crate) view: LedgerView,
    pub(crate) route: Route,
    pub(crate) work: Work,
    pub(crate) bound: Vec<Counters>,
    pub(crate) now: Moment,
    pub(crate) admitted: Box<Admitted>,
}

impl Inner {
    /// Routes, bounds and decides on one state of the ledger. A settlement that becomes
    /// final meanwhile moves charges from the books to a later state, which is taken then.
    pub(crate) async fn enter(
        &self,
        mut view: LedgerView,
        opened: &Opened,
        request: &CallRequest,
        max_tokens: u32,
    ) -> Result<Entered, CallError> {
        let mut patience = None;
        let agent = agent_of(self.network, opened, request, (self.clock)())?;
        loop {
            let (now, ledger_age_ms) = self.now(&view);
            let router = Router { view: &view, serving: &self.serving, node: self.node, now };
            let route = router.route(opened.channel, &request.capsule)?;
            let voucher = voucher_of(self.network, opened, &route.channel, request, agent)?;
            let work = Work::of(&route)?;
            let bound = bound(&route, &work, &request.job, max_tokens).await?;
            let (price_max, lines_max) = meter::price_max(&route, self.node, &bound)?;
            affordable(request, price_max)?;
            let admission = Admission {
                certificate: opened,
                route: &route,
                purpose: request.purpose.as_deref(),
                agent,
                voucher,
                price_max,
                lines_max: &lines_max,
                now,
                ledger_age_ms,
            };
            match admission.decide(&self.books)? {
                Verdict::Admitted(admitted) => {
                    self.lessee.used(&route);
                    return Ok(Entered { view, route, work, bound, now, admitted });
                }
                Verdict::Denied(denied) => {
                    self.refusals.keep(&denied.decision);
                    return Err(denied.error);
                }
                Verdict::Overtaken => {}
                Verdict::Wanted(want) => {
                    let until = patience.get_or_insert_with(|| Instant::now() + LEASE_PATIENCE);
                    self.lessee.take(&want, *until).await?;
                }
            }
            view = self.view()?;
        }
    }
}

/// A caller may say what a call costs at most.
fn affordable(request: &CallRequest, price_max: Price) -> Result<(), CallError> {
    let Some(limit) = request.price_max.filter(|limit| price_max > *limit) else { return Ok(()) };
    let message = format!("the call may cost {price_max} credits, more than {limit}");
    Err(CallError::new(ErrorCode::PriceAboveLimit, message).at("Ambar-Price-Max"))
}
