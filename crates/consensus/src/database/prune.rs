//! Forgetting blocks that are older than what is kept.
//!
//! **Invariant**: a block is forgotten only once a later one is final, so that what makes it
//! final was kept if anybody may ask for it: the end of an epoch. A commit forgets a bounded
//! number of blocks, in its own transaction.

use super::write::write_header;
use super::{BASE_KEY, BLOCKS, CERTIFICATES, META, PLACES, UNDO};
use crate::block::{Stored, from_store};
use crate::error::StoreError;
use ambar_base::{Encode, Height};
use redb::{ReadableTable, WriteTransaction};

/// Most blocks that one commit forgets: more than it adds, so that a window that was made
/// smaller is reached.
const FORGOTTEN_MAX: u64 = 2;

/// Moves the base towards the block after which `kept` follow.
pub(super) fn prune(
    transaction: &WriteTransaction,
    base: u64,
    newest: Height,
    kept: u64,
) -> Result<(), StoreError> {
    let certified = transaction.open_table(CERTIFICATES)?.last()?.map_or(0, |row| row.0.value());
    let due = newest.0.saturating_sub(kept.max(1)).min(certified);
    let next = due.min(base.saturating_add(FORGOTTEN_MAX));
    if next <= base {
        return Ok(());
    }
    for height in base + 1..=next {
        forget_body(transaction, height)?;
    }
    let mut blocks = transaction.open_table(BLOCKS)?;
    let mut certificates = transaction.open_table(CERTIFICATES)?;
    for height in base.max(1)..next {
        blocks.remove(height)?;
        certificates.remove(height)?;
    }
    transaction.open_table(META)?.insert(BASE_KEY, next)?;
    Ok(())
}

/// Leaves of a block its header and votes.
fn forget_body(transaction: &WriteTransaction, height: u64) -> Result<(), StoreError> {
    let Stored { header, ids, .. } = {
        let blocks = transaction.open_table(BLOCKS)?;
        let missing = || StoreError::Corrupt(format!("block {height} is missing"));
        from_store(blocks.get(height)?.ok_or_else(missing)?.value())?
    };
    write_header(transaction, &header)?;
    let mut places = transaction.open_table(PLACES)?;
    for id in &ids {
        places.remove(&id.0)?;
    }
    transaction.open_table(UNDO)?.remove(height)?;
    Ok(())
}

/// Forgets all blocks but genesis, and all votes.
pub(super) fn forget_all(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let genesis = super::stored_genesis(transaction)?;
    transaction.delete_table(BLOCKS)?;
    transaction.delete_table(CERTIFICATES)?;
    transaction.delete_table(PLACES)?;
    transaction.delete_table(UNDO)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(CERTIFICATES)?;
    transaction.open_table(UNDO)?;
    let stored = Stored::of_header(genesis);
    transaction.open_table(BLOCKS)?.insert(0, stored.to_bytes().as_slice())?;
    Ok(())
}
