//! Members that do something else than the protocol says, each really sending it.
//!
//! Behind each runs a whole engine, so that it knows the views, leads when its turn comes and
//! is believed; what the engine sends passes the adversary, which changes it, holds it back
//! or adds to it. The conflicting proposer is two engines with one key.
//!
//! **Invariant**: an adversary sends by its own key only, and on the channels that every
//! member has.

mod bad_root;
mod equivocator;
mod forge;
mod half;
mod hand;
mod inventor;
mod replayer;
mod spammer;
mod withholder;

pub(super) use hand::{Fame, Forged, Hand, Outgoing};

use ambar_chain::types::Key;
use bytes::Bytes;
use std::time::Duration;

/// How often an adversary may act of its own accord.
pub(super) const TICK: Duration = Duration::from_millis(40);

/// The channels by their numbers, as [`Channels`](ambar_chain::network::Channels) opens them.
pub(super) const VOTES: usize = 0;
pub(super) const BACKFILL: usize = 3;
pub(super) const BLOCKS: usize = 4;
pub(super) const TRANSACTIONS: usize = 5;

/// What adversaries do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adversary {
    /// Votes twice in one view, for different blocks, or to skip a view and for its block.
    Equivocator,
    /// Proposes two blocks in one view, one to each half of the others.
    Proposer,
    /// Proposes and votes, but keeps blocks to itself.
    Withholder,
    /// Proposes blocks whose header says something else than executing them gives.
    BadRoot,
    /// Sends old votes, certificates, blocks and transactions again, and puts final
    /// transactions into its blocks.
    Replayer,
    /// Floods every channel: junk, votes for far views, votes that are not its own, blocks
    /// over the limit, transactions badly signed.
    Spammer,
    /// Spreads settlements of calls that nobody made and puts them into its blocks.
    Inventor,
}

impl Adversary {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 7] = [
        ("bad-root", Self::BadRoot),
        ("equivocator", Self::Equivocator),
        ("inventor", Self::Inventor),
        ("proposer", Self::Proposer),
        ("replayer", Self::Replayer),
        ("spammer", Self::Spammer),
        ("withholder", Self::Withholder),
    ];

    /// The adversary of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, adversary)| *adversary)
    }

    /// Whether whoever watches can prove what it does. A replayer's old votes are in part for
    /// the blocks that it replaced by others, and voted for those.
    #[must_use]
    pub fn leaves_evidence(self) -> bool {
        matches!(self, Self::Equivocator | Self::Proposer | Self::Replayer)
    }

    /// The one that plays it.
    pub(super) fn actor(self, hand: &mut Hand) -> Box<dyn Actor> {
        match self {
            Self::Equivocator => Box::new(equivocator::Equivocator),
            Self::Withholder => Box::new(withholder::Withholder::new(hand)),
            Self::BadRoot => Box::new(bad_root::BadRoot::default()),
            Self::Replayer => Box::new(replayer::Replayer::default()),
            Self::Spammer => Box::new(spammer::Spammer::default()),
            Self::Inventor => Box::new(inventor::Inventor::default()),
            // Played by two engines: see `Life::twins`.
            Self::Proposer => half(hand.peers.clone()),
        }
    }
}

/// Whoever speaks only to some.
pub(super) fn half(to: Vec<Key>) -> Box<dyn Actor> {
    Box::new(half::Half(to))
}

/// What an adversary does. Whatever it wants sent it gives to the [`Hand`].
pub(super) trait Actor: Send {
    /// The engine sends something.
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        hand.send(outgoing);
    }

    /// Something arrives; the engine hears it as well.
    fn hear(&mut self, hand: &mut Hand, channel: usize, from: &Key, message: &Bytes) {
        let _ = (hand, channel, from, message);
    }

    /// A moment to act of its own accord.
    fn tick(&mut self, hand: &mut Hand) {
        let _ = hand;
    }
}
