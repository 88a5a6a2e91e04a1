//! Whether a decision is the one that admitted a call.

use crate::leaf::Leaf;
use ambar_base::Price;
use ambar_licence::call::{Answer, DecisionRecord};
use ambar_licence::{Purpose, Reservation, Territory};

/// Why a decision did not admit a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// It is about another channel, height or time.
    #[error("the decision is about another call")]
    Call,
    /// It refuses.
    #[error("the decision refuses the call")]
    Refused,
    /// It leaves another purpose or territory than the receipt says.
    #[error("the decision leaves another purpose or territory than the receipt says")]
    Declared,
    /// The call costs more than was reserved.
    #[error("the call costs {price}, more than the {reserved} credits that were reserved")]
    Price {
        /// What it costs.
        price: Price,
        /// What was reserved.
        reserved: Price,
    },
    /// It is about other grants than the receipt's lines.
    #[error("the decision is about other grants than the receipt")]
    Grants,
}

/// What was reserved for a call, if the decision admitted it. Whether the decision itself
/// holds is for [`DecisionRecord::replay`].
///
/// # Errors
/// [`NotAdmitted`].
pub fn admits<'a>(record: &'a DecisionRecord, leaf: &Leaf) -> Result<&'a Reservation, NotAdmitted> {
    let DecisionRecord { facts, answer } = record;
    if (facts.channel, facts.height, facts.now) != (leaf.channel, leaf.admitted, leaf.time) {
        return Err(NotAdmitted::Call);
    }
    let Answer::Allow(reservation) = answer else { return Err(NotAdmitted::Refused) };
    let purpose = reservation.purpose.as_ref().map(Purpose::as_str);
    let territory = reservation.territory.map(Territory::as_str);
    if (purpose, territory) != (leaf.purpose.as_deref(), leaf.territory.as_deref()) {
        return Err(NotAdmitted::Declared);
    }
    let (price, reserved) = (leaf.price().unwrap_or(Price(u64::MAX)), reservation.price);
    if price > reserved {
        return Err(NotAdmitted::Price { price, reserved });
    }
    if !facts.parts.iter().map(|part| part.grant).eq(leaf.lines.iter().map(|line| line.grant)) {
        return Err(NotAdmitted::Grants);
    }
    Ok(reservation)
}
