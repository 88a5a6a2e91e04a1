//! The chain as files hold it: genesis, and final blocks as frames.

use super::App;
use super::extract::Asked;
use super::failure::{Failure, blocking};
use crate::chain_file::frame;
use ambar_base::{Encode, ErrorCode, Height};
use axum::extract::State;
use serde::Deserialize;
use std::sync::Arc;

/// Most blocks of one answer.
const BLOCKS_MAX: u64 = 1_000;
/// Bytes after which an answer takes no further block.
const ANSWER_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
pub(super) struct From {
    from: u64,
}

/// The document that the network began with, encoded; its digest is the network's id.
#[utoipa::path(get, path = "/api/v1/genesis",
    operation_id = "genesis", tag = "ledger",
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn genesis(State(app): State<Arc<App>>) -> Vec<u8> {
    app.home.genesis.to_bytes()
}

/// Final blocks from a height on, as frames of a chain file; nothing above the newest. Those
/// that are not kept any more are refused.
#[utoipa::path(get, path = "/api/v1/chain",
    operation_id = "chain", tag = "ledger",
    params(("from" = u64, Query)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream")))]
pub(super) async fn chain(
    State(app): State<Arc<App>>,
    Asked(From { from }): Asked<From>,
) -> Result<Vec<u8>, Failure> {
    blocking(move || frames(&app, from)).await
}

fn frames(app: &App, from: u64) -> Result<Vec<u8>, Failure> {
    let oldest = app.consensus.oldest()?;
    if Height(from) < oldest {
        let message = format!("block {from} is not kept here; the oldest that is, is {oldest}");
        return Err(Failure::new(ErrorCode::HistoryMissing, message));
    }
    let mut frames = Vec::new();
    for height in from..=from.saturating_add(BLOCKS_MAX - 1) {
        if frames.len() >= ANSWER_BYTES {
            break;
        }
        let Some(block) = app.consensus.block(Height(height))? else { break };
        frames.extend(frame(&block));
    }
    Ok(frames)
}
