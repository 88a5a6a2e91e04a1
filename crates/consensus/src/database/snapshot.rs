//! Reading the view as of one commit.
//!
//! **Invariant**: a snapshot never changes, whatever is committed or pruned meanwhile.

use super::{
    BASE_KEY, BEGAN_KEY, BLOCKS, CERTIFICATES, COMMITTEES, ENDS, META, PLACES, STATE, UNDO,
};
use crate::block::{Block, Stored, Undo, from_store, header_from_store};
use crate::engine::Head;
use crate::error::StoreError;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::state::{Entry, MemoryState, State, scan_start};
use ambar_base::finality::{BlockHeader, Certificate, DESCENDANTS_MAX, FinalHeader};
use ambar_base::{Committee, Decode, Digest, Height};
use bytes::Bytes;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Rows = ReadOnlyTable<u64, &'static [u8]>;

/// One commit, unchanging.
pub struct Snapshot {
    head: Head,
    /// The block of which only header and votes are here; 0 if all blocks are.
    base: Height,
    /// The block with which the view began.
    began: Height,
    blocks: Rows,
    certificates: Rows,
    committees: Rows,
    ends: Rows,
    undo: Rows,
    state: ReadOnlyTable<&'static [u8], &'static [u8]>,
    places: ReadOnlyTable<&'static [u8; 32], (u64, u64)>,
}

/// Reads; the embedded store panics on some damaged pages, which is damage to us.
fn guarded<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let damaged = |_| Err(StoreError::Corrupt("a page cannot be read".into()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(damaged)
}

fn row<T: Decode>(rows: &Rows, key: u64) -> Result<Option<T>, StoreError> {
    guarded(|| {
        let bytes = rows.get(key)?;
        bytes.map(|bytes| from_store(bytes.value())).transpose()
    })
}

impl Snapshot {
    pub(super) fn of(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        guarded(|| Self::open(transaction))
    }

    fn open(transaction: &ReadTransaction) -> Result<Self, StoreError> {
        let blocks = transaction.open_table(BLOCKS)?;
        let head = {
            let last = blocks.last()?.ok_or_else(|| StoreError::Corrupt("no blocks".into()))?;
            Head::from(&header_from_store(last.1.value())?)
        };
        let meta = transaction.open_table(META)?;
        let number =
            |key: &str| Ok::<_, StoreError>(meta.get(key)?.map_or(0, |value| value.value()));
        Ok(Self {
            head,
            base: Height(number(BASE_KEY)?),
            began: Height(number(BEGAN_KEY)?),
            blocks,
            certificates: transaction.open_table(CERTIFICATES)?,
            committees: transaction.open_table(COMMITTEES)?,
            ends: transaction.open_table(ENDS)?,
            undo: transaction.open_table(UNDO)?,
            state: transaction.open_table(STATE)?,
            places: transaction.open_table(PLACES)?,
        })
    }

    /// The newest block.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The lowest height from which on every block is here, whole.
    pub fn oldest(&self) -> Height {
        if self.base == Height(0) { self.base } else { self.base.after(1) }
    }

    /// What is stored of the block at a height, if its body is.
    pub(crate) fn stored(&self, height: Height) -> Result<Option<Stored>, StoreError> {
        if height < self.oldest() { Ok(None) } else { row(&self.blocks, height.0) }
    }

    /// The header at a height.
    pub fn header(&self, height: Height) -> Result<Option<BlockHeader>, StoreError> {
        guarded(|| {
            let bytes = self.blocks.get(height.0)?;
            bytes.map(|bytes| header_from_store(bytes.value())).transpose()
        })
    }

    /// The last block of an epoch, once it is final.
    pub fn end(&self, epoch: u64) -> Result<Option<FinalHeader>, StoreError> {
        row(&self.ends, epoch)
    }

    /// The last header of an epoch, which is at `height`, even before the votes for it come;
    /// nothing if the view began later.
    pub fn last_header(
        &self,
        epoch: u64,
        height: Height,
    ) -> Result<Option<BlockHeader>, StoreError> {
        if height < self.began {
            return Ok(None);
        }
        let here = self.header(height)?;
        Ok(if here.is_some() { here } else { self.end(epoch)?.map(|end| end.header) })
    }

    /// The lowest block above genesis after which the state can be told; nothing if all
    /// blocks are here, from genesis. While the newest block waits for votes, which readers
    /// do not see, there may be none that is final.
    pub fn base(&self) -> Result<Option<(FinalHeader, MemoryState)>, StoreError> {
        if self.base == Height(0) {
            return Ok(None);
        }
        let first = guarded(|| Ok(self.undo.first()?.map(|(height, _)| height.value())))?;
        let height = first.map_or(self.head.height, |first| Height(first - 1));
        let missing = || StoreError::Corrupt(format!("the votes for block {height} are missing"));
        let block = self.final_header(height)?.ok_or_else(missing)?;
        Ok(Some((block, self.state_after(height)?)))
    }

    /// The state after a block: that of now, undone block by block.
    fn state_after(&self, height: Height) -> Result<MemoryState, StoreError> {
        let mut state = MemoryState::default();
        guarded(|| {
            for entry in self.state.iter()? {
                let (key, value) = entry?;
                state.write(key.value().to_vec(), Some(Bytes::copy_from_slice(value.value())));
            }
            for height in (height.0 + 1..=self.head.height.0).rev() {
                let missing = || StoreError::Corrupt(format!("block {height} cannot be undone"));
                let undo = self.undo.get(height)?.ok_or_else(missing)?;
                for (key, value) in from_store::<Undo>(undo.value())? {
                    state.write(key, value.map(Bytes::from));
                }
            }
            Ok(state)
        })
    }

    /// The final block at a height, nothing if it or the votes for it are not here.
    pub fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        let Some(Stored { header, transactions, outcomes, .. }) = self.stored(height)? else {
            return Ok(None);
        };
        let finality = self.finality(header)?;
        Ok(finality.map(|finality| Block { finality, transactions, outcomes }))
    }

    /// The committee of the newest epoch that is known.
    pub fn newest_committee(&self) -> Result<Option<Committee>, StoreError> {
        guarded(|| {
            let newest = self.committees.last()?;
            newest.map(|(_, bytes)| from_store(bytes.value())).transpose()
        })
    }

    /// The header at a height and what makes it final.
    pub fn final_header(&self, height: Height) -> Result<Option<FinalHeader>, StoreError> {
        self.header(height)?.map_or(Ok(None), |header| self.finality(header))
    }

    /// The committee of an epoch, if it has begun or is about to.
    pub fn committee(&self, epoch: u64) -> Result<Option<Committee>, StoreError> {
        row(&self.committees, epoch)
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
            if let Some(certificate) = row(&self.certificates, height.0)? {
                return Ok(Some(FinalHeader { header, descendants, certificate }));
            }
            height = height.after(1);
            let Some(next) = self.header(height)? else { return Ok(None) };
            descendants.push(next);
        }
        Err(StoreError::Corrupt(format!("nobody voted for block {}", header.height)))
    }

    /// Where a transaction is final.
    pub fn place(&self, id: &Digest) -> Result<Option<(Height, u64)>, StoreError> {
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
