//! Bringing the view up to the engine: what a crash took from the view is executed again
//! from the engine's final blocks.

use crate::app::{App, Marshal};
use crate::types::ChainBlock;
use crate::votes::certificate;
use ambar_consensus::database::Finalized;
use ambar_consensus::draft::Draft;
use ambar_consensus::engine::Head;
use ambar_consensus::error::StoreError;
use ambar_consensus::execute::{Failure, Local};
use ambar_consensus::listing::Listing;
use commonware_consensus::types::Height as ChainHeight;

/// Executes final blocks that the engine has finished and the view lacks. Blocks that the
/// engine no longer has leave the view behind: the next one is then imported whole.
pub(crate) async fn catch_up(app: &App, marshal: &Marshal) {
    let mut listing = None;
    loop {
        let height = ChainHeight::new(app.core.next_height().0);
        let Some(block) = marshal.get_block(height).await else { return };
        let votes = marshal.get_finalization(height).await;
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
