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

    /// Whether a vote of a seat was heard lately, or in the newest view. A view that a quorum
    /// does not leave is voted on once: repeated votes are not told, so in it those who voted
    /// are the ones that are there.
    pub(crate) fn heard(&self, seat: &SeatStatus) -> bool {
        let since = self.now.0.saturating_sub(SILENCE_MS_MAX);
        let newest = self.newest_view();
        seat.voted.is_some_and(|(view, at)| at.0 >= since || Some(view) == newest)
    }

    fn newest_view(&self) -> Option<u64> {
        let views = self.participation.seats.iter().filter_map(|seat| seat.voted);
        views.map(|(view, _)| view).max()
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
        if seats > 1 && heard <= usize::from(self.participation.own.is_some()) {
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

    /// Four seats with the newest view in which each voted, and how long ago, ms; and a block
    /// that old.
    fn health(voted: [(u64, u64); 4], age_ms: u64) -> Health {
        let seats = (1..=4).zip(voted).map(|(n, (view, ago))| SeatStatus {
            key: SecretKey::from_seed(&[n; 32]).public(),
            voted: Some((view, Moment(NOW.0 - ago))),
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
        let check = |voted, age, word, problem: Option<&str>| {
            let health = health(voted, age);
            assert_eq!((health.word(), health.problem().as_deref()), (word, problem));
        };
        check([(7, 0), (7, 0), (7, 0), (7, 0)], 500, "running", None);
        check([(7, 0), (7, 0), (1, 90_000), (1, 90_000)], 9_000, "running", None);
        let two = "consensus stalled: 2 of 4 validators heard, 3 needed";
        let stalled = |voted, age| check(voted, age, "stalled", Some(two));
        stalled([(7, 0), (6, 9_000), (5, 11_000), (1, 90_000)], 12_000);
        // A minute later nobody has voted again: the view is the same.
        stalled([(7, 60_000), (7, 59_000), (6, 62_000), (1, 150_000)], 62_000);
        let alone = "consensus stalled: none of the other validators is heard, 3 of 4 needed; if \
                     they run and can be reached, this node's key is in use elsewhere";
        check([(7, 0), (6, 11_000), (5, 90_000), (1, 90_000)], 12_000, "stalled", Some(alone));
        let behind = "the newest block here is 90 s old, though 3 of 4 validators are heard";
        let three = [(9, 0), (9, 0), (9, 0), (1, 90_000)];
        check(three, 90_000, "stalled", Some(behind));
    }

    #[test]
    fn a_full_disk_is_told_first() {
        let status = Status::Stalled(StoreError::DiskFull);
        let full = Health { status, ..health([(7, 0); 4], 0) };
        assert_eq!(full.word(), "stalled");
        assert!(full.problem().unwrap().contains("disk is full"));
    }
}
