//! Rows as they are written, each by the transaction that it is given.

use super::{BLOCKS, CERTIFICATES, COMMITTEES, ENDS, Finalized, PLACES, STATE, UNDO};
use crate::block::{Stored, Undo, Writes};
use crate::error::StoreError;
use ambar_base::finality::{BlockHeader, Certificate, FinalHeader};
use ambar_base::{Committee, Digest, Encode};
use redb::{ReadableTable, WriteTransaction};

/// Writes a block of which only the header is known.
pub(super) fn write_header(
    transaction: &WriteTransaction,
    header: &BlockHeader,
) -> Result<(), StoreError> {
    let stored = Stored::of_header(header.clone());
    transaction.open_table(BLOCKS)?.insert(header.height.0, stored.to_bytes().as_slice())?;
    Ok(())
}

/// Writes a block and what it does to the state; what undoes it only if `undone`.
pub(super) fn write_block(
    transaction: &WriteTransaction,
    block: &Finalized,
    undone: bool,
) -> Result<(), StoreError> {
    let Finalized { header, executed, ids } = block;
    let stored = Stored {
        header: header.clone(),
        transactions: executed.transactions.iter().map(|bytes| bytes.to_vec()).collect(),
        outcomes: executed.outcomes.clone(),
        ids: ids.clone(),
    };
    let height = header.height.0;
    transaction.open_table(BLOCKS)?.insert(height, stored.to_bytes().as_slice())?;
    write_places(transaction, height, ids)?;
    if let Some(committee) = &executed.next_committee {
        write_committee(transaction, committee)?;
    }
    let before = write_state(transaction, &executed.writes)?;
    if undone {
        transaction.open_table(UNDO)?.insert(height, before.to_bytes().as_slice())?;
    } else if transaction.open_table(UNDO)?.first()?.is_some() {
        // A gap would end in a state that never was.
        transaction.delete_table(UNDO)?;
        transaction.open_table(UNDO)?;
    }
    Ok(())
}

/// Writes the votes for a block, which make those before it final on which nobody voted. If an
/// epoch ends with it, it is kept apart, as that outlives the block.
pub(super) fn certify(
    transaction: &WriteTransaction,
    header: &BlockHeader,
    certificate: &Certificate,
) -> Result<(), StoreError> {
    let mut certificates = transaction.open_table(CERTIFICATES)?;
    certificates.insert(header.height.0, certificate.to_bytes().as_slice())?;
    if header.next_committee.is_none() {
        return Ok(());
    }
    let (header, certificate) = (header.clone(), certificate.clone());
    write_end(transaction, &FinalHeader { header, descendants: Vec::new(), certificate })
}

/// Writes the last block of an epoch.
pub(super) fn write_end(
    transaction: &WriteTransaction,
    last: &FinalHeader,
) -> Result<(), StoreError> {
    let mut ends = transaction.open_table(ENDS)?;
    ends.insert(last.header.round.epoch, last.to_bytes().as_slice())?;
    Ok(())
}

pub(super) fn write_committee(
    transaction: &WriteTransaction,
    committee: &Committee,
) -> Result<(), StoreError> {
    let mut committees = transaction.open_table(COMMITTEES)?;
    committees.insert(committee.epoch(), committee.to_bytes().as_slice())?;
    Ok(())
}

fn write_places(
    transaction: &WriteTransaction,
    height: u64,
    ids: &[Digest],
) -> Result<(), StoreError> {
    let mut places = transaction.open_table(PLACES)?;
    for (id, index) in ids.iter().zip(1..) {
        places.insert(&id.0, (height, index))?;
    }
    Ok(())
}

/// Writes to the state; what stood there before.
pub(super) fn write_state(
    transaction: &WriteTransaction,
    writes: &Writes,
) -> Result<Undo, StoreError> {
    let mut state = transaction.open_table(STATE)?;
    let mut before = Undo::with_capacity(writes.len());
    for (key, value) in writes {
        let old = match value {
            Some(value) => state.insert(key.as_slice(), value.as_ref())?,
            None => state.remove(key.as_slice())?,
        };
        before.push((key.clone(), old.map(|old| old.value().to_vec())));
    }
    Ok(before)
}
