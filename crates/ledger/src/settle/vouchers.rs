//! Vouchers of a batch: how much of each channel its payer's side has agreed to.
//!
//! **Invariant**: what a channel may spend only grows, and by nothing but a voucher that its
//! session key signed.

use super::Progress;
use crate::object::Channel;
use crate::refusal::Refusal;
use ambar_base::{Amount, ErrorCode, Price, PublicKey};
use ambar_receipt::Voucher;

/// Takes the vouchers before the leaves. Admission found their signatures good by keys that are
/// compared here with the channels'. A voucher that is lower than one before changes nothing.
pub(super) fn raise(
    vouchers: &[(PublicKey, Voucher)],
    progress: &mut Progress,
) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::new(ErrorCode::TransactionInvalid, message));
    if vouchers.windows(2).any(|pair| pair[0].1.channel >= pair[1].1.channel) {
        return invalid("a batch has one voucher for a channel at most, ascending".into());
    }
    for (key, voucher) in vouchers {
        let number = voucher.channel;
        let Some(channel) = progress.channels.get_mut(&number) else {
            return invalid(format!("the voucher of channel {number} is for no leaf of the batch"));
        };
        let Some(vouched) = &mut channel.vouched else {
            return invalid(format!("channel {number} is not in voucher mode"));
        };
        if *key != channel.session_key {
            let message = format!("the voucher is not signed by channel {number}'s session key");
            return Err(Refusal::new(ErrorCode::SignatureInvalid, message));
        }
        *vouched = voucher.total.max(*vouched);
    }
    Ok(())
}

/// Refuses a leaf that would take a channel beyond what its vouchers cover. `spent` is what the
/// batch has taken before it.
pub(super) fn check(channel: &Channel, spent: Amount, price: Price) -> Result<(), Refusal> {
    let Some(vouched) = channel.vouched else { return Ok(()) };
    let taken = [channel.spent, spent, Amount::from(price)];
    let total = ambar_base::amount::total(taken).ok_or_else(Refusal::overflow)?;
    if total <= Amount::from(vouched) {
        return Ok(());
    }
    let message = format!("with it {total} were spent, and vouchers cover {vouched}");
    Err(Refusal::new(ErrorCode::VoucherExceeded, message))
}
