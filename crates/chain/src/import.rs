//! A view from the engine's own state: after the engine fetched its state from peers, or
//! when the view is further behind than the engine's blocks reach.

use crate::state::Storing;
use crate::states::Readers;
use crate::types::ChainBlock;
use ambar_base::Committee;
use ambar_base::finality::Certificate;
use ambar_consensus::core::Core;
use ambar_consensus::error::StoreError;
use ambar_consensus::state::Entry;
use bytes::Bytes;
use futures::StreamExt;
use std::sync::atomic::Ordering;

/// Replaces the view by the state after `block`, as the database has it.
pub(crate) async fn import<E: Storing>(
    core: &Core,
    block: &ChainBlock,
    certificate: Option<&Certificate>,
    next: Option<&Committee>,
    readers: Readers<E>,
) -> Result<(), StoreError> {
    let Some(certificate) = certificate else {
        // The next block's votes come with its state.
        return Ok(());
    };
    let _importing = Importing::begin(core);
    let entries = entries::<E>(&readers).await?;
    core.replace(block.header(), certificate, entries, next)
}

/// That the view is being replaced, for as long as this lives.
struct Importing<'a>(&'a Core);

impl<'a> Importing<'a> {
    fn begin(core: &'a Core) -> Self {
        core.importing.store(true, Ordering::SeqCst);
        Self(core)
    }
}

impl Drop for Importing<'_> {
    fn drop(&mut self) {
        self.0.importing.store(false, Ordering::SeqCst);
    }
}

async fn entries<E: Storing>(readers: &Readers<E>) -> Result<Vec<Entry>, StoreError> {
    let database = readers.read().await;
    let stream = database.stream_range(..);
    futures::pin_mut!(stream);
    let mut entries = Vec::new();
    while let Some(entry) = stream.next().await {
        let (key, value) = entry.map_err(|error| StoreError::Io(error.to_string()))?;
        entries.push((key, Bytes::from(value)));
    }
    Ok(entries)
}
