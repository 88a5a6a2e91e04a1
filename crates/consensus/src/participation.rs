//! Who takes part in ordering, as this node hears it.
//!
//! It decides nothing: operators look at it.

use ambar_base::{Committee, Moment, PublicKey};
use std::collections::VecDeque;

/// Final blocks whose latencies are remembered.
const LATENCIES_MAX: usize = 1_024;
/// How long latencies count, ms.
const LATENCY_WINDOW_MS: u64 = 60_000;

/// Who takes part in ordering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participation {
    /// The epoch of the next block.
    pub epoch: u64,
    /// Its committee's seats, in their order.
    pub seats: Vec<SeatStatus>,
    /// This node's seat.
    pub own: Option<u16>,
    /// Whether this node does not use its seat in this epoch, because the votes that it may
    /// have cast in it are lost.
    pub sits_out: bool,
    /// From a block's consensus time until it was final here, within the last minute, ms:
    /// median and 99th percentile.
    pub finality_ms: Option<(u64, u64)>,
}

/// How a seat takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeatStatus {
    /// Its key.
    pub key: PublicKey,
    /// The newest view in which a vote of it was heard for the first time, and when.
    pub voted: Option<(u64, Moment)>,
    /// When it last sent anything about votes. Votes of a view that a quorum does not leave
    /// are sent again and again.
    pub heard: Option<Moment>,
}

impl SeatStatus {
    /// A seat of which nothing was heard.
    #[must_use]
    pub const fn of(key: PublicKey) -> Self {
        Self { key, voted: None, heard: None }
    }
}

/// What is heard of an epoch.
#[derive(Debug)]
pub struct Hearing {
    now: Participation,
    /// When a block became final, and after how long, ms.
    latencies: VecDeque<(Moment, u64)>,
}

impl Hearing {
    pub fn of(committee: &Committee, me: &PublicKey) -> Self {
        let mut hearing = Self { now: nobody(), latencies: VecDeque::new() };
        hearing.turn_to(committee, me);
        hearing
    }

    /// Begins with an epoch.
    pub fn turn_to(&mut self, committee: &Committee, me: &PublicKey) {
        let seats = committee.seats().iter().map(|key| SeatStatus::of(*key));
        let own = committee.seats().iter().position(|key| key == me);
        self.now = Participation {
            epoch: committee.epoch(),
            seats: seats.collect(),
            own: own.and_then(|own| u16::try_from(own).ok()),
            ..nobody()
        };
    }

    pub fn sit_out(&mut self, epoch: u64) {
        self.now.sits_out = self.now.epoch == epoch;
    }

    /// A seat's vote was heard.
    pub fn voted(&mut self, epoch: u64, seat: usize, view: u64, at: Moment) {
        let seat = self.now.seats.get_mut(seat).filter(|_| self.now.epoch == epoch);
        if let Some(seat) = seat.filter(|seat| seat.voted.is_none_or(|(newest, _)| newest <= view))
        {
            seat.voted = Some((view, at));
        }
    }

    /// A validator sent something about votes.
    pub fn heard(&mut self, from: &PublicKey, at: Moment) {
        if let Some(seat) = self.now.seats.iter_mut().find(|seat| seat.key == *from) {
            seat.heard = Some(at);
        }
    }

    /// A block of this consensus time became final.
    pub fn finalized(&mut self, time: Moment, at: Moment) {
        self.latencies.push_back((at, at.0.saturating_sub(time.0)));
        if self.latencies.len() > LATENCIES_MAX {
            self.latencies.pop_front();
        }
    }

    /// What is known at a moment.
    pub fn at(&self, now: Moment) -> Participation {
        let since = now.0.saturating_sub(LATENCY_WINDOW_MS);
        let recent = self.latencies.iter().filter(|(at, _)| at.0 >= since);
        let mut recent: Vec<u64> = recent.map(|(_, latency)| *latency).collect();
        recent.sort_unstable();
        let rank =
            |percent: usize| recent.get((recent.len() * percent / 100).min(recent.len() - 1));
        let finality_ms =
            if recent.is_empty() { None } else { rank(50).copied().zip(rank(99).copied()) };
        Participation { finality_ms, ..self.now.clone() }
    }
}

fn nobody() -> Participation {
    Participation { epoch: 0, seats: Vec::new(), own: None, sits_out: false, finality_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::SecretKey;

    #[test]
    fn votes_and_latencies_are_of_now() {
        let keys: Vec<_> = (1..=3).map(|n| SecretKey::from_seed(&[n; 32]).public()).collect();
        let committee = |epoch| Committee::new(epoch, keys.clone()).unwrap();
        let own = committee(0).seats()[1];
        let mut hearing = Hearing::of(&committee(0), &own);
        hearing.voted(0, 2, 7, Moment(10));
        hearing.voted(0, 2, 6, Moment(11));
        hearing.voted(1, 0, 9, Moment(12));
        hearing.voted(0, 3, 9, Moment(12));
        hearing.heard(&committee(0).seats()[0], Moment(13));
        hearing.heard(&SecretKey::from_seed(&[9; 32]).public(), Moment(13));
        for latency in 1..=100 {
            hearing.finalized(Moment(1_000), Moment(1_000 + latency));
        }
        let now = hearing.at(Moment(2_000));
        assert_eq!((now.epoch, now.own, now.sits_out), (0, Some(1), false));
        let voted: Vec<_> = now.seats.iter().map(|seat| seat.voted).collect();
        assert_eq!(voted, [None, None, Some((7, Moment(10)))]);
        let heard: Vec<_> = now.seats.iter().map(|seat| seat.heard).collect();
        assert_eq!(heard, [Some(Moment(13)), None, None]);
        assert_eq!(now.finality_ms, Some((51, 100)));
        assert_eq!(hearing.at(Moment(90_000)).finality_ms, None);

        hearing.sit_out(0);
        assert!(hearing.at(Moment(0)).sits_out);
        hearing.turn_to(&committee(1), &own);
        let now = hearing.at(Moment(0));
        assert!(!now.sits_out && now.epoch == 1 && now.seats[2].voted.is_none());
    }
}
