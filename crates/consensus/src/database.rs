//! The ledger's view: final blocks, their votes, where transactions are, and the state as of
//! the newest block, in an embedded store (redb: copy-on-write B-trees, one writer,
//! unchanging snapshots).
//!
//! The view is what people and the gateway read. It follows the engine, which has its own
//! durable blocks and authenticated state; what a crash takes from the view is executed
//! again from the engine's blocks.
//!
//! Of blocks below its *base* nothing is kept but how each epoch gave way to the next, and
//! genesis; of the base, its header and votes. What a block overwrote is kept beside it until
//! it is pruned, so that the state after the base can be told and the blocks above it can be
//! executed again.
//!
//! **Invariant**: header, transactions, outcomes, ids, writes and votes of a block are stored
//! by one transaction, or none of them is. All blocks above the base are here, whole.

mod prune;
mod snapshot;
mod write;

pub use snapshot::Snapshot;

use crate::block::{Stored, Writes, from_store};
use crate::draft::{self, Executed};
use crate::error::{OpenError, StoreError};
use crate::settings::Rules;
use crate::state::Entry;
use ambar_base::finality::{BlockHeader, Certificate, Handover};
use ambar_base::{Committee, Digest};
use ambar_tables::Tables;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use write::{certify, write_block, write_committee, write_end, write_header, write_state};

const BLOCKS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("blocks");
/// The votes of blocks that were voted final themselves, not through a later one.
const CERTIFICATES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("certificates");
const STATE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("state");
/// A transaction's id → height and place among the outcomes.
const PLACES: TableDefinition<'static, &[u8; 32], (u64, u64)> = TableDefinition::new("places");
/// The committee of each epoch that has begun or is about to.
const COMMITTEES: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("committees");
/// The last block of each epoch and what makes it final, as soon as it is.
const ENDS: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("ends");
/// What a block overwrote: without a gap from some height up to the newest block.
const UNDO: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("undo");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

const FORMAT_KEY: &str = "format";
/// The block of which only header and votes are kept; 0 if all blocks are here.
const BASE_KEY: &str = "base";
/// The block with whose state, fetched from peers, the view began; 0 if it was genesis.
const BEGAN_KEY: &str = "began";
/// The version of these tables and of what is in them.
const FORMAT: u64 = 7;

/// The view's file in a ledger's directory.
pub const VIEW: &str = "view.redb";

/// The open store.
pub struct Database {
    tables: Tables,
}

/// What a view begins with.
#[derive(Clone, Copy)]
pub struct Beginning<'a> {
    /// Genesis.
    pub header: &'a BlockHeader,
    /// The state at height 0.
    pub writes: &'a Writes,
    /// The committee of epoch 0.
    pub committee: &'a Committee,
}

/// An executed block on its way into the view.
#[derive(Clone, Debug)]
pub struct Finalized {
    /// Its header.
    pub header: BlockHeader,
    /// What executing it gave.
    pub executed: Executed,
    /// Its transactions' ids, in order.
    pub ids: Vec<Digest>,
}

impl Database {
    /// Opens the view of the ledger in `dir`, whose state at height 0 is `writes`.
    pub fn open_in(
        dir: &Path,
        rules: &Rules,
        writes: &Writes,
        cache_bytes: usize,
    ) -> Result<Self, OpenError> {
        let header = draft::genesis(rules, writes);
        let genesis = Beginning { header: &header, writes, committee: &rules.genesis.committee };
        let open = || Self::open(&dir.join(VIEW), cache_bytes, genesis);
        // The embedded store panics on some damaged files: that is damage, not our fault.
        let damaged = |_| Err(StoreError::Corrupt("the view cannot be opened".into()).into());
        catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(damaged)
    }

    /// Opens the store in `file`, writes genesis into an empty one, and checks that another
    /// holds this genesis.
    pub fn open(
        file: &Path,
        cache_bytes: usize,
        genesis: Beginning<'_>,
    ) -> Result<Self, OpenError> {
        let prepare = |transaction: &WriteTransaction| found_or_check(transaction, genesis);
        let (tables, ()) = Tables::open(file, cache_bytes, prepare)?;
        Ok(Self { tables })
    }

    /// Opens the store on another back end than a file.
    pub fn open_on(
        backend: Box<dyn redb::StorageBackend>,
        cache_bytes: usize,
        genesis: Beginning<'_>,
    ) -> Result<Self, OpenError> {
        let prepare = |transaction: &WriteTransaction| found_or_check(transaction, genesis);
        let (tables, ()) = Tables::open_on(backend, cache_bytes, prepare)?;
        Ok(Self { tables })
    }

    /// Stores the next block, and the votes for it if it was voted final itself, and prunes
    /// what is older than the newest `kept` blocks, if that is a number. It is readable at once
    /// and durable by the next [`Self::flush`]. An epoch's last block needs votes of its own:
    /// it shows who may vote for what comes after it.
    pub fn commit(
        &self,
        block: &Finalized,
        certificate: Option<&Certificate>,
        kept: Option<u64>,
    ) -> Result<(), StoreError> {
        let Finalized { header, executed, .. } = block;
        if executed.next_committee.is_some() && certificate.is_none() {
            let height = header.height;
            return Err(StoreError::Corrupt(format!("the votes for block {height} are missing")));
        }
        self.tables.write_later(|transaction| {
            let base = base_of(transaction)?;
            // Who has all blocks executes them from genesis.
            let undone = kept.is_some() || base > 0;
            write_block(transaction, block, undone)?;
            if let Some(votes) = certificate {
                certify(transaction, header, votes)?;
            }
            match kept {
                Some(kept) => prune::prune(transaction, base, header.height, kept),
                None => Ok(()),
            }
        })
    }

    /// Makes every commit so far durable.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(self.tables.flush()?)
    }

    /// Replaces the whole state by that after the block `header`, whose body and past are not
    /// there: how a view begins whose engine fetched its state from peers. Blocks of before
    /// would not lead to it, so they go.
    pub fn replace(
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
            prune::forget_all(transaction)?;
            let mut meta = transaction.open_table(META)?;
            meta.insert(BASE_KEY, header.height.0)?;
            meta.insert(BEGAN_KEY, header.height.0)?;
            drop(meta);
            write_header(transaction, header)?;
            certify(transaction, header, certificate)
        })
    }

    /// Remembers committees.
    pub fn learn(&self, committees: &[Committee]) -> Result<(), StoreError> {
        self.tables.write(|transaction| {
            committees.iter().try_for_each(|committee| write_committee(transaction, committee))
        })
    }

    /// Remembers how committees gave way to one another, as others showed it.
    pub fn learn_handovers(&self, handovers: &[Handover]) -> Result<(), StoreError> {
        self.tables.write(|transaction| {
            handovers.iter().try_for_each(|Handover { last, next }| {
                write_end(transaction, last)?;
                write_committee(transaction, next)
            })
        })
    }

    /// The newest commit, unchanging.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Snapshot::of(&self.tables.begin_read()?)
    }
}

fn found_or_check(transaction: &WriteTransaction, genesis: Beginning<'_>) -> Result<(), OpenError> {
    match format_of(transaction)? {
        None => Ok(found(transaction, genesis)?),
        Some(FORMAT) if stored_genesis(transaction)? == *genesis.header => Ok(()),
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
    transaction.open_table(ENDS)?;
    transaction.open_table(UNDO)?;
    write_committee(transaction, committee)?;
    write_header(transaction, header)?;
    write_state(transaction, writes).map(drop)
}

/// The block of which only header and votes are kept.
fn base_of(transaction: &WriteTransaction) -> Result<u64, StoreError> {
    let table = transaction.open_table(META)?;
    Ok(table.get(BASE_KEY)?.map_or(0, |value| value.value()))
}

fn stored_genesis(transaction: &WriteTransaction) -> Result<BlockHeader, StoreError> {
    let blocks = transaction.open_table(BLOCKS)?;
    let genesis = blocks.get(0)?.ok_or_else(|| StoreError::Corrupt("no genesis".into()))?;
    Ok(from_store::<Stored>(genesis.value())?.header)
}

#[cfg(test)]
mod tests;
