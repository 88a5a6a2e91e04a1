//! Sends what was said before once more.

use super::forge::{Forge, reforged};
use super::{Actor, Hand, Outgoing, TRANSACTIONS};
use ambar_chain::network::CHANNELS;
use ambar_chain::types::{ChainBlock, Key};
use bytes::Bytes;
use commonware_p2p::Recipients;

/// Most messages remembered, by channel.
const REMEMBERED_MAX: usize = 256;
/// How many of a hundred ticks send something again.
const AGAIN_PERCENT: u64 = 50;
/// How many of a hundred own blocks hold an old transaction.
const OLD_PERCENT: u64 = 50;

/// Remembers what everybody says.
#[derive(Default)]
pub(super) struct Replayer {
    remembered: Vec<Vec<Bytes>>,
    heard: u64,
    forge: Forge,
}

impl Replayer {
    fn remember(&mut self, channel: usize, message: &Bytes) {
        self.remembered.resize(CHANNELS as usize, Vec::new());
        self.heard += 1;
        let kept = &mut self.remembered[channel];
        if kept.len() < REMEMBERED_MAX {
            kept.push(message.clone());
        } else {
            // Old and new ones stay mixed.
            kept[self.heard as usize % REMEMBERED_MAX] = message.clone();
        }
    }

    fn any(&self, hand: &mut Hand, channel: usize) -> Option<Bytes> {
        let kept = self.remembered.get(channel)?;
        kept.get(hand.draw.index(kept.len())).cloned()
    }
}

fn with_old(hand: &mut Hand, block: &ChainBlock, old: Option<Bytes>) -> Option<ChainBlock> {
    let old = old.filter(|_| hand.draw.chance(OLD_PERCENT))?;
    reforged(block, |header, transactions| {
        transactions.push(old);
        header.outcomes += 1;
    })
}

impl Actor for Replayer {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        self.remember(outgoing.channel, &outgoing.message);
        let old = self.any(hand, TRANSACTIONS);
        self.forge.send(hand, outgoing, |hand, block| with_old(hand, block, old));
    }

    fn hear(&mut self, _: &mut Hand, channel: usize, _: &Key, message: &Bytes) {
        self.remember(channel, message);
    }

    fn tick(&mut self, hand: &mut Hand) {
        if !hand.draw.chance(AGAIN_PERCENT) {
            return;
        }
        let channel = hand.draw.index(CHANNELS as usize);
        let Some(message) = self.any(hand, channel) else { return };
        let to = if hand.draw.chance(50) {
            Recipients::All
        } else {
            let peer = hand.draw.index(hand.peers.len());
            Recipients::One(hand.peers[peer].clone())
        };
        hand.send(Outgoing { channel, to, message, priority: true });
    }
}
