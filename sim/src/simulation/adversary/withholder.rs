//! Proposes and votes, and keeps blocks to itself.

use super::{Actor, BACKFILL, BLOCKS, Hand, Outgoing, VOTES};
use ambar_chain::types::Key;
use commonware_p2p::Recipients;

/// Whom it lets have what.
pub(super) struct Withholder {
    /// Who gets its blocks: too few for a quorum, or nobody.
    blocks_to: Vec<Key>,
    /// Who hears its votes.
    votes_to: Vec<Key>,
}

impl Withholder {
    pub(super) fn new(hand: &mut Hand) -> Self {
        let peers = hand.peers.clone();
        let peers = hand.draw.shuffled(peers);
        let some = hand.draw.index(peers.len());
        let votes = if hand.draw.chance(50) { peers.len() } else { peers.len().div_ceil(2) };
        Self { blocks_to: peers[..some].to_vec(), votes_to: peers[..votes].to_vec() }
    }
}

impl Actor for Withholder {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        let to = match outgoing.channel {
            BLOCKS => &self.blocks_to,
            VOTES => &self.votes_to,
            // Nobody who asks gets a block.
            BACKFILL => return,
            _ => return hand.send(outgoing),
        };
        let to = Recipients::Some(to.clone());
        hand.send(Outgoing { to, ..outgoing });
    }
}
