//! Who votes on blocks, and who would.

use super::App;
use super::dto::{Validator, Validators};
use super::extract::Asked;
use super::failure::{Answer, Failure};
use super::views::{account_id, ledger, limit, number};
use ambar_gateway::view::LedgerView;
use ambar_ledger::Key;
use ambar_ledger::object::Numbers;
use ambar_ledger::query::State as _;
use ambar_ledger::roster::{Roster, Status, Validator as Object};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;

/// Most numbers that one answer looks at: those of validators that took their bond back are
/// empty.
const NUMBERS_MAX: u64 = 1_000;

#[derive(Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

/// A part of the validators.
#[utoipa::path(get, path = "/api/v1/validators",
    operation_id = "list_validators", tag = "ledger",
    params(("after" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = Validators)))]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Asked(page): Asked<Page>,
) -> Answer<Validators> {
    let view = ledger(&app)?;
    let roster = view.roster()?;
    let after = page.after.as_deref().map(|text| number("validator", text)).transpose()?;
    let first = after.map_or(0, |after| after.saturating_add(1));
    let (validators, next) = part(&view, &roster, first, limit(page.limit)?)?;
    Ok(Json(Validators {
        epoch: roster.epoch,
        epoch_blocks: app.home.genesis.epoch_blocks,
        bond: view.governance()?.parameters.latest().validator_bond.to_string(),
        validators,
        next: next.map(|last| last.to_string()),
    }))
}

/// Validators from a number on, and the last number that was looked at if there are more.
fn part(
    view: &LedgerView,
    roster: &Roster,
    first: u64,
    limit: usize,
) -> Result<(Vec<Validator>, Option<u64>), Failure> {
    let numbers: Numbers = view.must("numbers", "of this network", &Key::Numbers)?;
    let end = numbers.validators.min(first.saturating_add(NUMBERS_MAX));
    let mut validators = Vec::new();
    for number in first..end {
        if let Some(object) = view.object(&Key::Validator(number))? {
            validators.push(validator(view, roster, number, &object)?);
        }
        let more = number + 1 < numbers.validators;
        if more && (validators.len() >= limit || number + 1 == end) {
            return Ok((validators, Some(number)));
        }
    }
    Ok((validators, None))
}

fn validator(
    view: &LedgerView,
    roster: &Roster,
    number: u64,
    object: &Object,
) -> Result<Validator, Failure> {
    let since = match object.status {
        Status::Left(height) | Status::Ejected(height) => Some(height.0),
        Status::Candidate | Status::Seated | Status::Leaving => None,
    };
    let rank = roster.ranking.iter().position(|ranked| *ranked == number);
    Ok(Validator {
        number: number.to_string(),
        did: object.key.did(),
        owner: account_id(view, object.owner)?.to_string(),
        bond: object.bond.to_string(),
        status: object.status.text().into(),
        since,
        seated: roster.seats.contains(&number),
        rank: rank.map(|rank| rank as u64 + 1),
    })
}
