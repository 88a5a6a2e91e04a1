//! Submitting transactions.

use super::App;
use super::dto::Submitted;
use super::extract::Octets;
use super::failure::{Answer, Failure};
use super::views::{operation, time};
use crate::submit::results;
use ambar_base::{Digest, Height};
use ambar_consensus::Committed;
use ambar_ledger::Admitted;
use axum::Json;
use axum::extract::State;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long an answer waits for the index at most. One that has fallen behind holds nobody
/// up for longer.
const INDEX_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at the index, which follows a block within milliseconds.
const INDEX_LOOK: Duration = Duration::from_millis(2);

/// Submits a signed transaction and answers when it is final.
#[utoipa::path(post, path = "/api/v1/transactions",
    operation_id = "submit_transaction", tag = "ledger",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Submitted)))]
pub(super) async fn submit(State(app): State<Arc<App>>, Octets(body): Octets) -> Answer<Submitted> {
    let committed = app.consensus.submit(body.to_vec()).await?;
    // It is final, so it was admitted.
    let id = Admitted::vouched(app.network, &body)?.id();
    indexed(&app, committed.height).await;
    submitted(id, &committed).map(Json)
}

/// Waits for the index: whoever was told that a transaction is final lists what it made.
async fn indexed(app: &App, height: Height) {
    let deadline = Instant::now() + INDEX_WAIT;
    while app.index.cursor() < height && Instant::now() < deadline {
        sleep(INDEX_LOOK).await;
    }
}

pub(super) fn submitted(id: Digest, committed: &Committed) -> Result<Submitted, Failure> {
    let (fee, results) =
        results(&committed.outcome).map_err(|error| super::views::corrupt(error.to_string()))?;
    Ok(Submitted {
        id: id.to_string(),
        height: committed.height.0,
        index: committed.index,
        time: time(committed.time),
        fee: fee.to_string(),
        results: results.iter().map(operation).collect(),
    })
}
