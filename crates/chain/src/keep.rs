//! How much of its blocks and states the engine keeps for its peers.
//!
//! The library prunes what it has seen become final since its start, once that is as much as is
//! kept. Here the same is done at the start, so that a node that never runs for so long does not
//! keep everything.

use crate::app::Marshal;
use crate::parts::UNACKNOWLEDGED;
use crate::state::{SyncTarget, sync_target};
use ambar_base::Height;
use ambar_consensus::core::Core;
use commonware_consensus::types::Height as ChainHeight;
use commonware_glue::stateful::PruneConfig;
use commonware_utils::NZUsize;
use std::num::NonZeroUsize;

/// Blocks between two prunings.
const PRUNE_EVERY: NonZeroUsize = NZUsize!(256);
/// Final blocks as of which a peer can still fetch the state.
const STATES_KEPT_MAX: usize = 512;

/// What is pruned while the engine runs, and the oldest state that is still needed when it
/// starts.
pub(crate) fn of(core: &Core) -> (PruneConfig, Option<SyncTarget>) {
    let blocks = core.settings.blocks_kept;
    let states = blocks.min(STATES_KEPT_MAX);
    let pruning = PruneConfig {
        maintenance_interval: PRUNE_EVERY,
        retained_marshal_blocks: blocks,
        retained_qmdb_blocks: states,
    };
    (pruning, state_before(core, states))
}

fn state_before(core: &Core, kept: usize) -> Option<SyncTarget> {
    let snapshot = core.snapshot().ok()?;
    let height = before(snapshot.head().height, kept)?;
    let block = snapshot.final_header(height).ok()??;
    sync_target(&block.header.state)
}

/// Prunes the blocks that the engine finished and peers need not find here.
pub(crate) async fn forget(core: &Core, marshal: &Marshal) {
    let Some(done) = marshal.get_processed().await else { return };
    let oldest = before(Height(done.height().get()), core.settings.blocks_kept);
    if let Some(Height(oldest)) = oldest {
        marshal.prune(ChainHeight::new(oldest));
    }
}

/// This many blocks earlier, and as many more as may be unfinished.
fn before(height: Height, kept: usize) -> Option<Height> {
    let kept = u64::try_from(kept.checked_add(UNACKNOWLEDGED.get())?).ok()?;
    height.0.checked_sub(kept).filter(|height| *height > 0).map(Height)
}
