//! Bringing the view up to the engine: what a crash took from the view is executed again
//! from the engine's final blocks.

use crate::app::{App, Marshal};
use crate::state::Storing;
use crate::types::ChainBlock;
use crate::votes::certificate;
use ambar_base::finality::BlockHeader;
use ambar_consensus::database::Finalized;
use ambar_consensus::draft::Draft;
use ambar_consensus::engine::Head;
use ambar_consensus::error::StoreError;
use ambar_consensus::execute::{Failure, Local};
use ambar_consensus::listing::Listing;
use commonware_consensus::types::Height as ChainHeight;
use commonware_runtime::Handle;
use std::future::pending;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// How often it is looked whether lost votes have come again.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Executes final blocks that the engine has finished and the view lacks. Blocks that the
/// engine no longer has leave the view behind: the next one is then imported whole. Whether
/// this is all that can be done: it is not where the votes for an epoch's last block are lost.
pub(crate) async fn catch_up(app: &App, marshal: &Marshal) -> bool {
    let mut listing = None;
    loop {
        let height = ChainHeight::new(app.core.next_height().0);
        let Some(block) = marshal.get_block(height).await else { return true };
        let votes = marshal.get_finalization(height).await;
        if needs_votes(block.inner().header()) && votes.is_none() {
            return false;
        }
        let certificate = votes.as_ref().map(certificate);
        let done = match execute(app, block.inner(), &mut listing).await {
            Ok(finished) => app.core.finalized(finished, certificate.as_ref()),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            panic!("the view cannot follow to block {height}: {error}");
        }
    }
}

/// Whether a block's own votes are needed: an epoch's last block always was voted on itself, and
/// it is this block that shows whose votes those of the next epoch must be. A crash may keep it
/// and lose them; they come again from the epoch's own engine or, through it, from a peer.
pub(crate) fn needs_votes(header: &BlockHeader) -> bool {
    header.next_committee.is_some()
}

/// Goes on as soon as lost votes have come again, and holds `turn` until then.
pub(crate) fn go_on<E: Storing>(
    runtime: E,
    (app, marshal): (App, Marshal),
    turn: OwnedMutexGuard<()>,
) -> Handle<()> {
    runtime.spawn(move |runtime| async move {
        while !catch_up(&app, &marshal).await {
            runtime.sleep(LOOK_EVERY).await;
        }
        drop(turn);
        // Its end would be the engine's.
        pending::<()>().await;
    })
}

/// Executes the next block on the view. `listing` is the index of the view's state, once it
/// was made.
async fn execute(
    app: &App,
    block: &ChainBlock,
    listing: &mut Option<Listing>,
) -> Result<Finalized, StoreError> {
    let header = block.header();
    let snapshot = app.core.latest()?;
    let index = match listing.take() {
        Some(index) => index,
        None => Listing::of(app.core.machine.lists(), &snapshot)?,
    };
    let parent: Head = snapshot.head();
    let rules = &app.core.settings.rules;
    let context = rules.context(parent.height.after(1), header.time);
    let damaged = |what: String| StoreError::Corrupt(format!("block {}: {what}", header.height));
    let base = Local { state: &snapshot, listing: &index };
    let draft = Draft::begin(&*app.core.machine, context, &base, app.writes_before(&parent)).await;
    let mut draft = draft.map_err(|fault| damaged(fault.to_string()))?;
    let mut ids = Vec::new();
    for (transaction, admission) in
        block.transactions().iter().zip(app.core.admit_all(block.transactions()))
    {
        ids.push(admission.map_err(|refusal| damaged(refusal.message))?.id);
        match draft.push(transaction.clone()).await {
            Ok(_) => {}
            Err(Failure::Refused(refusal)) => return Err(damaged(refusal.message)),
            Err(Failure::Store(error)) => return Err(error),
        }
    }
    let executed =
        draft.finish(rules.epochs()).await.map_err(|fault| damaged(fault.to_string()))?;
    listing.insert(index).follow(&executed.writes);
    Ok(Finalized { header: header.clone(), executed, ids })
}
