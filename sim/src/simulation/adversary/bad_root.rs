//! Proposes blocks whose header says something else than executing them gives.

use super::forge::{Forge, reforged};
use super::{Actor, Hand, Outgoing};
use ambar_base::finality::BlockHeader;
use ambar_base::{Digest, Moment};
use ambar_chain::types::ChainBlock;

/// How many of a hundred own blocks are sound.
const SOUND_PERCENT: u64 = 25;

/// Makes the engine's own blocks say another state.
#[derive(Default)]
pub(super) struct BadRoot(Forge);

fn another(digest: Digest) -> Digest {
    Digest::of(&digest.0)
}

fn falsify(hand: &mut Hand, header: &mut BlockHeader) {
    match hand.draw.below(8) {
        0 => header.state.operations_root = another(header.state.operations_root),
        1 => header.state.end += 1,
        2 => header.writes_digest = another(header.writes_digest),
        3 => header.outcomes_root = another(header.outcomes_root),
        // As far ahead as everybody's clock refuses.
        4 => header.time = Moment(header.time.0 + 3_600_000),
        _ => header.state.root = another(header.state.root),
    }
}

fn change(hand: &mut Hand, block: &ChainBlock) -> Option<ChainBlock> {
    if hand.draw.chance(SOUND_PERCENT) {
        return None;
    }
    reforged(block, |header, _| falsify(hand, header))
}

impl Actor for BadRoot {
    fn send(&mut self, hand: &mut Hand, outgoing: Outgoing) {
        self.0.send(hand, outgoing, change);
    }
}
