//! Entering a call: its route, what it can cost, and whether it may run.

use crate::admission::{Admission, Admitted, Verdict};
use crate::authorisation::agent_of;
use crate::bound::bound;
use crate::call::{CallError, CallRequest};
use crate::certificate::Opened;
use crate::compose::Work;
use crate::flow::{Full, Place, Priority};
use crate::gateway::Inner;
use crate::lessee::LEASE_PATIENCE;
use crate::meter;
use crate::route::{Part, Route};
use crate::serving::Offer;
use crate::view::LedgerView;
use crate::vouchers::voucher_of;
use ambar_base::{ErrorCode, Moment, Price};
use ambar_receipt::Counters;
use std::sync::Arc;
use tokio::time::Instant;

/// An admitted call before it runs.
pub(crate) struct Entered {
    pub(crate) view: LedgerView,
    pub(crate) route: Arc<Route>,
    pub(crate) work: Work,
    pub(crate) bound: Vec<Counters>,
    pub(crate) now: Moment,
    /// A place before this node's engine, if that may serve.
    pub(crate) place: Option<Place>,
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
        let (mut patience, mut place) = (None, None);
        let agent = agent_of(self.network, opened, request, (self.clock)())?;
        loop {
            let (now, ledger_age_ms) = self.now(&view);
            let route = self.route(&view, opened.channel, &request.capsule, now)?;
            let voucher = voucher_of(self.network, opened, &route.channel, request, agent)?;
            let work = Work::of(&route)?;
            if let Some(model) = work.model().filter(|_| place.is_none()) {
                let payer = route.channel.payer;
                place = place_of(&route.parts[model], payer, request.urgency)?;
            }
            let bound = bound(&route, &work, &request.job, max_tokens).await?;
            let (price_max, lines_max) = meter::price_max(&route, &bound)?;
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
                    return Ok(Entered { view, route, work, bound, now, place, admitted });
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
            view = self.newest()?;
        }
    }
}

/// A place before this node's own engine. Where that has none left, others are asked; where there
/// are no others, the call is refused before anything is held for it.
fn place_of(part: &Part, payer: u64, urgency: Priority) -> Result<Option<Place>, CallError> {
    let Some(Offer::Engine(supply)) = part.here() else { return Ok(None) };
    match supply.turnstile().place(payer, urgency) {
        Ok(place) => Ok(Some(place)),
        // Without a place this node's engine is the last to be asked.
        Err(_) if part.servers.len() > 1 => Ok(None),
        Err(full) => Err(refused(full)),
    }
}

/// What a caller is told whose call finds no place.
pub(crate) fn refused(full: Full) -> CallError {
    let message = match full.own {
        true => "too many calls of this payer wait for the engine",
        false => "too many calls wait for the engine",
    };
    let retry_after_ms = u64::try_from(full.retry_after.as_millis()).ok();
    CallError { retry_after_ms, ..CallError::new(ErrorCode::EngineBusy, message) }
}

/// A caller may say what a call costs at most.
fn affordable(request: &CallRequest, price_max: Price) -> Result<(), CallError> {
    let Some(limit) = request.price_max.filter(|limit| price_max > *limit) else { return Ok(()) };
    let message = format!("the call may cost {price_max} credits, more than {limit}");
    Err(CallError::new(ErrorCode::PriceAboveLimit, message).at("Ambar-Price-Max"))
}
