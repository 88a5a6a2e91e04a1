//! Calls on channels in voucher mode: what the payer's side must have signed before they run.
//!
//! The session key signs each call, as an agent does, and a voucher whose total covers what is
//! spent, what is charged and not settled, what is held for calls under way, and this call. The
//! room is looked at in the same step in which it is taken, in the books.

use crate::books::Page;
use crate::call::{CallError, CallRequest};
use crate::certificate::Opened;
use crate::record::Metered;
use ambar_base::{Amount, ErrorCode, NetworkId, Price, PublicKey, Signature};
use ambar_ledger::Key;
use ambar_ledger::object::Channel;
use ambar_ledger::query::State;
use ambar_receipt::Voucher;
use std::collections::BTreeMap;

/// What a request carries of a voucher; its channel is the certificate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoucherWord {
    /// The most that may ever have been spent on the channel.
    pub total: Price,
    /// The session key's signature over it.
    pub signature: Signature,
}

/// The voucher of a call, whose signature was checked; nothing on channels that take none.
///
/// # Errors
/// `voucher_required` names everything that is missing, `signature_invalid` if the voucher is
/// somebody else's, `invalid_request` if the channel takes no vouchers.
pub(crate) fn voucher_of(
    network: NetworkId,
    opened: &Opened,
    channel: &Channel,
    request: &CallRequest,
    signer: Option<PublicKey>,
) -> Result<Option<Voucher>, CallError> {
    let Some(word) = request.voucher.filter(|_| channel.vouched.is_some()) else {
        if channel.vouched.is_some() {
            return Err(incomplete(opened, request, signer));
        }
        if request.voucher.is_none() {
            return Ok(None);
        }
        let message = format!("channel {} is not in voucher mode", opened.channel);
        return Err(CallError::new(ErrorCode::RequestInvalid, message).at("Ambar-Voucher"));
    };
    if signer != Some(opened.session) || request.price_max.is_none() {
        return Err(incomplete(opened, request, signer));
    }
    let VoucherWord { total, signature } = word;
    let voucher = Voucher { channel: opened.channel, total, signature };
    if voucher.verify(network, &opened.session).is_err() {
        let message = "the voucher is not signed by the channel's session key";
        return Err(CallError::new(ErrorCode::SignatureInvalid, message).at("Ambar-Voucher"));
    }
    Ok(Some(voucher))
}

/// Says what a call on a channel in voucher mode lacks.
fn incomplete(opened: &Opened, request: &CallRequest, signer: Option<PublicKey>) -> CallError {
    let signed = signer == Some(opened.session);
    let missing = [
        (signed, "the session key's signature over the call (Ambar-Agent)"),
        (request.voucher.is_some(), "a voucher (Ambar-Voucher)"),
        (request.price_max.is_some(), "a highest price (Ambar-Price-Max)"),
    ];
    let missing: Vec<_> =
        missing.into_iter().filter(|(there, _)| !there).map(|(_, what)| what).collect();
    let message = format!(
        "channel {} is in voucher mode, and the call lacks {}: `ambar connect` adds it",
        opened.channel,
        missing.join(" and ")
    );
    CallError::new(ErrorCode::VoucherRequired, message).at("Ambar-Voucher")
}

/// The highest voucher that is known of the call's channel, if it has room for `hold` beside
/// everything that is counted already: the caller takes the hold from the same page.
pub(crate) fn room(
    page: &mut Page<'_>,
    channel: &Channel,
    voucher: Option<Voucher>,
    hold: Price,
) -> Result<Option<Voucher>, CallError> {
    let (Some(vouched), Some(voucher)) = (channel.vouched, voucher) else { return Ok(None) };
    let highest = page.vouch(voucher);
    let covered = highest.total.max(vouched);
    let counted = page.unsettled(voucher.channel);
    let parts = [channel.spent, counted.into(), hold.into()];
    let needed = ambar_base::amount::total(parts);
    if needed.is_some_and(|needed| needed <= Amount::from(covered)) {
        return Ok(Some(highest));
    }
    let message = format!(
        "vouchers of channel {} cover {covered} credits; {} are spent, {counted} charged or held, \
         and the call may cost {hold}",
        voucher.channel, channel.spent
    );
    Err(CallError::new(ErrorCode::VoucherExceeded, message).at("Ambar-Voucher"))
}

/// The highest voucher of each channel of a batch, with the key that signed it, as a settlement
/// carries them. Each call's voucher covers everything that was counted on its channel when it
/// was admitted, so that the highest covers all of them, whatever settled before.
///
/// # Errors
/// Why the state cannot be read.
pub fn of_batch<'a>(
    state: &impl State,
    calls: impl Iterator<Item = &'a Metered>,
) -> Result<Vec<(PublicKey, Voucher)>, String> {
    let mut highest: BTreeMap<u64, Voucher> = BTreeMap::new();
    for voucher in calls.filter_map(|call| call.voucher) {
        let known = highest.entry(voucher.channel).or_insert(voucher);
        if voucher.total > known.total {
            *known = voucher;
        }
    }
    let with_key = |voucher: Voucher| {
        let number = voucher.channel;
        let channel = state.must::<Channel>("channel", number, &Key::Channel(number));
        channel.map(|channel| (channel.session_key, voucher)).map_err(|error| error.to_string())
    };
    highest.into_values().map(with_key).collect()
}
