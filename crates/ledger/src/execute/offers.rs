//! Terms that an owner offers beside the published ones: to anybody or to one account, for a
//! while, so often, or once to each.
//!
//! What an offer may not say is what others rely on: parents get no less of a call than their
//! terms ask, and whoever builds on the capsule reads that in its published terms, so the offered
//! ones repeat it.
//!
//! **Invariant**: an offer is accepted only while whoever made it owns the line, and a grant under
//! it never covers a version whose parents it would short-change.

use super::accounts::number_of;
use super::lineage;
use super::ownership::{own_line, version_of};
use super::publish::known_terms;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Line, Offer, Version};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::OfferTerms;
use crate::view::{View, stored_terms};
use ambar_base::{Cid, ErrorCode};
use ambar_licence::Terms;

pub(super) fn make(
    view: &mut View<'_>,
    party: &Party,
    record: &OfferTerms,
) -> Result<OperationResult, Stop> {
    let fixed = [Key::VersionNumber(record.version), Key::Terms(record.terms)];
    view.require(record.to.map(Key::AccountNumber).into_iter().chain(fixed))?;
    let (number, version) = version_of(view, &record.version)?;
    view.require([Key::Line(version.line), Key::Terms(version.terms), Key::Ancestry(number)])?;
    let (line, _) = own_line(view, party, &record.version)?;
    let to = record.to.map(|id| number_of(view, &id)).transpose()?;
    check_shape(view, party, record, to)?;
    let terms = known_terms(view, record.terms, record.document.as_deref())?;
    check_terms(view, &version, &terms)?;
    lineage::check_offered(view, party.account, number, &terms)?;
    let offer = Offer {
        line,
        terms: record.terms,
        owner: party.account,
        to,
        expires: record.expires,
        left: record.limit,
        once: record.once,
    };
    let number = view.number(|numbers| &mut numbers.offers)?;
    view.put(&Key::Offer(number), &offer);
    Ok(OperationResult::Offer(number))
}

fn check_shape(
    view: &View<'_>,
    party: &Party,
    record: &OfferTerms,
    to: Option<u64>,
) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(ErrorCode::TransactionInvalid, message));
    if record.expires <= view.block.time || record.limit == Some(0) {
        return refuse("an offer expires in the future and is accepted at least once");
    }
    if to == Some(party.account) {
        return refuse("nobody offers terms to themselves");
    }
    Ok(())
}

/// What others rely on stays as the published terms say.
fn check_terms(view: &View<'_>, version: &Version, terms: &Terms) -> Result<(), Stop> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::TermsInvalid, message).into());
    if stored_terms(view, version.terms)?.derivatives != terms.derivatives {
        return refuse(format!(
            "derivatives: what is built on {} is bound by its published terms, which the offered \
             ones repeat",
            version.id
        ));
    }
    let smallest = terms.minimum_price_per_call();
    if smallest < version.least {
        return refuse(format!(
            "price: the smallest call earns {smallest}; `derivatives.floor_per_call` of the \
             parents of {} asks {} of it",
            version.id, version.least
        ));
    }
    Ok(())
}

pub(super) fn withdraw(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    let key = Key::Offer(number);
    let offer: Offer = view.named("offer", number, &key)?;
    let line: Line = view.expect(&Key::Line(offer.line))?;
    if ![offer.owner, line.owner].contains(&party.account) {
        let message = format!("offer {number} is somebody else's");
        return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    }
    view.remove(&key);
    Ok(OperationResult::Done)
}

/// The terms of an offer, if the party may accept it for a version now.
pub(super) fn take(
    view: &View<'_>,
    party: &Party,
    (version_number, version): (u64, &Version),
    (number, terms): (u64, Cid),
) -> Result<Terms, Stop> {
    let offer: Offer = view.named("offer", number, &Key::Offer(number))?;
    view.require([
        Key::Line(version.line),
        Key::Terms(version.terms),
        Key::Terms(offer.terms),
        Key::OfferTaken((version.line, party.account)),
        Key::Ancestry(version_number),
    ])?;
    let line: Line = view.expect(&Key::Line(version.line))?;
    check_offer(view, party, version, (number, &offer))?;
    let refuse =
        |code, what: &str| Err(Stop::from(Refusal::new(code, format!("offer {number} {what}"))));
    if offer.owner != line.owner {
        return refuse(ErrorCode::NotFound, "ended when the capsule changed hands");
    }
    if offer.terms != terms {
        return refuse(ErrorCode::GrantMissing, &format!("has terms {}", offer.terms));
    }
    let before = view.get::<u64>(&Key::OfferTaken((version.line, party.account)))?;
    if let Some(grant) = before.filter(|_| offer.once) {
        let what = format!("is for accounts that had none like it; this one has grant {grant}");
        return refuse(ErrorCode::NotAuthorised, &what);
    }
    let terms = stored_terms(view, offer.terms)?;
    // The line may have a version by now that is built on more.
    check_terms(view, version, &terms)?;
    lineage::check_offered(view, line.owner, version_number, &terms)?;
    Ok(terms)
}

fn check_offer(
    view: &View<'_>,
    party: &Party,
    version: &Version,
    (number, offer): (u64, &Offer),
) -> Result<(), Refusal> {
    let refuse = |code, what: &str| Err(Refusal::new(code, format!("offer {number} {what}")));
    if offer.line != version.line {
        return refuse(ErrorCode::GrantMissing, "is for another capsule");
    }
    if offer.to.is_some_and(|to| to != party.account) {
        return refuse(ErrorCode::NotAuthorised, "is to somebody else");
    }
    if offer.expires <= view.block.time {
        return refuse(ErrorCode::NotFound, "is over");
    }
    Ok(())
}

/// Counts an acceptance: an offer that is used up is gone.
pub(super) fn taken(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
    grant: u64,
) -> Result<(), Stop> {
    let key = Key::Offer(number);
    let mut offer: Offer = view.expect(&key)?;
    if offer.once {
        view.put(&Key::OfferTaken((offer.line, party.account)), &grant);
    }
    match offer.left {
        Some(0 | 1) => view.remove(&key),
        Some(left) => {
            offer.left = Some(left - 1);
            view.put(&key, &offer);
        }
        None => {}
    }
    Ok(())
}
