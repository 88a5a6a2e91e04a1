//! Royalty lines change hands: given away, or sold at the price at which they are offered.
//!
//! A sale needs no escrow and no deposit: price and line change hands in one operation, which
//! applies whole or not at all, so neither side ever waits for the other with empty hands. An
//! offer binds no money, and there is at most one for each line.
//!
//! **Invariant**: whoever made an offer holds the line. An offer goes when the line does.

use super::accounts::number_of;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Balance, Royalty, RoyaltyOffer};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::{OperationResult, SaleResult};
use crate::transaction::{BuyRoyalty, OfferRoyalty, TransferRoyalty};
use crate::view::View;
use ambar_base::{Amount, ErrorCode, Price};

pub(super) fn transfer(
    view: &mut View<'_>,
    party: &Party,
    record: &TransferRoyalty,
) -> Result<OperationResult, Stop> {
    view.require([Key::AccountNumber(record.to)].into_iter().chain(keys(record.royalty)))?;
    let to = number_of(view, &record.to)?;
    let royalty = own(view, party, record.royalty)?;
    hand_over(view, record.royalty, royalty, to)?;
    Ok(OperationResult::Done)
}

pub(super) fn offer(
    view: &mut View<'_>,
    party: &Party,
    record: &OfferRoyalty,
) -> Result<OperationResult, Stop> {
    view.require(record.to.map(Key::AccountNumber).into_iter().chain(keys(record.royalty)))?;
    own(view, party, record.royalty)?;
    if record.price == Price(0) || record.expires <= view.block.time {
        let message = "an offer has a price above zero and expires in the future";
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let to = record.to.map(|id| number_of(view, &id)).transpose()?;
    if to == Some(party.account) {
        let message = "nobody offers a royalty line to themselves";
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let offer = RoyaltyOffer { price: record.price, to, expires: record.expires };
    view.put(&Key::RoyaltyOffer(record.royalty), &offer);
    Ok(OperationResult::Done)
}

pub(super) fn withdraw(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    view.require(keys(number))?;
    own(view, party, number)?;
    let _: RoyaltyOffer = offer_of(view, number)?;
    view.remove(&Key::RoyaltyOffer(number));
    Ok(OperationResult::Done)
}

/// The price and the line change hands together. Calls admitted up to this block still pay
/// whoever held the line.
pub(super) fn buy(
    view: &mut View<'_>,
    party: &Party,
    record: &BuyRoyalty,
) -> Result<OperationResult, Stop> {
    view.require(keys(record.royalty).into_iter().chain([Key::Balance(party.account)]))?;
    let royalty = royalty_of(view, record.royalty)?;
    let seller = *royalty.holder.latest();
    let offer = offer_of(view, record.royalty)?;
    check_offer(view, party, record, &offer)?;
    if seller == party.account {
        let message = format!("royalty line {} is the buyer's own", record.royalty);
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    view.require([Key::Balance(seller)])?;
    let id = view.expect::<Balance>(&Key::Balance(seller))?.account;
    postings::transfer(view, party.account, seller, Amount::from(offer.price))?;
    hand_over(view, record.royalty, royalty, party.account)?;
    Ok(OperationResult::Sold(SaleResult { royalty: record.royalty, seller: id }))
}

fn check_offer(
    view: &View<'_>,
    party: &Party,
    record: &BuyRoyalty,
    offer: &RoyaltyOffer,
) -> Result<(), Refusal> {
    let number = record.royalty;
    if offer.expires <= view.block.time {
        let message = format!("the offer of royalty line {number} is over");
        return Err(Refusal::new(ErrorCode::NotFound, message));
    }
    if offer.to.is_some_and(|to| to != party.account) {
        let message = format!("royalty line {number} is offered to somebody else");
        return Err(Refusal::new(ErrorCode::NotAuthorised, message));
    }
    if offer.price != record.price {
        let message =
            format!("royalty line {number} costs {} credits, not {}", offer.price, record.price);
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message));
    }
    Ok(())
}

/// Where a royalty line and its offer lie.
fn keys(number: u64) -> [Key; 2] {
    [Key::Royalty(number), Key::RoyaltyOffer(number)]
}

fn royalty_of(view: &View<'_>, number: u64) -> Result<Royalty, Stop> {
    view.named("royalty line", number, &Key::Royalty(number))
}

fn offer_of(view: &View<'_>, number: u64) -> Result<RoyaltyOffer, Stop> {
    view.named("offer of royalty line", number, &Key::RoyaltyOffer(number))
}

/// A royalty line, which the party must hold.
fn own(view: &View<'_>, party: &Party, number: u64) -> Result<Royalty, Stop> {
    let royalty = royalty_of(view, number)?;
    if *royalty.holder.latest() == party.account {
        return Ok(royalty);
    }
    let message = format!("royalty line {number} is held by somebody else");
    Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
}

/// Changes the holder from the next height on, and removes what the holder before offered.
fn hand_over(view: &mut View<'_>, number: u64, mut royalty: Royalty, to: u64) -> Result<(), Stop> {
    let (height, oldest) = (view.block.height, view.oldest()?);
    royalty
        .holder
        .set(height.after(1), oldest, to)
        .map_err(|error| Refusal::new(ErrorCode::LimitExceeded, error.to_string()))?;
    view.put(&Key::Royalty(number), &royalty);
    if view.get::<RoyaltyOffer>(&Key::RoyaltyOffer(number))?.is_some() {
        view.remove(&Key::RoyaltyOffer(number));
    }
    Ok(())
}
