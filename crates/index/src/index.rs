//! The index on disk: opening it, and taking in blocks in order.
//!
//! What a full disk refuses is kept in memory and read from there; the next block is taken
//! in once the disk has it.

use crate::begin::fill;
use crate::error::IndexError;
use crate::movements::genesis_entries;
use crate::tables::*;
use crate::take::Take;
use ambar_base::{AccountId, Encode, Height, Moment, NetworkId, codec};
use ambar_ledger::query::State;
use ambar_ledger::{Genesis, MemoryLedger};
use ambar_tables::Tables;
use redb::{ReadTransaction, StorageBackend, WriteTransaction};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The format of the tables.
const FORMAT: u64 = 2;
/// The format before, which did not know who holds royalty lines.
const FORMAT_WITHOUT_ROYALTIES: u64 = 1;
/// Blocks after which what was taken in is made durable: what a crash loses is taken in
/// again.
const DURABLE_BLOCKS: u64 = 64;
/// Memory for what is not durable yet, bytes; past it a block is made durable at once.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// The index's file in its directory.
pub const FILE_NAME: &str = "index.redb";

/// A final block, as the index sees it.
#[derive(Clone, Copy, Debug)]
pub struct BlockInput<'a> {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: Moment,
    /// Its transactions.
    pub transactions: &'a [Vec<u8>],
    /// The beginning's outcome, then each transaction's.
    pub outcomes: &'a [Vec<u8>],
}

/// The index.
pub struct Index {
    pub(crate) tables: Tables,
    /// The first block of which everything is known: 1 if it began at genesis.
    first: u64,
    next: AtomicU64,
}

/// Where an index is: the first block of which it knows everything, and the last it took in.
type Extent = (u64, u64);

impl Index {
    /// Opens the index in `directory`, which is created if it does not exist.
    ///
    /// # Errors
    /// [`IndexError::Mismatch`] if it is another network's or version's.
    pub fn open(
        directory: &Path,
        genesis: &Genesis,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        fs::create_dir_all(directory).map_err(redb::Error::Io)?;
        let file = directory.join(FILE_NAME);
        Ok(Self::of(Tables::open(&file, cache_bytes, |write| prepare(write, genesis))?))
    }

    /// Opens the index on another back end than a file.
    ///
    /// # Errors
    /// As [`Index::open`].
    pub fn open_on(
        backend: Box<dyn StorageBackend>,
        genesis: &Genesis,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        Ok(Self::of(Tables::open_on(backend, cache_bytes, |write| prepare(write, genesis))?))
    }

    /// Begins an index in `directory`, where none is, after a block of which only the state is
    /// known: what follows from the state is there, and movements are known from the next
    /// block on.
    ///
    /// # Errors
    /// [`IndexError::Mismatch`] if there is one that began elsewhere.
    pub fn begin(
        directory: &Path,
        genesis: &Genesis,
        ledger: &MemoryLedger,
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        fs::create_dir_all(directory).map_err(redb::Error::Io)?;
        let file = directory.join(FILE_NAME);
        let prepare = |write: &WriteTransaction| prepare_after(write, genesis, ledger);
        Ok(Self::of(Tables::open(&file, cache_bytes, prepare)?))
    }

    fn of((tables, (first, cursor)): (Tables, Extent)) -> Self {
        Self { tables, first, next: AtomicU64::new(cursor + 1) }
    }

    /// The first block whose movements and receipts are here; 1 if all are.
    #[must_use]
    pub fn first(&self) -> Height {
        Height(self.first)
    }

    /// Removes the index in `directory`, to be built again.
    pub fn remove(directory: &Path) -> Result<(), IndexError> {
        let file: PathBuf = directory.join(FILE_NAME);
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(redb::Error::Io(error).into())
            }
            _ => Ok(()),
        }
    }

    /// The last block taken in.
    #[must_use]
    pub fn cursor(&self) -> Height {
        Height(self.next.load(Ordering::Acquire) - 1)
    }

    /// Takes in the next block. `state` is the ledger's after this block or a later one,
    /// no later than the settlement window. A block that was taken in changes nothing.
    ///
    /// # Errors
    /// [`IndexError::FactsForgotten`] if `state` is too late: the index has to be removed
    /// and built from genesis with the state of each block. [`IndexError::DiskFull`] while
    /// the disk does not take what was taken in before: [`Index::cursor`] says how far that
    /// is.
    pub fn take(&self, block: BlockInput<'_>, state: &impl State) -> Result<(), IndexError> {
        let next = self.next.load(Ordering::Acquire);
        if block.height.0 < next {
            return Ok(());
        }
        if block.height.0 > next {
            return Err(IndexError::Order { given: block.height, next: Height(next) });
        }
        self.tables.write_later(|write| {
            Take::new(write, block, state)?.run()?;
            put_number(write, "cursor", next)
        })?;
        self.next.store(next + 1, Ordering::Release);
        let due = next.is_multiple_of(DURABLE_BLOCKS);
        if due || self.tables.waiting_bytes() > WAITING_BYTES_MAX { self.flush() } else { Ok(()) }
    }

    /// Adds to an index of the format before what that did not know. `state` is the ledger's
    /// after the last block taken in or a later one, of which all blocks in between follow.
    ///
    /// # Errors
    /// As [`Index::take`], while the disk takes nothing.
    pub fn upgrade(&self, state: &impl State) -> Result<(), IndexError> {
        self.tables.write_later(|write| {
            if number(write, "format")? != Some(FORMAT_WITHOUT_ROYALTIES) {
                return Ok(());
            }
            crate::royalties::fill(write, state)?;
            crate::offers::fill(write, state)?;
            put_number(write, "format", FORMAT)
        })
    }

    /// Makes everything durable.
    pub fn flush(&self) -> Result<(), IndexError> {
        Ok(self.tables.flush()?)
    }

    pub(crate) fn read(&self) -> Result<ReadTransaction, IndexError> {
        Ok(self.tables.begin_read()?)
    }
}

pub(crate) fn put_number(
    write: &WriteTransaction,
    name: &str,
    number: u64,
) -> Result<(), IndexError> {
    write.open_table(META)?.insert(name, number.to_bytes().as_slice())?;
    Ok(())
}

fn number(write: &WriteTransaction, name: &str) -> Result<Option<u64>, IndexError> {
    let table = write.open_table(META)?;
    let value = redb::ReadableTable::get(&table, name)?;
    let number = value.map(|value| codec::decode(value.value())).transpose();
    number.map_err(|error| IndexError::Store(error.to_string()))
}

/// Creates the tables of a new index, or checks whose an old one is.
fn prepare(write: &WriteTransaction, genesis: &Genesis) -> Result<Extent, IndexError> {
    if let Some(extent) = extent(write, genesis)? {
        return Ok(extent);
    }
    found(write, genesis, (1, 0))?;
    for allocation in &genesis.allocations {
        let id: AccountId = genesis.account(allocation.key);
        let row = crate::rows::AccountRow { first: allocation.key };
        write.open_table(ACCOUNTS)?.insert(key(&id, &[]).as_slice(), row.to_bytes().as_slice())?;
    }
    for (ordinal, (account, entry)) in (0..).zip(genesis_entries(genesis)) {
        let key = entry_key(&account, Height(0), ordinal);
        write.open_table(STATEMENTS)?.insert(key.as_slice(), entry.to_bytes().as_slice())?;
    }
    Ok((1, 0))
}

/// The same for an index that begins after a block.
fn prepare_after(
    write: &WriteTransaction,
    genesis: &Genesis,
    ledger: &MemoryLedger,
) -> Result<Extent, IndexError> {
    let begins = (ledger.height().0 + 1, ledger.height().0);
    match extent(write, genesis)? {
        Some(extent) if extent.0 == begins.0 => return Ok(extent),
        Some(_) => return Err(IndexError::Mismatch),
        None => {}
    }
    found(write, genesis, begins)?;
    fill(write, ledger)?;
    Ok(begins)
}

/// Where an index is that is there already.
fn extent(write: &WriteTransaction, genesis: &Genesis) -> Result<Option<Extent>, IndexError> {
    let Some(format) = number(write, "format")? else { return Ok(None) };
    let known = [FORMAT_WITHOUT_ROYALTIES, FORMAT].contains(&format);
    if !known || network_of(write)? != Some(genesis.network()) {
        return Err(IndexError::Mismatch);
    }
    // A table that came later is empty in an older index.
    create(write)?;
    let first = number(write, "first")?.unwrap_or(1);
    Ok(Some((first, number(write, "cursor")?.unwrap_or_default())))
}

fn found(
    write: &WriteTransaction,
    genesis: &Genesis,
    (first, cursor): Extent,
) -> Result<(), IndexError> {
    create(write)?;
    put_number(write, "format", FORMAT)?;
    put_number(write, "first", first)?;
    put_number(write, "cursor", cursor)?;
    write.open_table(META)?.insert("network", genesis.network().to_bytes().as_slice())?;
    Ok(())
}

fn network_of(write: &WriteTransaction) -> Result<Option<NetworkId>, IndexError> {
    let table = write.open_table(META)?;
    let value = redb::ReadableTable::get(&table, "network")?;
    let network = value.map(|value| codec::decode(value.value())).transpose();
    network.map_err(|error| IndexError::Store(error.to_string()))
}

fn create(write: &WriteTransaction) -> Result<(), IndexError> {
    write.open_table(STATEMENTS)?;
    write.open_table(ACCOUNTS)?;
    write.open_table(RECEIPTS)?;
    write.open_table(PAID)?;
    write.open_table(BATCHES)?;
    write.open_table(CATALOGUE)?;
    write.open_table(VERSIONS)?;
    write.open_table(HEADS)?;
    write.open_table(NAMES)?;
    write.open_table(LINE_NAMES)?;
    write.open_table(CHANNELS)?;
    write.open_table(CLOSINGS)?;
    write.open_table(OWN_CHANNELS)?;
    write.open_table(OWN_GRANTS)?;
    write.open_table(OWN_ROYALTIES)?;
    write.open_table(DISPUTES)?;
    write.open_table(OFFERS)?;
    write.open_table(LINE_OFFERS)?;
    write.open_table(OFFERS_TO)?;
    Ok(())
}
