//! Reporting validators that vote against themselves: the votes speak for themselves, so the
//! report needs no account.

use ambar_base::{Encode, NetworkId};
use ambar_consensus::Consensus;
use ambar_ledger::transaction::SignedTransaction;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Reports each until told to stop. A report that another node was first with is refused, and
/// one that finds the ledger stalled is made again with the next.
pub(crate) async fn accuse(
    network: NetworkId,
    consensus: Arc<dyn Consensus>,
    stop: CancellationToken,
) {
    let mut conflicts = consensus.conflicts();
    loop {
        let known = conflicts.borrow_and_update().clone();
        for evidence in known {
            let validator = evidence.key().did();
            let report = SignedTransaction::report(network, evidence);
            match consensus.submit(report.to_bytes()).await {
                Ok(done) => tracing::warn!(validator, height = %done.height, "ejected"),
                Err(error) => tracing::debug!(validator, %error, "a report is refused"),
            }
        }
        tokio::select! {
            changed = conflicts.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}
