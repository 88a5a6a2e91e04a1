//! The ledger's tables in the embedded store (redb: copy-on-write B-trees, one writer,
//! unchanging snapshots).
//!
//! **Invariant**: header, transactions, outcomes, ids and writes of a block are stored by
//! one transaction, or none of them is.

use crate::backend::{Deferred, Handle};
use crate::block::{Block, Writes};
use crate::draft::{self, committee_of_one};
use crate::engine::Head;
use crate::error::{OpenError, StoreError};
use crate::limits::SCAN_ENTRIES_MAX;
use crate::settings::Settings;
use crate::state::{Entry, State, scan_start};
use ambar_base::{Checkpoint, Digest, Encode, Height};
use bytes::Bytes;
use redb::{
    Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const BLOCKS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("blocks");
const STATE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("state");
/// A transaction's id → height and place among the outcomes.
const PLACES: TableDefinition<'static, &[u8; 32], (u64, u64)> = TableDefinition::new("places");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

const FORMAT_KEY: &str = "format";
/// The version of these tables and of what is in them.
const FORMAT: u64 = 2;

/// The open store.
pub(crate) struct Database {
    redb: redb::Database,
    backend: Arc<Deferred>,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Durable {
    /// It is on the disk.
    Yes,
    /// The disk did not take it; [`Database::flush`] tries again.
    NotYet(StoreError),
}

impl Database {
    /// Opens the store on `backend`, writes genesis into an empty one, and checks that
    /// another holds this genesis under this key.
    pub(crate) fn open(
        backend: Box<dyn StorageBackend>,
        settings: &Settings,
        genesis: Writes,
    ) -> Result<Self, OpenError> {
        let backend = Arc::new(Deferred::new(backend)?);
        let mut builder = redb::Builder::new();
        builder.set_cache_size(settings.cache_bytes);
        let redb = builder.create_with_backend(Handle(Arc::clone(&backend)))?;
        let database = Self { redb, backend };
        database.found_or_check(settings, genesis)?;
        database.backend.defer_failures();
        Ok(database)
    }

    fn found_or_check(&self, settings: &Settings, genesis: Writes) -> Result<(), OpenError> {
        let (block, writes) =
            draft::genesis(settings.network, settings.key.public(), genesis).sign(&settings.key);
        if self.format()?.is_none() {
            self.write(&block, &writes, &[])?;
            return Ok(());
        }
        if self.format()? != Some(FORMAT) {
            return Err(OpenError::HomeMismatch("its format's version"));
        }
        let snapshot = self.snapshot()?;
        // Signatures are deterministic: this compares genesis, network and key at once.
        if snapshot.block(Height(0))?.as_ref() != Some(&block) {
            return Err(OpenError::HomeMismatch("its genesis, network or key"));
        }
        let head = snapshot.block(snapshot.head.height)?;
        let (network, committee) = (settings.network, committee_of_one(&settings.key));
        let trusted = Checkpoint { network, committee };
        let signed = head.filter(Block::body_agrees).map(|block| block.finality);
        if signed.is_none_or(|signed| signed.verify(&trusted).is_err()) {
            return Err(StoreError::Corrupt("the last block does not verify".into()).into());
        }
        Ok(())
    }

    fn format(&self) -> Result<Option<u64>, StoreError> {
        let transaction = self.redb.begin_read()?;
        match transaction.open_table(META) {
            Ok(table) => Ok(table.get(FORMAT_KEY)?.map(|value| value.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores a block. `ids` are its transactions', in order. An error means that the
    /// store itself is broken; a disk that refuses is [`Durable::NotYet`].
    pub(crate) fn commit(
        &self,
        block: &Block,
        writes: &Writes,
        ids: &[Digest],
    ) -> Result<Durable, StoreError> {
        self.write(block, writes, ids)?;
        Ok(self.backend.failure().map_or(Durable::Yes, Durable::NotYet))
    }

    fn write(&self, block: &Block, writes: &Writes, ids: &[Digest]) -> Result<(), StoreError> {
        let mut transaction = self.redb.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let height = block.finality.header.height.0;
        if height == 0 {
            transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
        }
        transaction.open_table(BLOCKS)?.insert(height, block.to_bytes().as_slice())?;
        write_places(&transaction, height, ids)?;
        write_state(&transaction, writes)?;
        Ok(transaction.commit()?)
    }

    /// Tries again to make the last commit durable.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        Ok(self.backend.flush()?)
    }

    /// The newest commit, unchanging.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = self.redb.begin_read()?;
        let blocks = transaction.open_table(BLOCKS)?;
        let head = {
            let last = blocks.last()?.ok_or_else(|| StoreError::Corrupt("no blocks".into()))?;
            Head::from(&Block::from_store(last.1.value())?.finality.header)
        };
        let (state, places) = (transaction.open_table(STATE)?, transaction.open_table(PLACES)?);
        Ok(Snapshot { head, blocks, state, places })
    }
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

    pub(crate) fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        guarded(|| {
            let bytes = self.blocks.get(height.0)?;
            bytes.map(|bytes| Block::from_store(bytes.value())).transpose()
        })
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
