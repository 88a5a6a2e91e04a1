//! Where a node begins: at genesis, where it stopped, or at its peers' state.
//!
//! **Invariant**: state is fetched only towards a block that is final by a committee to which
//! the committees known here gave way.

use crate::peer_state::PeerState;
use crate::questions::Tip;
use crate::state::Storing;
use crate::types::{Key, Votes};
use crate::votes::finalization;
use ambar_base::finality::{FinalHeader, FinalityError};
use ambar_base::{Checkpoint, Committee, Height};
use ambar_consensus::core::Core;
use commonware_runtime::{Clock, Handle};
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often peers are asked before a node begins by itself because none answers.
const ASKED_MAX: usize = 10;
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The final block towards which state is fetched, if the peers' chain is far ahead.
pub(super) async fn far_ahead<E: Storing>(
    core: &Core,
    peers: &PeerState<E>,
    known: &[Key],
    runtime: &impl Clock,
) -> Option<Votes> {
    for _ in 0..ASKED_MAX {
        // Those that are not connected yet do not hear the question.
        let all = join_all(known.iter().map(|peer| tip_of(core, peers, peer, ASK_AGAIN))).await;
        let near = all.iter().any(|heard| matches!(heard, Heard::Near));
        let far = all.into_iter().find_map(|heard| match heard {
            Heard::Far(block, committee) => Some((block, committee)),
            Heard::Nothing | Heard::Near => None,
        });
        if let Some((block, committee)) = far {
            tracing::info!(height = %block.header.height, "state is fetched from peers");
            return finalization(&block, &committee);
        }
        if near {
            return None;
        }
        runtime.sleep(ASK_AGAIN).await;
    }
    None
}

/// How often it is looked whether the chain moves.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Ends when this node makes no progress and the peers that it was told of are so far ahead that
/// they may not have its next blocks any more. A state that is being fetched or put into the view
/// is progress.
pub(super) fn start_watch<E: Storing>(
    runtime: E,
    core: Arc<Core>,
    peers: PeerState<E>,
    known: Vec<Key>,
) -> Handle<()> {
    runtime.spawn(move |runtime| async move {
        let mut seen = (core.head(), peers.taken());
        loop {
            runtime.sleep(LOOK_EVERY).await;
            let now = (core.head(), peers.taken());
            let head = now.0;
            let stands = std::mem::replace(&mut seen, now) == now;
            if stands
                && !known.is_empty()
                && !core.importing.load(Ordering::SeqCst)
                && far_ahead(&core, &peers, &known, &runtime).await.is_some()
            {
                tracing::warn!(height = %head.height, "peers are far ahead: this node begins anew");
                core.begin_anew.store(true, Ordering::SeqCst);
                return;
            }
        }
    })
}

/// How far this node gets by itself: a view that is whole is followed by the engine.
fn reached(core: &Core) -> Height {
    let whole = core.snapshot().is_ok_and(|view| view.oldest() == Height(0));
    if whole || core.finished.borrow().0 > 0 { core.head().height } else { Height(0) }
}

enum Heard {
    Nothing,
    Near,
    Far(Box<FinalHeader>, Committee),
}

async fn tip_of<E: Storing>(
    core: &Core,
    peers: &PeerState<E>,
    peer: &Key,
    within: Duration,
) -> Heard {
    // One answer holds some hundred epochs; a long way takes several.
    loop {
        let since = core.newest_committee();
        let Some(tip) = peers.tip(peer, since.epoch(), within).await else { return Heard::Nothing };
        let Some(tip) = tip else { return Heard::Near };
        let Height(here) = reached(core);
        if tip.block.header.height.0 <= here.saturating_add(core.settings.fetch_state_behind) {
            return Heard::Near;
        }
        let network = core.settings.rules.network();
        let trusted = Checkpoint { network, committee: since.clone() };
        match check(trusted, &tip, core) {
            Ok(Some(committee)) => return Heard::Far(Box::new(tip.block), committee),
            // Further on, if the answer led anywhere.
            Ok(None) if core.newest_committee().epoch() > since.epoch() => {}
            Ok(None) => return Heard::Nothing,
            Err(error) => {
                tracing::warn!(%error, "a peer shows a block that is not final");
                return Heard::Nothing;
            }
        }
    }
}

/// Follows the handovers and remembers their committees. The last of them, if the block is
/// final by it; nothing if they do not reach its epoch.
fn check(trusted: Checkpoint, tip: &Tip, core: &Core) -> Result<Option<Committee>, FinalityError> {
    let reaches = tip.handovers.last().map_or(trusted.committee.epoch(), |end| end.next.epoch());
    let epoch = tip.block.certificate.epoch;
    let reached = trusted.reach(reaches, &tip.handovers)?;
    if let Err(error) = core.learn(&tip.handovers) {
        tracing::warn!(%error, "committees cannot be stored");
        return Ok(None);
    }
    if reaches != epoch {
        return Ok(None);
    }
    tip.block.verify(&reached)?;
    // The engine begins only from a block that was voted on itself.
    Ok(Some(reached.committee).filter(|_| tip.block.descendants.is_empty()))
}
