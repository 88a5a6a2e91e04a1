//! What a light client trusts, and how its trust moves from one committee to the next.

use crate::domain::NetworkId;
use crate::finality::{Committee, FinalHeader, FinalityError};
use crate::keys::{Signed, verify_batch};
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
        let mut votes = Vec::new();
        let next = self.successor(handover, &mut votes)?;
        verify_batch(&votes)?;
        *self = next;
        Ok(())
    }

    /// The checkpoint from which a block of `epoch` can be checked. Handovers before this
    /// checkpoint's epoch and behind `epoch` are passed over.
    pub fn reach(self, epoch: u64, handovers: &[Handover]) -> Result<Self, FinalityError> {
        let mut votes = Vec::new();
        let reached = self.follow(epoch, handovers, &mut votes)?;
        verify_batch(&votes)?;
        Ok(reached)
    }

    /// [`Self::reach`], but that the votes on the way are added to `votes`, unchecked.
    pub(super) fn follow(
        self,
        epoch: u64,
        handovers: &[Handover],
        votes: &mut Vec<Signed>,
    ) -> Result<Self, FinalityError> {
        if handovers.len() > HANDOVERS_MAX {
            return Err(FinalityError::HandoversTooMany(handovers.len()));
        }
        let mut reached = self;
        for handover in handovers {
            let known = reached.committee.epoch();
            if handover.last.certificate.epoch == known && known < epoch {
                reached = reached.successor(handover, votes)?;
            }
        }
        let known = reached.committee.epoch();
        if known == epoch { Ok(reached) } else { Err(FinalityError::Epoch { voted: epoch, known }) }
    }

    /// The checkpoint of the next epoch, if the votes that are added to `votes` are good.
    fn successor(
        &self,
        handover: &Handover,
        votes: &mut Vec<Signed>,
    ) -> Result<Self, FinalityError> {
        let epoch = self.committee.epoch();
        let header = handover.last.gather(self, votes)?;
        let named = header.next_committee == Some(handover.next.digest());
        let follows = epoch.checked_add(1) == Some(handover.next.epoch());
        if !named || !follows {
            return Err(FinalityError::Handover { epoch });
        }
        Ok(Self { network: self.network, committee: handover.next.clone() })
    }
}
