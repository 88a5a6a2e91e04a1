//! Royalty lines: who holds them, and what they are offered for. Both are public, as plans are.

use super::App;
use super::dto::{Royalty, RoyaltyOffer};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::views::{self, account_id, ledger, named, number, time};
use ambar_base::Weight;
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object;
use ambar_ledger::query::State as _;
use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
pub(super) struct Of {
    account: String,
}

/// The royalty lines that an account holds, newest first.
#[utoipa::path(get, path = "/api/v1/royalties",
    operation_id = "list_royalties", tag = "accounts",
    params(("account" = String, Query)),
    responses((status = 200, body = Vec<Royalty>)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(of): Asked<Of>,
) -> Answer<Vec<Royalty>> {
    let view = ledger(&app)?;
    let (_, account, _) = view.account(&of.account)?;
    let holder = account.id.to_string();
    let mut held = Vec::new();
    for number in app.index.royalties(&account.id)? {
        let royalty = royalty(&app, &view, number)?;
        // The index may be a block behind.
        if royalty.holder == holder {
            held.push(royalty);
        }
    }
    Ok(Json(held))
}

/// A royalty line.
#[utoipa::path(get, path = "/api/v1/royalties/{royalty}",
    operation_id = "royalty", tag = "accounts",
    params(("royalty" = String, Path)),
    responses((status = 200, body = Royalty)))]
pub(super) async fn one(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Royalty> {
    let number = number("royalty line", &text)?;
    royalty(&app, &ledger(&app)?, number).map(Json)
}

fn royalty(app: &App, view: &LedgerView, number: u64) -> Result<Royalty, Failure> {
    let royalty: object::Royalty = view.must("royalty line", number, &Key::Royalty(number))?;
    let line = views::line(view, royalty.line)?;
    let (capsule, capsule_name) = named(app, view, line.head)?;
    let own = line.royalty.iter().find(|(own, _)| *own == number);
    Ok(Royalty {
        id: number.to_string(),
        capsule: capsule.to_string(),
        capsule_name,
        weight: own.map_or(Weight::ZERO, |(_, weight)| *weight).to_string(),
        holder: account_id(view, *royalty.holder.latest())?.to_string(),
        offer: offer(view, number)?,
    })
}

fn offer(view: &LedgerView, number: u64) -> Result<Option<RoyaltyOffer>, Failure> {
    let offer: Option<object::RoyaltyOffer> = view.object(&Key::RoyaltyOffer(number))?;
    let Some(offer) = offer else { return Ok(None) };
    let to = offer.to.map(|to| account_id(view, to)).transpose()?;
    Ok(Some(RoyaltyOffer {
        price: offer.price.to_string(),
        to: to.map(|id| id.to_string()),
        expires: time(offer.expires),
        over: offer.expires <= view.head().time,
    }))
}
