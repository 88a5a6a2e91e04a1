//! Bringing the engine up to the view: blocks that were executed here without an engine, as
//! those of a chain file were, are given to it as if peers had sent them.
//!
//! The engine executes each of them and compares what that gives with the header, as it does
//! with every block. It deliberately skips nothing: the engine's authenticated state is made by
//! all blocks in their order.
//!
//! **Invariant**: the engine is given no block that it could not finish. A block that does not
//! continue the chain, or that its committee did not make final, was damaged where it is
//! stored; the engine would wait for its peers to send another.

use crate::app::{App, Marshal};
use crate::types::ChainBlock;
use crate::votes::finalization;
use ambar_base::finality::FinalHeader;
use ambar_base::{Checkpoint, Height};
use ambar_consensus::Block;
use ambar_consensus::core::Core;
use ambar_consensus::database::Snapshot;
use ambar_consensus::error::StoreError;
use bytes::Bytes;
use commonware_consensus::Reporter as _;
use commonware_consensus::simplex::types::Activity;
use commonware_consensus::types::{Epoch, Height as ChainHeight, Round, View};
use commonware_cryptography::{Digested, Digestible as _};

/// Blocks up to the newest with votes that the engine has been given and has not finished.
const UNFINISHED_MAX: u64 = 8;

/// Gives the engine the view's blocks that it lacks, and waits until it has finished them. A
/// view that begins later than the engine ends has none that it can use.
pub(crate) async fn feed(app: &App, marshal: &Marshal) {
    let snapshot = app.core.snapshot();
    let fed = match snapshot {
        Ok(snapshot) => feed_from(&app.core, &snapshot, marshal).await,
        Err(error) => Err(error),
    };
    if let Err(error) = fed {
        panic!("the engine cannot follow the view: {error}");
    }
}

async fn feed_from(core: &Core, view: &Snapshot, marshal: &Marshal) -> Result<(), StoreError> {
    let processed = marshal.get_processed().await.map_or(0, |done| done.height().get());
    let (begun, head) = (Height(processed), view.head().height);
    core.finished.send_replace(begun);
    let mut next = begun.after(1);
    // What it has itself it finishes by itself.
    while next <= head && marshal.get_block(ChainHeight::new(next.0)).await.is_some() {
        next = next.after(1);
    }
    if next > head || view.block(next)?.is_none() {
        return Ok(());
    }
    tracing::info!(from = %next, to = %head, "the engine executes the blocks of the view");
    let mut voted = begun;
    let mut parent = view.header(Height(next.0.saturating_sub(1)))?.map(|header| header.digest());
    // What comes after the newest block with votes is not final here.
    while let Some(block) = view.block(next)? {
        if parent.is_some_and(|parent| parent != block.finality.header.parent) {
            return Err(damaged(next));
        }
        parent = Some(block.finality.header.digest());
        if give(core, view, marshal, block).await? {
            voted = next;
        }
        finished(core, Height(voted.0.saturating_sub(UNFINISHED_MAX))).await;
        next = next.after(1);
    }
    finished(core, voted).await;
    Ok(())
}

/// Waits until the engine has finished a block.
async fn finished(core: &Core, height: Height) {
    // The sender is the core's own.
    let _ = core.finished.subscribe().wait_for(|done| *done >= height).await;
}

/// Gives the engine a block, and its votes if it was voted on itself, which is what this says;
/// otherwise a later block makes it final.
async fn give(
    core: &Core,
    view: &Snapshot,
    marshal: &Marshal,
    block: Block,
) -> Result<bool, StoreError> {
    let FinalHeader { header, descendants, certificate } = &block.finality;
    let unsound = || damaged(header.height);
    let voted = descendants.is_empty();
    let votes = if voted {
        let committee = view.committee(certificate.epoch)?.ok_or_else(unsound)?;
        let votes = finalization(&block.finality, &committee).ok_or_else(unsound)?;
        let network = core.settings.rules.network();
        block.finality.verify(&Checkpoint { network, committee }).map_err(|_| unsound())?;
        Some(votes)
    } else {
        None
    };
    if !block.body_agrees() {
        return Err(unsound());
    }
    let transactions = block.transactions.into_iter().map(Bytes::from).collect();
    let made = ChainBlock::new(header.clone(), transactions).ok_or_else(unsound)?;
    let round = Round::new(Epoch::new(header.round.epoch), View::new(header.round.view));
    let digest = made.digest();
    if !marshal.verified(round, Digested::precomputed(made, digest)).await {
        return Err(StoreError::Closed);
    }
    if let Some(votes) = votes {
        // The mailbox says only whether it is open.
        let _ = marshal.clone().report(Activity::Finalization(votes));
    }
    Ok(voted)
}

fn damaged(height: Height) -> StoreError {
    StoreError::Corrupt(format!("block {height}"))
}
