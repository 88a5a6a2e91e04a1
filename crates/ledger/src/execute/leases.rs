//! Setting parts of a quota aside for a gateway, and giving them back.

use crate::agenda;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Channel, Grant, Lease, QuotaCount, Version};
use crate::quota::{LEASE_BLOCKS, RATE_PERIOD, Share};
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::transaction::{ReturnLease, TakeLease};
use crate::view::{View, stored_terms};
use ambar_base::ErrorCode;
use ambar_licence::{Period, Quota};
use ambar_receipt::leaf::LINES_MAX;

/// A node takes what is left of what it asks, for calls of a channel of its own: so nobody
/// strands a quota who could not use it up.
pub(super) fn take(
    view: &mut View<'_>,
    party: &Party,
    record: &TakeLease,
) -> Result<OperationResult, Stop> {
    let node = node_of(party)?;
    if record.through.len() > LINES_MAX {
        let message = format!("a lease leads through at most {LINES_MAX} versions");
        return Err(Refusal::new(ErrorCode::LimitExceeded, message).into());
    }
    let TakeLease { channel, grant: number, period, .. } = *record;
    let place = (number, (period, node));
    let keys = (Key::Quota((number, period)), Key::Lease(place));
    let until = view.block.height.after(1 + LEASE_BLOCKS);
    let fixed = [Key::Channel(channel), Key::Grant(number), keys.0.clone(), keys.1.clone()];
    let versions = record.through.iter().map(|version| Key::Version(*version));
    view.require(fixed.into_iter().chain(versions).chain([agenda::due_after(view, until)?]))?;
    let channel = open_channel(view, node, channel)?;
    let grant: Grant = view.named("grant", number, &Key::Grant(number))?;
    let grants = channel.grants.iter().map(|number| Key::Grant(*number));
    view.require(grants.chain([Key::Terms(grant.terms)]))?;
    check_path(view, &channel, record)?;
    let quota = quota_of(view, number, &grant, period)?;
    let mut count: QuotaCount = view.get(&keys.0)?.unwrap_or_default();
    let held: Option<Lease> = view.get(&keys.1)?;
    let asked = Share { calls: record.calls, spend: record.spend, rate: record.rate };
    let share = asked.min(count.left(&quota, period));
    let mut lease = Lease { until, ..held.unwrap_or_default() };
    count.lease(share).and_then(|()| lease.add(share)).ok_or_else(Refusal::overflow)?;
    if held.is_none() {
        agenda::schedule_lease(view, place, until)?;
    }
    view.put(&keys.0, &count);
    view.put(&keys.1, &lease);
    let Share { calls, spend, rate } = share;
    Ok(OperationResult::Leased(Lease { calls, spend, rate, until }))
}

/// A node gives back what it will not use. What it has admitted and gives back all the same
/// does not settle.
pub(super) fn give_back(
    view: &mut View<'_>,
    party: &Party,
    record: &ReturnLease,
) -> Result<OperationResult, Stop> {
    let node = node_of(party)?;
    let ReturnLease { grant, period, calls, spend, rate } = *record;
    let keys = (Key::Quota((grant, period)), Key::Lease((grant, (period, node))));
    view.require([keys.0.clone(), keys.1.clone()])?;
    let mut lease: Lease = view.named("lease on grant", grant, &keys.1)?;
    let mut count: QuotaCount = view.expect(&keys.0)?;
    let share = Share { calls, spend, rate }.min(lease.share());
    count.release(share).and_then(|()| lease.subtract(share)).ok_or_else(agenda::miscounted)?;
    view.put(&keys.0, &count);
    view.put(&keys.1, &lease);
    Ok(OperationResult::Done)
}

fn node_of(party: &Party) -> Result<u64, Refusal> {
    let message = "only a node's key leases quotas, for the calls that it settles";
    party.node.ok_or_else(|| Refusal::new(ErrorCode::NotAuthorised, message))
}

fn open_channel(view: &View<'_>, node: u64, number: u64) -> Result<Channel, Stop> {
    let channel: Channel = view.named("channel", number, &Key::Channel(number))?;
    let refuse =
        |code, what: &str| Err(Stop::from(Refusal::new(code, format!("channel {number} {what}"))));
    if channel.gateway != node {
        return refuse(ErrorCode::NotAuthorised, "is open to another gateway");
    }
    if channel.closing.is_some() {
        return refuse(ErrorCode::ChannelClosed, "is closing");
    }
    if channel.expires <= view.block.time {
        return refuse(ErrorCode::ChannelExpired, "has expired");
    }
    Ok(channel)
}

/// The quota of a grant, if the period is one that can be leased now.
fn quota_of(view: &View<'_>, number: u64, grant: &Grant, period: u64) -> Result<Quota, Stop> {
    if grant.revoked.is_some() {
        let message = format!("grant {number} was revoked");
        return Err(Refusal::new(ErrorCode::GrantRevoked, message).into());
    }
    let Some(quota) = stored_terms(view, grant.terms)?.quota else {
        let message = format!("the terms of grant {number} have no quota");
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    };
    let now = quota.period_of(view.block.time, grant.accepted);
    let next = quota.per != Period::Term && period == now.saturating_add(1);
    if period == now || next || period == RATE_PERIOD {
        return Ok(quota);
    }
    let message = format!("period {period} of grant {number} is neither this one, {now}, nor next");
    Err(Refusal::new(ErrorCode::TransactionExpired, message).into())
}

/// The channel may call under the grant, itself or through components.
fn check_path(view: &View<'_>, channel: &Channel, record: &TakeLease) -> Result<(), Stop> {
    let version =
        |number: &u64| view.named::<Version>("capsule version", number, &Key::Version(*number));
    let path = record.through.iter().map(version).collect::<Result<Vec<_>, Stop>>()?;
    let leads = match path.split_first() {
        None => channel.grants.contains(&record.grant),
        Some((called, _)) => {
            let mut by = false;
            for number in &channel.grants {
                let grant: Grant = view.expect(&Key::Grant(*number))?;
                by |= grant.covers(called) && grant.revoked.is_none();
            }
            by && leads_to(record, &path)
        }
    };
    if leads {
        return Ok(());
    }
    let (channel, grant) = (record.channel, record.grant);
    let message = format!("channel {channel} calls nothing under grant {grant} this way");
    Err(Refusal::new(ErrorCode::GrantMissing, message).into())
}

/// Whether each version is a component of the one before, the last under the grant.
fn leads_to(record: &TakeLease, path: &[Version]) -> bool {
    let pairs: Vec<(&Version, u64)> =
        path.iter().zip(record.through.iter().skip(1).copied()).collect();
    let Some(((user, used), before)) = pairs.split_last() else { return false };
    let uses = |user: &Version, used: u64| user.uses.iter().any(|(version, _)| *version == used);
    before.iter().all(|(user, used)| uses(user, *used))
        && user.uses.contains(&(*used, record.grant))
}
