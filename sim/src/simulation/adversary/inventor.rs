//! Spreads settlements of calls that nobody made, and puts them into its blocks.
//!
//! What a settlement is it does not know: clients forge them.

use super::forge::{Forge, reforged};
use super::{Actor, Hand, Outgoing};
use ambar_base::Digest;
use ambar_chain::types::ChainBlock;

/// How many of a hundred own blocks hold something invented.
const INVENTED_PERCENT: u64 = 70;
/// How many of a hundred ticks spread something invented.
const SPREAD_PERCENT: u64 = 20;

/// Adds what clients forged to the engine's own blocks.
#[derive(Default)]
pub(super) struct Inventor(Forge);

fn change(hand: &mut Hand, block: &ChainBlock) -> Option<ChainBlock> {
    let invented = hand.forged()?;
    if !hand.draw.chance(INVENTED_PERCENT) {
        return None;
    }
    reforged(block, |header, transactions| {
        transactions.push(invented);
        // One outcome more, of which nobody can know what it is.
        header.outcomes += 1;
        header.outcomes_root = Digest::of(&header.outcomes_root.0);
    })
}

impl Actor for Inventor {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        self.0.send(hand, outgoing, change);
    }

    fn tick(&mut self, hand: &mut Hand) {
        if !hand.draw.chance(SPREAD_PERCENT) {
            return;
        }
        if let Some(invented) = hand.forged() {
            hand.gossip(invented);
        }
    }
}
