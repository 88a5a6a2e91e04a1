//! What a light client trusts, and how its trust moves from one committee to the next.

use crate::domain::NetworkId;
use crate::finality::{Committee, FinalHeader, FinalityError};
use crate::record;

/// Most epochs that one proof may lead through.
pub const HANDOVERS_MAX: usize = 1_024;

record! {
    /// What a verifier starts from: a committee that it trusts, because genesis names it or
    /// because somebody told it.
    pub struct Checkpoint {
        /// The network.
        pub network: NetworkId,
        /// The committee of some epoch.
        pub committee: Committee,
    }
}

record! {
    /// How one committee gives way to the next: the last block of its epoch, which names
    /// the next committee.
    pub struct Handover {
        /// The last block of the epoch.
        pub last: FinalHeader,
        /// The committee of the next epoch.
        pub next: Committee,
    }
}

impl Checkpoint {
    /// Moves over one epoch's end.
    pub fn advance(&mut self, handover: &Handover) -> Result<(), FinalityError> {
        let header = handover.last.verify(self)?;
        let named = header.next_committee == Some(handover.next.digest());
        let follows = handover.next.epoch() == self.committee.epoch() + 1;
        if !named || !follows {
            return Err(FinalityError::Handover { epoch: self.committee.epoch() });
        }
        self.committee = handover.next.clone();
        Ok(())
    }

    /// The checkpoint from which a block of `epoch` can be checked. Handovers before this
    /// checkpoint's epoch and behind `epoch` are passed over.
    pub fn reach(mut self, epoch: u64, handovers: &[Handover]) -> Result<Self, FinalityError> {
        if handovers.len() > HANDOVERS_MAX {
            return Err(FinalityError::HandoversTooMany(handovers.len()));
        }
        for handover in handovers {
            let leads = handover.last.certificate.epoch == self.committee.epoch();
            if leads && self.committee.epoch() < epoch {
                self.advance(handover)?;
            }
        }
        let known = self.committee.epoch();
        if known == epoch { Ok(self) } else { Err(FinalityError::Epoch { voted: epoch, known }) }
    }
}
