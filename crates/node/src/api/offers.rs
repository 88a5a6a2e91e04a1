//! Terms that are offered beside the published ones. All offers are public, those to one account
//! too: the ledger keeps no secret.

use super::App;
use super::dto::Offer;
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::views::{self, account_id, ledger, named, time};
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Which {
    capsule: Option<String>,
    to: Option<String>,
}

/// Offers of terms, newest first: all those of a capsule, or all those to one account. With
/// both, what the account may accept now of what is offered for the capsule.
#[utoipa::path(get, path = "/api/v1/offers",
    operation_id = "list_offers", tag = "catalogue",
    params(("capsule" = Option<String>, Query), ("to" = Option<String>, Query)),
    responses((status = 200, body = Vec<Offer>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(which): Asked<Which>,
) -> Answer<Vec<Offer>> {
    let view = ledger(&app)?;
    let line = which.capsule.as_deref().map(|capsule| view.version_named(capsule)).transpose()?;
    let to = which.to.as_deref().map(|to| view.account(to)).transpose()?;
    let offers = match (line, to) {
        (None, None) => {
            return Err(Failure::invalid("offers are asked for by `capsule`, by `to`, or by both"));
        }
        (None, Some((_, account, _))) => {
            let numbers = app.index.offers_to(&account.id)?;
            found(&app, &view, numbers, |_| Ok(true))
        }
        (Some((_, version)), to) => {
            let numbers = app.index.offers_of(version.line)?;
            let wanted = |offer: &object::Offer| match &to {
                None => Ok(true),
                Some((account, ..)) => open_to(&view, offer, *account),
            };
            found(&app, &view, numbers, wanted)
        }
    };
    offers.map(Json)
}

/// What anybody may accept for a line now.
pub(super) fn standing(app: &App, view: &LedgerView, line: u64) -> Result<Vec<Offer>, Failure> {
    let wanted = |offer: &object::Offer| Ok(offer.to.is_none() && !over(view, offer)?);
    found(app, view, app.index.offers_of(line)?, wanted)
}

fn found(
    app: &App,
    view: &LedgerView,
    numbers: Vec<u64>,
    wanted: impl Fn(&object::Offer) -> Result<bool, Failure>,
) -> Result<Vec<Offer>, Failure> {
    let mut found = Vec::new();
    for number in numbers {
        // The index may be a block behind.
        let offer: Option<object::Offer> = view.object(&Key::Offer(number))?;
        if let Some(offer) = offer
            && wanted(&offer)?
        {
            found.push(shown(app, view, number, &offer)?);
        }
    }
    Ok(found)
}

/// Whether nobody can accept it any more.
fn over(view: &LedgerView, offer: &object::Offer) -> Result<bool, Failure> {
    let owner = views::line(view, offer.line)?.owner;
    Ok(offer.expires <= view.head().time || owner != offer.owner)
}

fn open_to(view: &LedgerView, offer: &object::Offer, account: u64) -> Result<bool, Failure> {
    let meant = offer.to.is_none_or(|to| to == account);
    let taken = Key::OfferTaken((offer.line, account));
    let taken = offer.once && view.object::<u64>(&taken)?.is_some();
    Ok(meant && !taken && !over(view, offer)?)
}

fn shown(
    app: &App,
    view: &LedgerView,
    number: u64,
    offer: &object::Offer,
) -> Result<Offer, Failure> {
    let (capsule, capsule_name) = named(app, view, views::line(view, offer.line)?.head)?;
    let to = offer.to.map(|to| account_id(view, to)).transpose()?;
    Ok(Offer {
        id: number.to_string(),
        capsule: capsule.to_string(),
        capsule_name,
        owner: account_id(view, offer.owner)?.to_string(),
        to: to.map(|id| id.to_string()),
        expires: time(offer.expires),
        over: over(view, offer)?,
        left: offer.left,
        once: offer.once,
        terms: views::terms(&view.terms(&offer.terms)?),
    })
}
