//! Floods every channel with what nobody may take.

use super::{Actor, BLOCKS, Hand, Outgoing, TRANSACTIONS, VOTES};
use ambar_chain::network::CHANNELS;
use ambar_chain::types::{ChainBlock, Key, Scheme, Sha};
use bytes::Bytes;
use commonware_codec::Encode as _;
use commonware_consensus::simplex::types::{Proposal, Vote};
use commonware_consensus::types::{Round, View, ViewDelta};

/// Messages at each tick.
const MESSAGES_PER_TICK: usize = 3;
/// Longest junk, bytes.
const JUNK_BYTES_MAX: u64 = 4_096;
/// Most transactions remembered.
const REMEMBERED_MAX: usize = 64;
/// How far ahead the views are that it votes in.
const AHEAD_MAX: u64 = 1_000_000;

/// Knows what others sent only to spoil it.
#[derive(Default)]
pub(super) struct Spammer {
    round: Option<Round>,
    block: Option<ChainBlock>,
    transactions: Vec<Bytes>,
    vote_of_another: Option<Bytes>,
}

fn spoiled(hand: &mut Hand, message: &Bytes) -> Bytes {
    let mut spoiled = message.to_vec();
    if !spoiled.is_empty() {
        let at = hand.draw.index(spoiled.len());
        spoiled[at] ^= 1 << hand.draw.below(8);
    }
    spoiled.into()
}

impl Spammer {
    fn far_vote(&self, hand: &mut Hand) -> Option<Bytes> {
        let round = self.round?;
        let ahead = ViewDelta::new(1 + hand.draw.below(AHEAD_MAX));
        let view = round.view().saturating_add(ahead);
        let proposal = Proposal::new(Round::new(round.epoch(), view), View::zero(), hand.digest());
        if hand.draw.chance(50) { hand.notarize(proposal) } else { hand.finalize(proposal) }
    }

    /// A block with more transactions than any may hold.
    fn overlong(&self, hand: &Hand) -> Option<Bytes> {
        let (block, filler) = (self.block.as_ref()?, self.transactions.first()?);
        let transactions = vec![filler.clone(); hand.limits.transactions_max + 1];
        let mut header = block.header().clone();
        header.transactions_root = ambar_consensus::block::root_of(&transactions);
        Some(ChainBlock::new(header, transactions)?.encode())
    }

    fn message(&self, hand: &mut Hand) -> Option<(usize, Bytes)> {
        Some(match hand.draw.below(8) {
            0 => (VOTES, self.far_vote(hand)?),
            1 => (VOTES, self.vote_of_another.clone()?),
            2 => (BLOCKS, self.overlong(hand)?),
            3 | 4 => {
                let at = hand.draw.index(self.transactions.len());
                let transaction = self.transactions.get(at)?;
                (TRANSACTIONS, spoiled(hand, transaction))
            }
            5 => (TRANSACTIONS, hand.forged()?),
            _ => {
                let length = hand.draw.below(JUNK_BYTES_MAX) as usize;
                (hand.draw.index(CHANNELS as usize), hand.draw.bytes(length).into())
            }
        })
    }
}

impl Actor for Spammer {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        if let Some(Vote::<Scheme, Sha>::Notarize(vote)) = Hand::vote(&outgoing) {
            self.round = Some(vote.proposal.round);
        }
        if let Some(block) = hand.own_block(&outgoing) {
            self.block = Some(block);
        }
        hand.send(outgoing);
    }

    fn hear(&mut self, _: &mut Hand, channel: usize, _: &Key, message: &Bytes) {
        match channel {
            VOTES => self.vote_of_another = Some(message.clone()),
            TRANSACTIONS if self.transactions.len() < REMEMBERED_MAX => {
                self.transactions.push(message.clone());
            }
            _ => {}
        }
    }

    fn tick(&mut self, hand: &mut Hand) {
        for _ in 0..MESSAGES_PER_TICK {
            if let Some((channel, message)) = self.message(hand) {
                hand.spread(channel, message);
            }
        }
    }
}
