//! Whether the network makes blocks, as this node hears it.
//!
//! It decides nothing and asks nobody: it reads what the engine heard, and the newest final
//! block.
//!
//! **Invariant**: a problem is told only while no block of now is final here.

use ambar_base::{Committee, Moment};
use ambar_consensus::{Consensus, Head, Participation, SeatStatus, Status};

/// How old the newest block, or a validator's vote, may be, ms. A view whose leader is gone
/// takes a heartbeat and a second; a leader that was silent for longer is passed over.
const SILENCE_MS_MAX: u64 = 10_000;

/// How a network is, as one node hears it.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) participation: Participation,
    pub(crate) head: Head,
    /// Age of the newest final block, ms.
    pub(crate) age_ms: u64,
    status: Status,
    now: Moment,
}

impl Health {
    pub(crate) fn of(consensus: &dyn Consensus, now: Moment) -> Self {
        let (participation, head) = (consensus.participation(), consensus.head());
        let age_ms = now.0.saturating_sub(head.time.0);
        Self { participation, head, age_ms, status: consensus.status(), now }
    }

    /// Whether a seat's votes were heard lately, or are cast here.
    pub(crate) fn heard(&self, seat: &SeatStatus) -> bool {
        let since = self.now.0.saturating_sub(SILENCE_MS_MAX);
        self.own().is_some_and(|own| own.key == seat.key)
            || seat.heard.is_some_and(|at| at.0 >= since)
    }

    /// The seat that this node uses.
    fn own(&self) -> Option<&SeatStatus> {
        let Participation { seats, own, sits_out, .. } = &self.participation;
        own.filter(|_| !sits_out).and_then(|own| seats.get(usize::from(own)))
    }

    /// How many seats were heard lately.
    pub(crate) fn heard_count(&self) -> usize {
        self.participation.seats.iter().filter(|seat| self.heard(seat)).count()
    }

    /// How many must vote for a block.
    pub(crate) fn needed(&self) -> usize {
        let keys = self.participation.seats.iter().map(|seat| seat.key).collect();
        Committee::new(self.participation.epoch, keys).map_or(0, |committee| committee.quorum())
    }

    /// One word for it: `running`, `stalled`, `halted` or `stopped`.
    pub(crate) fn word(&self) -> &'static str {
        match &self.status {
            Status::Running if self.problem().is_none() => "running",
            Status::Running | Status::Stalled(_) => "stalled",
            Status::Halted(_) => "halted",
            Status::Stopped => "stopped",
        }
    }

    /// What is wrong, if anything is.
    pub(crate) fn problem(&self) -> Option<String> {
        match &self.status {
            Status::Stalled(error) => Some(format!("consensus stalled: {error}")),
            Status::Halted(fault) => Some(format!("consensus halted: {fault}")),
            Status::Stopped => Some("consensus is stopped".into()),
            Status::Running if self.age_ms <= SILENCE_MS_MAX => None,
            Status::Running => Some(self.silence()),
        }
    }

    /// Why there is no block of now.
    fn silence(&self) -> String {
        let seats = self.participation.seats.len();
        let (heard, needed) = (self.heard_count(), self.needed());
        if seats > 1 && heard <= usize::from(self.own().is_some()) {
            // Peers keep to the first of two nodes that show them one key.
            return format!(
                "consensus stalled: none of the other validators is heard, {needed} of {seats} \
                 needed; if they run and can be reached, this node's key is in use elsewhere"
            );
        }
        if heard < needed {
            return format!(
                "consensus stalled: {heard} of {seats} validators heard, {needed} needed"
            );
        }
        let seconds = self.age_ms / 1_000;
        format!(
            "the newest block here is {seconds} s old, though {heard} of {seats} validators are heard"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Digest, Height, SecretKey};
    use ambar_consensus::StoreError;

    const NOW: Moment = Moment(1_000_000);

    /// Four seats, the first this node's, with how long ago each was heard, ms, and a block that
    /// old. All voted once, long ago.
    fn health(heard: [u64; 4], age_ms: u64) -> Health {
        let seats = (1..=4).zip(heard).map(|(n, ago)| SeatStatus {
            voted: Some((7, Moment(0))),
            heard: Some(Moment(NOW.0 - ago)),
            ..SeatStatus::of(SecretKey::from_seed(&[n; 32]).public())
        });
        let (own, sits_out, finality_ms) = (Some(0), false, None);
        let participation =
            Participation { epoch: 0, seats: seats.collect(), own, sits_out, finality_ms };
        let time = Moment(NOW.0 - age_ms);
        let head = Head { height: Height(9), time, digest: Digest::ZERO };
        Health { participation, head, age_ms, status: Status::Running, now: NOW }
    }

    #[test]
    fn a_quorum_that_is_missing_is_counted() {
        let check = |heard, age, word, problem: Option<&str>| {
            let health = health(heard, age);
            assert_eq!((health.word(), health.problem().as_deref()), (word, problem));
        };
        check([0; 4], 500, "running", None);
        check([0, 0, 90_000, 90_000], 9_000, "running", None);
        let two = "consensus stalled: 2 of 4 validators heard, 3 needed";
        let stalled = |heard, age| check(heard, age, "stalled", Some(two));
        // This node does not hear itself.
        stalled([90_000, 9_000, 11_000, 90_000], 12_000);
        let alone = "consensus stalled: none of the other validators is heard, 3 of 4 needed; if \
                     they run and can be reached, this node's key is in use elsewhere";
        check([0, 11_000, 90_000, 90_000], 12_000, "stalled", Some(alone));
        let behind = "the newest block here is 90 s old, though 3 of 4 validators are heard";
        check([0, 0, 0, 90_000], 90_000, "stalled", Some(behind));
    }

    #[test]
    fn a_full_disk_is_told_first() {
        let status = Status::Stalled(StoreError::DiskFull);
        let full = Health { status, ..health([0; 4], 0) };
        assert_eq!(full.word(), "stalled");
        assert!(full.problem().unwrap().contains("disk is full"));
    }
}
