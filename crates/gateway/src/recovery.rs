//! Recovery: what the journal says of calls that were under way when the process ended.
//!
//! A call that was reserved and not metered delivered no receipt, so it is charged nothing:
//! a void leaf fills its sequence number. A metered call is charged: it settles. What the
//! archive has is final.

use crate::archive::{Archive, ArchiveError, ArchivedBatch};
use crate::call::ReceiptId;
use crate::journal::Position;
use crate::record::{Batched, Metered, Record, Reserved};
use crate::settled::{Settled, operation_of};
use ambar_base::codec::{self, DecodeError};
use ambar_base::{Coded, Digest, Encode, ErrorCode, Height};
use ambar_consensus::{Consensus, StoreError};
use ambar_ledger::object::Batch;
use ambar_ledger::query::State;
use ambar_ledger::{Key, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a gateway takes up again.
#[derive(Default)]
pub struct Recovered {
    /// Calls to settle, with where the journal first speaks of them. Those that are void
    /// because they were never metered come with `true`: the journal does not know yet.
    pub calls: Vec<(Arc<Metered>, Position, bool)>,
    /// The first sequence number of each channel that nothing has used.
    pub next: BTreeMap<u64, u64>,
    /// Batches that were submitted and may yet become final.
    pub open: Vec<Batched>,
}

/// Why a gateway cannot take up its calls.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// A record of the journal is not one of this version's.
    #[error("a record of the call journal at {position} is of another version: {error}")]
    Record {
        /// Where it stands.
        position: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// The ledger's state is damaged.
    #[error(transparent)]
    State(#[from] Refusal),
}

impl Coded for RecoveryError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Record { .. } => ErrorCode::JournalCorrupt,
            Self::Archive(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::State(error) => error.code(),
        }
    }
}

#[derive(Default)]
struct Read {
    reserved: BTreeMap<ReceiptId, (Reserved, Position)>,
    metered: BTreeMap<ReceiptId, (Arc<Metered>, Position)>,
    /// Batches of which the journal does not say that they are final.
    batched: Vec<Batched>,
}

/// Reads the journal's records against archive and ledger.
pub fn recover(
    records: &[(Position, Vec<u8>)],
    archive: &Archive,
    consensus: &dyn Consensus,
) -> Result<Recovered, RecoveryError> {
    let read = read(records)?;
    for batched in &read.batched {
        archive_if_final(batched, &read, archive, consensus)?;
    }
    let mut recovered = Recovered::default();
    for id in read.reserved.keys().chain(read.metered.keys()) {
        let next = recovered.next.entry(id.channel).or_default();
        *next = (*next).max(id.n + 1);
    }
    for (id, (reserved, position)) in &read.reserved {
        if archive.receipt(*id)?.is_some() {
            continue;
        }
        let (call, new) = match read.metered.get(id) {
            Some((metered, _)) => (Arc::clone(metered), false),
            None => {
                let Reserved { channel, n, admitted, time } = *reserved;
                (Arc::new(Metered::void(channel, n, admitted, time)), true)
            }
        };
        recovered.calls.push((call, *position, new));
    }
    recovered.open = read.batched;
    Ok(recovered)
}

fn read(records: &[(Position, Vec<u8>)]) -> Result<Read, RecoveryError> {
    let mut read = Read::default();
    for (position, bytes) in records {
        let record = codec::decode(bytes)
            .map_err(|error| RecoveryError::Record { position: position.to_string(), error })?;
        match record {
            Record::Reserved(reserved) => {
                let id = ReceiptId { channel: reserved.channel, n: reserved.n };
                read.reserved.insert(id, (reserved, *position));
            }
            Record::Metered(metered) => {
                read.metered.insert(metered.receipt(), (metered, *position));
            }
            Record::Batched(batched) => read.batched.push(batched),
            Record::Final(settled) => {
                read.batched.retain(|batched| batched.batch.header.number > settled.number);
            }
        }
    }
    Ok(read)
}

/// Where a batch is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block.
    pub height: Height,
    /// The place among the block's outcomes; 0 if the block is not kept any more.
    pub index: u64,
}

/// Where a batch is final, if it is.
pub fn place_of(
    batched: &Batched,
    consensus: &dyn Consensus,
) -> Result<Option<Place>, RecoveryError> {
    let header = &batched.batch.header;
    let view = crate::view::LedgerView::latest(consensus)?;
    let key = Key::Batch((header.gateway, header.number));
    let Some(batch) = view.object::<Batch>(&key)? else { return Ok(None) };
    if batch.header != Digest::of(&header.to_bytes()) {
        return Ok(None);
    }
    let Some(block) = consensus.block(batch.height)? else {
        // The state says that it is final.
        return Ok(Some(Place { height: batch.height, index: 0 }));
    };
    let place = block.transactions.iter().position(|bytes| operation_of(bytes, header).is_some());
    Ok(place.map(|place| Place { height: batch.height, index: place as u64 + 1 }))
}

/// The last batch may have become final without the gateway hearing of it.
fn archive_if_final(
    batched: &Batched,
    read: &Read,
    archive: &Archive,
    consensus: &dyn Consensus,
) -> Result<(), RecoveryError> {
    let Some(place) = place_of(batched, consensus)? else { return Ok(()) };
    let Place { height, index } = place;
    let mut calls = Vec::with_capacity(batched.members.len());
    for (channel, n) in &batched.members {
        let id = ReceiptId { channel: *channel, n: *n };
        match (read.metered.get(&id), read.reserved.get(&id)) {
            (Some((metered, _)), _) => calls.push(Arc::clone(metered)),
            (None, Some((reserved, _))) => {
                let Reserved { channel, n, admitted, time } = *reserved;
                calls.push(Arc::new(Metered::void(channel, n, admitted, time)));
            }
            (None, None) => return Ok(()),
        }
    }
    let archived = ArchivedBatch { batched: batched.clone(), height, index };
    let settled = Settled::read(batched, place, consensus)?;
    Ok(archive.keep(&archived, &calls, settled.as_ref())?)
}
