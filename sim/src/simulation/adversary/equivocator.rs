//! Votes twice in one view.

use super::{Actor, Hand, Outgoing, VOTES};
use ambar_chain::types::{Scheme, Sha};
use bytes::Bytes;
use commonware_consensus::simplex::types::{Nullify, Proposal, Vote};
use commonware_p2p::Recipients;

/// How many of a hundred votes get a second one.
const TWICE_PERCENT: u64 = 60;

/// Adds to its engine's votes others that contradict them.
pub(super) struct Equivocator;

fn other(hand: &mut Hand, proposal: &Proposal<Sha>) -> Proposal<Sha> {
    Proposal { payload: hand.digest(), ..proposal.clone() }
}

fn contradiction(hand: &mut Hand, vote: Vote<Scheme, Sha>) -> Option<Bytes> {
    match vote {
        Vote::Notarize(notarize) => {
            let other = other(hand, &notarize.proposal);
            hand.notarize(other)
        }
        Vote::Finalize(finalize) if hand.draw.chance(50) => {
            let other = other(hand, &finalize.proposal);
            hand.finalize(other)
        }
        Vote::Finalize(finalize) => {
            let round = finalize.proposal.round;
            let scheme = hand.scheme(round.epoch())?;
            Some(Hand::seal(&Vote::Nullify(Nullify::sign::<Sha>(&scheme, round)?)))
        }
        Vote::Nullify(_) => None,
    }
}

impl Actor for Equivocator {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        let twice = hand.draw.chance(TWICE_PERCENT);
        let vote = Hand::vote(&outgoing).filter(|_| twice);
        let Some(second) = vote.and_then(|vote| contradiction(hand, vote)) else {
            return hand.send(outgoing);
        };
        let peers = hand.peers.clone();
        let peers = hand.draw.shuffled(peers);
        // To everybody both, or to one half each: then nobody sees both at once.
        let cut = if hand.draw.chance(50) { peers.len() } else { peers.len() / 2 };
        let (left, right) = peers.split_at(cut);
        let to_right = if right.is_empty() {
            hand.fame.contradicted();
            left
        } else {
            right
        };
        let first = Outgoing { to: Recipients::Some(left.to_vec()), ..outgoing };
        let second = Outgoing {
            channel: VOTES,
            to: Recipients::Some(to_right.to_vec()),
            message: second,
            priority: true,
        };
        hand.send(first);
        hand.send(second);
    }
}
