//! The ledger's view: final blocks, their votes, where transactions are, and the state as of
//! the newest block, in an embedded store (redb: copy-on-write B-trees, one writer,
//! unchanging snapshots).
//!
//! The view is what people and the gateway read. It follows the engine, which has its own
//! durable blocks and authenticated state; what a crash takes from the view is executed
//! again from the engine's blocks.
//!
//! **Invariant**: header, transactions, outcomes, ids, writes and votes of a block are stored
//! by one transaction, or none of them is.

use crate::block::{Block, Stored, Writes, from_store};
use crate::draft::Executed;
use crate::engine::Head;
use crate::error::{OpenError, StoreError};
use crate::limits::SCAN_ENTRIES_MAX;
use crate::state::{Entry, State, scan_start};
use ambar_base::finality::{BlockHeader, Certificate, DESCENDANTS_MAX, FinalHeader};
use ambar_base::{Committee, Digest, Encode, Height};
use ambar_tables::Tables;
use bytes::Bytes;
use redb::{ReadOnlyTable, ReadableTable, TableDefinition, WriteTransaction};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const BLOCKS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("blocks");
/// The votes of blocks that were voted final themselves, not through a later one.
const CERTIFICATES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("certificates");
const STATE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("state");
/// A transaction's id → height and place among the outcomes.
const PLACES: TableDefinition<'static, &[u8; 32], (u64, u64)> = TableDefinition::new("places");
/// The committee of each epoch that has begun or is about to.
const COMMITTEES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("committees");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

const FORMAT_KEY: &str = "format";
/// The version of these tables and of what is in them.
const FORMAT: u64 = 3;

/// The open store.
pub(crate) struct Database {
    tables: Tables,
}

/// What a view begins with.
#[derive(Clone, Copy)]
pub(crate) struct Beginning<'a> {
    pub(crate) header: &'a BlockHeader,
    pub(crate) writes: &'a Writes,
    pub(crate) committee: &'a Committee,
}

/// An executed block on its way into the view.
#[derive(Clone, Debug)]
pub(crate) struct Finalized {
    pub(crate) header: BlockHeader,
    pub(crate) executed: Executed,
    /// Its transactions' ids, in order.
    pub(crate) ids: Vec<Digest>,
}

impl Database {
    /// Opens the store in `file`, writes genesis into an empty one, and checks that another
    /// holds this genesis.
    pub(crate) fn open(
        file: &Path,
        cache_bytes: usize,
        genesis: Beginning<'_>,
    ) -> Result<Self, OpenError> {
        let prepare = |transaction: &WriteTransaction| found_or_check(transaction, genesis);
        let (tables, ()) = Tables::open(file, cache_bytes, prepare)?;
        Ok(Self { tables })
    }

    /// Opens the store on another back end than a file.
    #[cfg(feature = "simulation")]
    pub(crate) fn open_on(
        backend: Box<dyn redb::StorageBackend>,
        cache_bytes: usize,
        genesis: Beginning<'_>,
    ) -> Result<Self, OpenError> {
        let prepare = |transaction: &WriteTransaction| found_or_check(transaction, genesis);
        let (tables, ()) = Tables::open_on(backend, cache_bytes, prepare)?;
        Ok(Self { tables })
    }

    /// Stores the next block, and the votes for it if it was voted final itself. It is
    /// readable at once and durable by the next [`Self::flush`].
    pub(crate) fn commit(
        &self,
        block: &Finalized,
        certificate: Option<&Certificate>,
    ) -> Result<(), StoreError> {
        self.tables.write_later(|transaction| {
            write_block(transaction, block)?;
            match certificate {
                Some(votes) => write_certificate(transaction, block.header.height, votes),
                None => Ok(()),
            }
        })
    }

    /// Makes every commit so far durable.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        Ok(self.tables.flush()?)
    }

    /// Replaces the whole state by that after the block `header`, whose body and past are not
    /// there: how a view begins whose engine fetched its state from peers.
    pub(crate) fn replace(
        &self,
        header: &BlockHeader,
        certificate: &Certificate,
        entries: &mut dyn Iterator<Item = Entry>,
    ) -> Result<(), StoreError> {
        self.tables.write(|transaction| {
            transaction.delete_table(STATE)?;
            let mut state = transaction.open_table(STATE)?;
            for (key, value) in entries {
                state.insert(key.as_slice(), value.as_ref())?;
            }
            write_header(transaction, header)?;
            write_certificate(transaction, header.height, certificate)
        })
    }

    /// Remembers committees.
    pub(crate) fn learn(&self, committees: &[Committee]) -> Result<(), StoreError> {
        self.tables.write(|transaction| {
            committees.iter().try_for_each(|committee| write_committee(transaction, committee))
        })
    }

    /// The newest commit, unchanging.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = self.tables.begin_read()?;
        let blocks = transaction.open_table(BLOCKS)?;
        let head = {
            let last = blocks.last()?.ok_or_else(|| StoreError::Corrupt("no blocks".into()))?;
            Head::from(&from_store::<Stored>(last.1.value())?.header)
        };
        let certificates = transaction.open_table(CERTIFICATES)?;
        let (state, places) = (transaction.open_table(STATE)?, transaction.open_table(PLACES)?);
        let committees = transaction.open_table(COMMITTEES)?;
        Ok(Snapshot { head, blocks, certificates, committees, state, places })
    }
}

fn found_or_check(transaction: &WriteTransaction, genesis: Beginning<'_>) -> Result<(), OpenError> {
    match format_of(transaction)? {
        None => Ok(found(transaction, genesis)?),
        Some(FORMAT) if stored_genesis(transaction)?.header == *genesis.header => Ok(()),
        Some(FORMAT) => Err(OpenError::HomeMismatch("its genesis or network")),
        Some(newer) if newer > FORMAT => Err(OpenError::TooNew { format: newer, known: FORMAT }),
        Some(_) => Err(OpenError::HomeMismatch("its format's version")),
    }
}

fn format_of(transaction: &WriteTransaction) -> Result<Option<u64>, StoreError> {
    let table = transaction.open_table(META)?;
    Ok(table.get(FORMAT_KEY)?.map(|value| value.value()))
}

fn found(
    transaction: &WriteTransaction,
    Beginning { header, writes, committee }: Beginning<'_>,
) -> Result<(), StoreError> {
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(CERTIFICATES)?;
    write_committee(transaction, committee)?;
    write_header(transaction, header)?;
    write_state(transaction, writes)
}

fn stored_genesis(transaction: &WriteTransaction) -> Result<Stored, StoreError> {
    let blocks = transaction.open_table(BLOCKS)?;
    let genesis = blocks.get(0)?.ok_or_else(|| StoreError::Corrupt("no genesis".into()))?;
    from_store(genesis.value())
}

/// Writes a block of which only the header is known.
fn write_header(transaction: &WriteTransaction, header: &BlockHeader) -> Result<(), StoreError> {
    let (transactions, outcomes) = (Vec::new(), Vec::new());
    let stored = Stored { header: header.clone(), transactions, outcomes };
    let height = header.height.0;
    transaction.open_table(BLOCKS)?.insert(height, stored.to_bytes().as_slice())?;
    Ok(())
}

fn write_block(transaction: &WriteTransaction, block: &Finalized) -> Result<(), StoreError> {
    let Finalized { header, executed, ids } = block;
    let stored = Stored {
        header: header.clone(),
        transactions: executed.transactions.iter().map(|bytes| bytes.to_vec()).collect(),
        outcomes: executed.outcomes.clone(),
    };
    let height = header.height.0;
    transaction.open_table(BLOCKS)?.insert(height, stored.to_bytes().as_slice())?;
    write_places(transaction, height, ids)?;
    if let Some(committee) = &executed.next_committee {
        write_committee(transaction, committee)?;
    }
    write_state(transaction, &executed.writes)
}

fn write_certificate(
    transaction: &WriteTransaction,
    height: Height,
    certificate: &Certificate,
) -> Result<(), StoreError> {
    let mut certificates = transaction.open_table(CERTIFICATES)?;
    certificates.insert(height.0, certificate.to_bytes().as_slice())?;
    Ok(())
}

fn write_committee(
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

fn write_state(transaction: &WriteTransaction, writes: &Writes) -> Result<(), StoreError> {
    let mut state = transaction.open_table(STATE)?;
    for (key, value) in writes {
        match value {
            Some(value) => state.insert(key.as_slice(), value.as_ref())?,
            None => state.remove(key.as_slice())?,
        };
    }
    Ok(())
}

/// One commit, unchanging.
pub(crate) struct Snapshot {
    head: Head,
    blocks: ReadOnlyTable<u64, &'static [u8]>,
    certificates: ReadOnlyTable<u64, &'static [u8]>,
    committees: ReadOnlyTable<u64, &'static [u8]>,
    state: ReadOnlyTable<&'static [u8], &'static [u8]>,
    places: ReadOnlyTable<&'static [u8; 32], (u64, u64)>,
}

/// Reads; the embedded store panics on some damaged pages, which is damage to us.
fn guarded<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let damaged = |_| Err(StoreError::Corrupt("a page cannot be read".into()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(damaged)
}

impl Snapshot {
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// What is stored of the block at a height.
    pub(crate) fn stored(&self, height: Height) -> Result<Option<Stored>, StoreError> {
        guarded(|| {
            let bytes = self.blocks.get(height.0)?;
            bytes.map(|bytes| from_store(bytes.value())).transpose()
        })
    }

    /// The final block at a height, nothing if it or the votes for it are not here.
    pub(crate) fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let Some(Stored { header, transactions, outcomes }) = self.stored(height)? else {
            return Ok(None);
        };
        let finality = self.finality(header)?;
        Ok(finality.map(|finality| Block { finality, transactions, outcomes }))
    }

    /// The committee of the newest epoch that is known.
    pub(crate) fn newest_committee(&self) -> Result<Option<Committee>, StoreError> {
        guarded(|| {
            let newest = self.committees.last()?;
            newest.map(|(_, bytes)| from_store(bytes.value())).transpose()
        })
    }

    /// The header at a height and what makes it final.
    pub(crate) fn final_header(&self, height: Height) -> Result<Option<FinalHeader>, StoreError> {
        self.stored(height)?.map_or(Ok(None), |stored| self.finality(stored.header))
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, StoreError> {
        guarded(|| {
            let bytes = self.certificates.get(height.0)?;
            bytes.map(|bytes| from_store(bytes.value())).transpose()
        })
    }

    /// The committee of an epoch, if it has begun or is about to.
    pub(crate) fn committee(&self, epoch: u64) -> Result<Option<Committee>, StoreError> {
        guarded(|| {
            let bytes = self.committees.get(epoch)?;
            bytes.map(|bytes| from_store(bytes.value())).transpose()
        })
    }

    /// The votes for a header or for the first header after it that was voted on.
    fn finality(&self, header: BlockHeader) -> Result<Option<FinalHeader>, StoreError> {
        let mut descendants = Vec::new();
        let mut height = header.height;
        if height == Height(0) {
            let votes = Vec::new();
            let certificate = Certificate { epoch: 0, view: 0, parent_view: 0, votes };
            return Ok(Some(FinalHeader { header, descendants, certificate }));
        }
        while descendants.len() <= DESCENDANTS_MAX {
            if let Some(certificate) = self.certificate(height)? {
                return Ok(Some(FinalHeader { header, descendants, certificate }));
            }
            height = height.after(1);
            let Some(next) = self.stored(height)? else { return Ok(None) };
            descendants.push(next.header);
        }
        Err(StoreError::Corrupt(format!("nobody voted for block {}", header.height)))
    }

    /// Where a transaction is final.
    pub(crate) fn place(&self, id: &Digest) -> Result<Option<(Height, u64)>, StoreError> {
        guarded(|| {
            let place = self.places.get(&id.0)?.map(|place| place.value());
            Ok(place.map(|(height, index)| (Height(height), index)))
        })
    }

    fn scan_unguarded(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let start = scan_start(prefix, after);
        let range = self.state.range::<&[u8]>((start, Bound::Unbounded))?;
        let mut entries = Vec::new();
        for entry in range.take(limit.min(SCAN_ENTRIES_MAX)) {
            let (key, value) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            entries.push((key.value().to_vec(), Bytes::copy_from_slice(value.value())));
        }
        Ok(entries)
    }
}

impl State for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        guarded(|| Ok(self.state.get(key)?.map(|value| Bytes::copy_from_slice(value.value()))))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        guarded(|| self.scan_unguarded(prefix, after, limit))
    }
}
