//! Accepting terms, and ending grants.

use super::offers;
use super::ownership::version_of;
use super::publish::still_binds;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Grant, Line, Version};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::Accept;
use crate::view::{View, stored_terms};
use ambar_base::ErrorCode;
use ambar_licence::{Denial, Revocation, Terms, Territory};

pub(super) fn accept(
    view: &mut View<'_>,
    party: &Party,
    record: &Accept,
) -> Result<OperationResult, Stop> {
    let offer = record.offer.map(Key::Offer);
    view.require(offer.into_iter().chain([Key::VersionNumber(record.version)]))?;
    let (number, version) = version_of(view, &record.version)?;
    let terms = match record.offer {
        None => published(view, &version, record)?,
        Some(offer) => offers::take(view, party, (number, &version), (offer, record.terms))?,
    };
    still_binds(&terms, view.block.time)?;
    check_territory(&terms, record.territory.as_deref())?;
    let grant = Grant {
        licensee: party.account,
        line: version.line,
        terms: record.terms,
        accepted: view.block.time,
        height: view.block.height,
        revoked: None,
        territory: record.territory.clone(),
        breach: None,
        of: version.terms,
        least: terms.minimum_price_per_call(),
    };
    let number = view.number(|numbers| &mut numbers.grants)?;
    view.put(&Key::Grant(number), &grant);
    if let Some(offer) = record.offer {
        offers::taken(view, party, offer, number)?;
    }
    Ok(OperationResult::Grant(number))
}

/// The terms of a version, if they are those that were read.
fn published(view: &View<'_>, version: &Version, record: &Accept) -> Result<Terms, Stop> {
    if version.terms != record.terms {
        let message = format!("capsule {} has terms {}", record.version, version.terms);
        return Err(Refusal::new(ErrorCode::GrantMissing, message).into());
    }
    stored_terms(view, version.terms)
}

/// A territory is declared once, here: every receipt under the grant says it.
fn check_territory(terms: &Terms, declared: Option<&str>) -> Result<(), Refusal> {
    let territory = declared.map(str::parse::<Territory>).transpose();
    let territory = territory.map_err(|error| Refusal::of(&error))?;
    let denial = match territory {
        _ if terms.territories.is_empty() => return Ok(()),
        None => Denial::TerritoryRequired,
        Some(territory) if terms.territories.admit(territory) => return Ok(()),
        Some(territory) => Denial::TerritoryNotAllowed { territory },
    };
    Err(Refusal::of(&denial))
}

/// The licensee may end a grant, and the owner of the capsule if its terms say so. Calls
/// admitted before this block's successor still settle.
pub(super) fn revoke(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    let key = Key::Grant(number);
    let mut grant: Grant = view.named("grant", number, &key)?;
    view.require([Key::Line(grant.line), Key::Terms(grant.terms)])?;
    let line: Line = view.expect(&Key::Line(grant.line))?;
    let refuse = |message| Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    if ![grant.licensee, line.owner].contains(&party.account) {
        return refuse(format!("grant {number} is between other parties"));
    }
    let at_will = stored_terms(view, grant.terms)?.revoke_if.contains(&Revocation::Owner);
    if party.account != grant.licensee && !at_will {
        return refuse(format!("the terms of grant {number} do not let the owner end it"));
    }
    end(view, number, &mut grant);
    Ok(OperationResult::Done)
}

/// Ends a grant with this block, unless it has ended.
pub(super) fn end(view: &mut View<'_>, number: u64, grant: &mut Grant) {
    if grant.revoked.is_none() {
        grant.revoked = Some(view.block.height.after(1));
        view.put(&Key::Grant(number), grant);
    }
}
