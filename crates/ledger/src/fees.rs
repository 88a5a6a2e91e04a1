//! What a transaction pays: a base and so much per byte that is not settlement (calls pay
//! the network's part themselves). A part is burned, the rest is the network's.

use crate::object::{Parameters, reserved};
use crate::postings;
use crate::refusal::{Refusal, Stop};
use crate::transaction::{Envelope, Operation};
use crate::view::View;
use ambar_base::{Amount, Encode, ErrorCode, Price};

/// The fee of an envelope under these rules.
pub fn fee(envelope: &Envelope, parameters: &Parameters) -> Result<Price, Refusal> {
    let priced = |operation: &&Operation| !matches!(operation, Operation::Settle(_));
    let bytes: usize =
        envelope.operations.iter().filter(priced).map(|operation| operation.to_bytes().len()).sum();
    let per_byte = parameters.fee_per_byte.0.checked_mul(bytes as u64);
    let sum = per_byte.and_then(|fee| fee.checked_add(parameters.fee_base.0));
    sum.map(Price).ok_or_else(Refusal::overflow)
}

/// Charges the fee of an envelope to an account.
pub fn charge(view: &mut View<'_>, envelope: &Envelope, payer: u64) -> Result<Price, Stop> {
    let parameters = view.parameters()?;
    let fee = fee(envelope, &parameters)?;
    if fee > envelope.fee_cap {
        let message = format!("the fee is {fee}, the envelope allows {}", envelope.fee_cap);
        return Err(Refusal::new(ErrorCode::FeeTooLow, message).into());
    }
    let burned = fee.share(parameters.burn);
    postings::transfer(view, payer, reserved::BURN, burned)?;
    let rest = Amount::from(fee).saturating_sub(burned);
    postings::transfer(view, payer, reserved::NETWORK, rest)?;
    Ok(fee)
}
