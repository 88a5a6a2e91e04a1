//! The archive: receipts that are final, for their parties and for retries; what was spent
//! under each block of a certificate; the batches with the proofs that they settled.
//!
//! It is written once per final batch, durably, before the journal forgets the calls. What
//! a full disk refuses is tried again when the batch is kept again.

use crate::call::ReceiptId;
use crate::record::{Batched, Metered};
use crate::settled::Settled;
use ambar_base::codec::{self, Decode};
use ambar_base::{Coded, Digest, Encode, ErrorCode, Height, Moment, Price, record};
use ambar_licence::decision::Spent;
use ambar_receipt::Leaf;
use ambar_tables::Tables;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use std::path::Path;
use std::sync::Arc;

const RECEIPTS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("receipts");
const CALLS: TableDefinition<'_, &[u8], (u64, u64)> = TableDefinition::new("calls");
const BLOCKS: TableDefinition<'_, &[u8], (u64, u64)> = TableDefinition::new("blocks");
const BATCHES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("batches");
/// Batch → [`Settled`].
const SETTLED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("settled");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const FORMAT: u64 = 1;

record! {
    /// A final receipt.
    pub struct Archived {
        /// The call.
        pub metered: Arc<Metered>,
        /// The batch that it settled in.
        pub batch: u64,
        /// Its place in the batch.
        pub index: u64,
    }
}

record! {
    /// A final batch.
    pub struct ArchivedBatch {
        /// The batch.
        pub batched: Batched,
        /// The block that it settled in.
        pub height: Height,
        /// Its place among the block's outcomes.
        pub index: u64,
    }
}

/// The archive cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Reading failed, and the file has not been opened again.
    #[error("the receipt archive is closed after its disk failed")]
    Closed,
    /// No space is left.
    #[error("the receipt archive's disk is full")]
    DiskFull,
    /// Written by another version.
    #[error("the receipt archive has format {0}; this version reads {FORMAT}")]
    Format(u64),
    /// Damaged or unreadable.
    #[error("the receipt archive failed: {0}")]
    Store(String),
}

impl Coded for ArchiveError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Closed => ErrorCode::DiskFailed,
            Self::DiskFull => ErrorCode::DiskFull,
            Self::Format(_) => ErrorCode::HomeMismatch,
            Self::Store(_) => ErrorCode::JournalCorrupt,
        }
    }
}

impl From<redb::Error> for ArchiveError {
    fn from(error: redb::Error) -> Self {
        match &error {
            redb::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::DiskFull,
            redb::Error::PreviousIo => Self::Closed,
            _ => Self::Store(error.to_string()),
        }
    }
}

macro_rules! from_redb {
    ($($name:ident)*) => {$(
        impl From<redb::$name> for ArchiveError {
            fn from(error: redb::$name) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(StorageError TableError TransactionError CommitError DatabaseError);

/// The archive.
pub struct Archive {
    tables: Tables,
}

fn object<T: Decode>(bytes: &[u8]) -> Result<T, ArchiveError> {
    codec::decode(bytes).map_err(|error| ArchiveError::Store(error.to_string()))
}

impl Archive {
    /// Opens the archive in a file, which is created if it does not exist.
    pub fn open(file: &Path, cache_bytes: usize) -> Result<Self, ArchiveError> {
        let (tables, ()) = Tables::open(file, cache_bytes, prepare)?;
        Ok(Self { tables })
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&ReadTransaction) -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        look(&self.tables.begin_read()?)
    }

    /// Keeps a final batch, its calls and the proof that it settled, durably. Keeping it again
    /// changes nothing.
    pub fn keep(
        &self,
        batch: &ArchivedBatch,
        calls: &[Arc<Metered>],
        settled: Option<&Settled>,
    ) -> Result<(), ArchiveError> {
        self.tables.write(|write| keep(write, batch, calls, settled))
    }

    /// A receipt by its id.
    pub fn receipt(&self, id: ReceiptId) -> Result<Option<Archived>, ArchiveError> {
        self.read(|read| {
            let value = read.open_table(RECEIPTS)?.get((id.channel, id.n))?;
            value.map(|value| object(value.value())).transpose()
        })
    }

    /// The receipt of a call.
    pub fn of_call(&self, call: &Digest) -> Result<Option<ReceiptId>, ArchiveError> {
        self.read(|read| {
            let value = read.open_table(CALLS)?.get(call.0.as_slice())?;
            Ok(value.map(|value| value.value()).map(|(channel, n)| ReceiptId { channel, n }))
        })
    }

    /// A batch by its number.
    pub fn batch(&self, number: u64) -> Result<Option<ArchivedBatch>, ArchiveError> {
        self.read(|read| {
            let value = read.open_table(BATCHES)?.get(number)?;
            value.map(|value| object(value.value())).transpose()
        })
    }

    /// The proof that a batch settled.
    pub fn settled(&self, number: u64) -> Result<Option<Settled>, ArchiveError> {
        self.read(|read| {
            let value = read.open_table(SETTLED)?.get(number)?;
            value.map(|value| object(value.value())).transpose()
        })
    }

    /// The leaves of a batch, in order; nothing if one of them is not here.
    pub fn leaves(&self, batch: &ArchivedBatch) -> Result<Option<Vec<Leaf>>, ArchiveError> {
        self.read(|read| {
            let receipts = read.open_table(RECEIPTS)?;
            let leaf = |id: &(u64, u64)| -> Result<Option<Leaf>, ArchiveError> {
                let value = receipts.get(*id)?;
                let archived = value.map(|value| object::<Archived>(value.value())).transpose();
                Ok(archived?.map(|archived| archived.metered.leaf.clone()))
            };
            batch.batched.members.iter().map(leaf).collect()
        })
    }

    /// Receipts after a number, charged and void, in the order of their ids.
    pub fn receipts(
        &self,
        after: Option<ReceiptId>,
        most: usize,
    ) -> Result<Vec<Archived>, ArchiveError> {
        let start = after.map_or((0, 0), |id| (id.channel, id.n.saturating_add(1)));
        self.read(|read| {
            let rows = read.open_table(RECEIPTS)?.range(start..)?.take(most);
            rows.map(|row| object(row?.1.value())).collect()
        })
    }

    /// Calls of the batches that settled since then, in the order of their admission; the
    /// newest batches, as soon as there are `most`.
    pub fn lately(&self, since: Moment, most: usize) -> Result<Vec<Arc<Metered>>, ArchiveError> {
        let mut found = self.read(|read| {
            let (settled, batches) = (read.open_table(SETTLED)?, read.open_table(BATCHES)?);
            let (receipts, mut found) = (read.open_table(RECEIPTS)?, Vec::new());
            for row in settled.iter()?.rev() {
                let (number, value) = row?;
                let settled: Settled = object(value.value())?;
                if settled.proof.block.header.time < since || found.len() >= most {
                    break;
                }
                let Some(batch) = batches.get(number.value())? else { continue };
                let batch: ArchivedBatch = object(batch.value())?;
                for place in &batch.batched.members {
                    if let Some(value) = receipts.get(*place)? {
                        let archived: Archived = object(value.value())?;
                        found.push(archived.metered);
                    }
                }
            }
            Ok(found)
        })?;
        found.sort_by_key(|metered| metered.leaf.time);
        Ok(found)
    }

    /// What was spent under each block.
    pub fn spent(&self) -> Result<Vec<(Digest, Spent)>, ArchiveError> {
        self.read(|read| {
            let table = read.open_table(BLOCKS)?;
            let mut spent = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                let (price, calls) = value.value();
                let bytes: [u8; 32] = key.value().try_into().unwrap_or_default();
                spent.push((Digest(bytes), Spent { price: Price(price), calls }));
            }
            Ok(spent)
        })
    }
}

/// Creates the tables of a new archive, or checks the format of an old one.
fn prepare(write: &WriteTransaction) -> Result<(), ArchiveError> {
    write.open_table(RECEIPTS)?;
    write.open_table(CALLS)?;
    write.open_table(BLOCKS)?;
    write.open_table(BATCHES)?;
    write.open_table(SETTLED)?;
    let mut meta = write.open_table(META)?;
    let format = meta.get("format")?.map(|value| value.value());
    match format {
        None => drop(meta.insert("format", FORMAT)?),
        Some(FORMAT) => {}
        Some(other) => return Err(ArchiveError::Format(other)),
    }
    Ok(())
}

fn keep(
    write: &WriteTransaction,
    batch: &ArchivedBatch,
    calls: &[Arc<Metered>],
    settled: Option<&Settled>,
) -> Result<(), ArchiveError> {
    let number = batch.batched.batch.header.number;
    let mut batches = write.open_table(BATCHES)?;
    if batches.get(number)?.is_some() {
        return Ok(());
    }
    batches.insert(number, batch.to_bytes().as_slice())?;
    if let Some(settled) = settled {
        write.open_table(SETTLED)?.insert(number, settled.to_bytes().as_slice())?;
    }
    let mut receipts = write.open_table(RECEIPTS)?;
    let mut ids = write.open_table(CALLS)?;
    let mut blocks = write.open_table(BLOCKS)?;
    for (index, metered) in calls.iter().enumerate() {
        let (metered, index) = (Arc::clone(metered), index as u64);
        let place = (metered.leaf.channel, metered.leaf.n);
        if metered.leaf.call != Digest::ZERO {
            ids.insert(metered.leaf.call.0.as_slice(), place)?;
        }
        let price = metered.price().0;
        for block in &metered.blocks {
            let known = blocks.get(block.0.as_slice())?.map(|value| value.value());
            let (spent, count) = known.unwrap_or_default();
            let sum = (spent.saturating_add(price), count + 1);
            blocks.insert(block.0.as_slice(), sum)?;
        }
        let archived = Archived { metered, batch: number, index };
        receipts.insert(place, archived.to_bytes().as_slice())?;
    }
    Ok(())
}
