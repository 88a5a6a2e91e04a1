//! Ending grants for the reasons that their terms name, and which channels back them.
//!
//! **Invariant**: a grant whose terms let its owner end it without a backing lists every
//! channel that names it and is not closed, and at most [`BACKING_CHANNELS_MAX`].

use super::grants::end;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Backing, Channel, Grant, Line};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::RevokeGrantFor;
use crate::view::{View, stored_terms};
use ambar_base::{Amount, ErrorCode, Moment, Price};
use ambar_licence::{Revocation, Terms};

/// Most channels that back one grant, so that what ending it reads is bounded.
pub const BACKING_CHANNELS_MAX: usize = 64;
/// How long after a grant was accepted nobody ends it for lack of a channel: a licensee opens
/// one after that, with another transaction.
pub const BACKING_GRACE_MS: u64 = Moment::DAY_MS;

/// The owner of a capsule ends a grant where its terms say so. Calls admitted before this
/// block's successor still settle.
pub(super) fn revoke(
    view: &mut View<'_>,
    party: &Party,
    record: &RevokeGrantFor,
) -> Result<OperationResult, Stop> {
    let RevokeGrantFor { grant: number, reason } = *record;
    view.require([Key::Grant(number), Key::Backing(number)])?;
    let mut grant: Grant = view.named("grant", number, &Key::Grant(number))?;
    let backing: Backing = view.get(&Key::Backing(number))?.unwrap_or_default();
    let channels = backing.channels.iter().map(|channel| Key::Channel(*channel));
    view.require(channels.chain([Key::Line(grant.line), Key::Terms(grant.terms)]))?;
    let line: Line = view.expect(&Key::Line(grant.line))?;
    let refuse = |message| Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
    if line.owner != party.account {
        return refuse(format!("only the owner of its capsule ends grant {number} for a reason"));
    }
    let (terms, reason) = (stored_terms(view, grant.terms)?, Revocation::from(reason));
    if !terms.revoke_if.contains(&reason) {
        let clause = reason.text();
        return refuse(format!("revoke_if: the terms of grant {number} do not name `{clause}`"));
    }
    match reason {
        Revocation::Owner => {}
        Revocation::Breach if grant.breach.is_some() => {}
        Revocation::Breach => {
            let what = "no dispute about a breach of it was upheld";
            return refuse(format!("revoke_if `breach`: grant {number}: {what}"));
        }
        Revocation::NonPayment => check_unbacked(view, number, &grant, &terms, &backing)?,
    }
    end(view, number, &mut grant);
    Ok(OperationResult::Done)
}

/// A channel backs a grant while it is open, has not expired, and holds the price of the
/// cheapest call.
fn check_unbacked(
    view: &View<'_>,
    number: u64,
    grant: &Grant,
    terms: &Terms,
    backing: &Backing,
) -> Result<(), Stop> {
    let refuse = |what: String| {
        let message = format!("revoke_if `non_payment`: grant {number} {what}");
        Err(Refusal::new(ErrorCode::NotAuthorised, message).into())
    };
    if view.block.time < grant.accepted.after(BACKING_GRACE_MS) {
        return refuse("was accepted less than a day ago".into());
    }
    let least = Amount::from(terms.minimum_price_per_call().max(Price(1)));
    for channel in &backing.channels {
        let Some(object) = view.get::<Channel>(&Key::Channel(*channel))? else { continue };
        let lives = object.closing.is_none() && object.expires > view.block.time;
        if lives && object.remaining() >= least {
            return refuse(format!("is backed by channel {channel}"));
        }
    }
    Ok(())
}

/// Notes a new channel with the grants that end without one.
pub(super) fn back(view: &mut View<'_>, channel: u64, grants: &[u64]) -> Result<(), Stop> {
    for number in grants {
        let grant: Grant = view.expect(&Key::Grant(*number))?;
        if !stored_terms(view, grant.terms)?.revoke_if.contains(&Revocation::NonPayment) {
            continue;
        }
        let key = Key::Backing(*number);
        let mut backing: Backing = view.get(&key)?.unwrap_or_default();
        if backing.channels.len() >= BACKING_CHANNELS_MAX {
            let message = format!(
                "{BACKING_CHANNELS_MAX} channels name grant {number}: close one before you open \
                 another"
            );
            return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
        }
        // Numbers of channels ascend.
        backing.channels.push(channel);
        view.put(&key, &backing);
    }
    Ok(())
}

/// What [`back`] reads beside the grants.
pub(super) fn backing_keys(view: &View<'_>, grants: &[u64]) -> Result<Vec<Key>, Stop> {
    let terms = grants.iter().map(|number| {
        let grant: Grant = view.expect(&Key::Grant(*number))?;
        Ok(Key::Terms(grant.terms))
    });
    let mut keys = terms.collect::<Result<Vec<_>, Stop>>()?;
    keys.extend(grants.iter().map(|number| Key::Backing(*number)));
    Ok(keys)
}

/// A channel that closes backs nothing any more.
pub(super) fn unback(view: &mut View<'_>, channel: u64, grants: &[u64]) -> Result<(), Stop> {
    view.require(grants.iter().map(|number| Key::Backing(*number)))?;
    for number in grants {
        let key = Key::Backing(*number);
        let Some(mut backing) = view.get::<Backing>(&key)? else { continue };
        backing.channels.retain(|known| *known != channel);
        view.put(&key, &backing);
    }
    Ok(())
}
