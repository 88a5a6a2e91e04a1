//! Opening, funding and closing channels.

use super::revocation;
use crate::agenda;
use crate::execution::Party;
use crate::key::Key;
use crate::object::{Channel, Grant, Node, reserved};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::result::OperationResult;
use crate::sequence::Sequence;
use crate::transaction::{FundChannel, OpenChannel};
use crate::view::View;
use ambar_base::{Amount, ErrorCode, Price};

/// Most grants that one channel is used with.
pub const CHANNEL_GRANTS_MAX: usize = 64;

pub(super) fn open(
    view: &mut View<'_>,
    party: &Party,
    record: &OpenChannel,
) -> Result<OperationResult, Stop> {
    let grants = record.grants.iter().take(CHANNEL_GRANTS_MAX).map(|number| Key::Grant(*number));
    let fixed = [Key::NodeNumber(record.gateway), Key::Balance(reserved::DEPOSITS)];
    view.require(grants.chain(fixed))?;
    check_grants(view, party, &record.grants)?;
    if record.expires <= view.block.time || !record.session_key.is_sound() {
        let message = "a channel expires in the future and its session key is an Ed25519 key";
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    let gateway: u64 =
        view.named("node", record.gateway.did(), &Key::NodeNumber(record.gateway))?;
    let backing = revocation::backing_keys(view, &record.grants)?;
    view.require(backing.into_iter().chain([Key::Node(gateway)]))?;
    let _: Node = view.expect(&Key::Node(gateway))?;
    let deposit = Amount::from(view.parameters()?.deposit);
    postings::transfer(view, party.account, reserved::DEPOSITS, deposit)?;
    let mut channel = Channel {
        payer: party.account,
        session_key: record.session_key,
        gateway,
        grants: record.grants.clone(),
        unit_price_max: record.unit_price_max,
        expires: record.expires,
        funded: Amount::ZERO,
        spent: Amount::ZERO,
        settled: Sequence::default(),
        closing: None,
        deposit,
        vouched: record.vouchers.then_some(Price::ZERO),
    };
    postings::fund_channel(view, party.account, &mut channel, record.amount)?;
    super::departments::opened_channel(view, party.account)?;
    let number = view.number(|numbers| &mut numbers.channels)?;
    view.put(&Key::Channel(number), &channel);
    revocation::back(view, number, &record.grants)?;
    Ok(OperationResult::Channel(number))
}

fn check_grants(view: &View<'_>, party: &Party, grants: &[u64]) -> Result<(), Stop> {
    let ascending = grants.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || grants.len() > CHANNEL_GRANTS_MAX {
        let message = format!("a channel names at most {CHANNEL_GRANTS_MAX} grants, ascending");
        return Err(Refusal::new(ErrorCode::TransactionInvalid, message).into());
    }
    for number in grants {
        let grant: Grant = view.named("grant", number, &Key::Grant(*number))?;
        if grant.licensee != party.account {
            let message = format!("grant {number} is somebody else's");
            return Err(Refusal::new(ErrorCode::NotAuthorised, message).into());
        }
    }
    Ok(())
}

/// A channel that is not closing.
fn open_channel(view: &View<'_>, number: u64) -> Result<Channel, Stop> {
    let channel: Channel = view.named("channel", number, &Key::Channel(number))?;
    if channel.closing.is_some() {
        let message = format!("channel {number} is closing");
        return Err(Refusal::new(ErrorCode::ChannelClosed, message).into());
    }
    Ok(channel)
}

fn somebody_elses(number: u64) -> Stop {
    Refusal::new(ErrorCode::NotAuthorised, format!("channel {number} is somebody else's")).into()
}

pub(super) fn fund(
    view: &mut View<'_>,
    party: &Party,
    record: &FundChannel,
) -> Result<OperationResult, Stop> {
    let mut channel = open_channel(view, record.channel)?;
    if channel.payer != party.account {
        return Err(somebody_elses(record.channel));
    }
    postings::fund_channel(view, party.account, &mut channel, record.amount)?;
    view.put(&Key::Channel(record.channel), &channel);
    Ok(OperationResult::Done)
}

/// An organisation may close the channels of its departments; what is left is theirs.
pub(super) fn close(
    view: &mut View<'_>,
    party: &Party,
    number: u64,
) -> Result<OperationResult, Stop> {
    let mut channel = open_channel(view, number)?;
    let own = channel.payer == party.account;
    if !own && !super::departments::belongs(view, channel.payer, party.account)? {
        return Err(somebody_elses(number));
    }
    channel.closing = Some(view.block.height.after(1));
    view.put(&Key::Channel(number), &channel);
    revocation::unback(view, number, &channel.grants)?;
    agenda::schedule_close(view, number)?;
    Ok(OperationResult::Done)
}
