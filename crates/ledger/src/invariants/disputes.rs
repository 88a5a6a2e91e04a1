//! Deposits lie where they should, and open disputes are counted.

use super::Violation;
use crate::object::{Dispute, DisputeBook};
use ambar_base::Amount;
use std::collections::BTreeMap;

/// What a state says of disputes, and of the deposits that it holds.
#[derive(Default)]
pub(super) struct Disputes {
    pub disputes: BTreeMap<u64, Dispute>,
    pub book: DisputeBook,
    /// What the reserved account of deposits holds.
    pub held: Amount,
    /// Deposits of channels.
    pub channels: Amount,
    /// Deposits of open submissions.
    pub submissions: Amount,
}

impl Disputes {
    pub(super) fn check(&self) -> Result<(), Violation> {
        let open = self.disputes.values().filter(|dispute| dispute.is_open());
        let deposits = open.clone().map(|dispute| dispute.deposit);
        let owed = ambar_base::amount::total(deposits.chain([self.channels, self.submissions]));
        let owed = owed.ok_or(Violation::Overflow)?;
        // Anybody may give credits to the reserved account beside.
        if self.held < owed {
            return Err(Violation::Deposits { held: self.held, owed });
        }
        let numbered = self.disputes.keys().copied().eq(0..self.book.next);
        if numbered && self.book.open == open.count() as u64 {
            return Ok(());
        }
        Err(Violation::Disputes)
    }
}
