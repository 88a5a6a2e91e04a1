//! Committees, and what is heard of them.

use super::{Core, locked};
use crate::database::Snapshot;
use crate::error::{Fault, StoreError};
use crate::participation::Participation;
use ambar_base::finality::{Ballot, Evidence, Handover};
use ambar_base::{Committee, PublicKey};

impl Core {
    /// The committee of an epoch, if it is known here.
    pub fn committee(&self, epoch: u64) -> Result<Option<Committee>, StoreError> {
        self.latest()?.committee(epoch)
    }

    /// The committee of the newest epoch that is known here.
    pub fn newest_committee(&self) -> Committee {
        let newest = self.latest().and_then(|snapshot| snapshot.newest_committee());
        let genesis = || self.settings.rules.genesis.committee.clone();
        newest.ok().flatten().unwrap_or_else(genesis)
    }

    /// Remembers committees that others showed to follow on the known ones, and how.
    pub fn learn(&self, handovers: &[Handover]) -> Result<(), StoreError> {
        let stores = locked(&self.stores);
        stores.as_ref().ok_or(StoreError::Closed)?.database.learn_handovers(handovers)
    }

    /// How the committees of these epochs gave way to one another, as far as it is known.
    pub fn handovers(
        snapshot: &Snapshot,
        since: u64,
        until: u64,
    ) -> Result<Vec<Handover>, StoreError> {
        let handover = |epoch| {
            let Some(last) = snapshot.end(epoch)? else { return Ok(None) };
            Ok(snapshot.committee(epoch + 1)?.map(|next| Handover { last, next }))
        };
        (since..until).map(handover).filter_map(Result::transpose).collect()
    }

    /// A vote was heard.
    pub fn voted(&self, epoch: u64, seat: usize, view: u64) {
        locked(&self.hearing).voted(epoch, seat, view, (self.clock)());
    }

    /// A validator sent something about votes.
    pub fn heard(&self, from: &PublicKey) {
        locked(&self.hearing).heard(from, (self.clock)());
    }

    /// This node does not use its seat in this epoch. Without its vote a committee of one is
    /// at its end.
    pub fn sit_out(&self, epoch: u64) {
        locked(&self.hearing).sit_out(epoch);
        if self.participation().seats.len() == 1 {
            self.halt(Fault::VotesLost { epoch });
        }
    }

    /// Who takes part in ordering, as it is heard here.
    pub fn participation(&self) -> Participation {
        locked(&self.hearing).at((self.clock)())
    }

    /// A seat cast two votes that contradict one another. One proof against a key is enough.
    pub fn conflict(&self, seat: usize, round: (u64, u64), [one, other]: [Ballot; 2]) {
        let Ok(Some(committee)) = self.committee(round.0) else { return };
        let Some(key) = committee.seats().get(seat) else { return };
        let network = self.settings.rules.network();
        let evidence = Evidence::new(*key, round, one, other);
        let Some(evidence) = evidence.ok().filter(|found| found.verify(network).is_ok()) else {
            return;
        };
        tracing::warn!(validator = %key.did(), epoch = round.0, view = round.1, "a validator cheats");
        self.conflicts.send_if_modified(|known| {
            let new = known.iter().all(|known| known.key() != *key);
            if new {
                known.push(evidence);
            }
            new
        });
    }

    /// The state is fetched towards a block of this epoch.
    pub fn begin_in(&self, epoch: u64) {
        if let Ok(Some(committee)) = self.committee(epoch)
            && epoch > *self.epoch.borrow()
        {
            self.turn_to(&committee);
        }
    }

    /// The next block is of another epoch.
    pub(super) fn turn_to(&self, committee: &Committee) {
        locked(&self.hearing).turn_to(committee, &self.settings.key.public());
        self.epoch.send_replace(committee.epoch());
    }
}

/// The committee that must be known because its epoch has begun.
pub(super) fn committee_in(snapshot: &Snapshot, epoch: u64) -> Result<Committee, StoreError> {
    let missing = || StoreError::Corrupt(format!("the committee of epoch {epoch} is missing"));
    snapshot.committee(epoch)?.ok_or_else(missing)
}
