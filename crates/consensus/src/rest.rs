//! A ledger whose engine does not run: its final blocks, read from the view or put into it.
//!
//! Blocks that somebody kept are executed again here, one after another, until the view is
//! as they say. It deliberately knows neither where they come from nor the engine's own
//! blocks, votes and authenticated state, which only the engine makes.
//!
//! **Invariant**: a block is stored only if executing it on the stored state gives its
//! header, and its committee made it final.

use crate::block::{Block, genesis_writes};
use crate::database::{Database, Finalized};
use crate::error::{OpenError, StoreError};
use crate::listing::Listing;
use crate::replay::{Origin, Parent, ReplayError, execute_next};
use crate::settings::Rules;
use crate::state::State;
use ambar_base::Height;
use ambar_base::finality::DESCENDANTS_MAX;
use bytes::Bytes;
use std::fs;
use std::path::Path;

/// Blocks between two moments at which what was restored becomes durable.
const FLUSH_BLOCKS: u64 = 1_024;

/// A ledger that nobody runs.
pub struct AtRest {
    database: Database,
    /// The newest block in it.
    stored: Height,
    unflushed: u64,
    /// The index of the stored state, once a block was executed on it.
    listing: Option<Listing>,
}

impl AtRest {
    /// Opens the ledger in `dir`, which is created if it does not exist.
    ///
    /// # Errors
    /// [`OpenError::HomeInUse`] if a process has it open, [`OpenError::HomeMismatch`] if
    /// its network or genesis is another.
    pub fn open(
        dir: &Path,
        rules: &Rules,
        genesis: Vec<(Vec<u8>, Vec<u8>)>,
        cache_bytes: usize,
    ) -> Result<Self, OpenError> {
        fs::create_dir_all(dir)?;
        let database = Database::open_in(dir, rules, &genesis_writes(genesis), cache_bytes)?;
        let stored = database.snapshot()?.head().height;
        Ok(Self { database, stored, unflushed: 0, listing: None })
    }

    /// The newest block that is stored. The votes for it may have come with a later one.
    #[must_use]
    pub fn stored(&self) -> Height {
        self.stored
    }

    /// The newest block that is stored with its votes.
    pub fn height(&self) -> Result<Height, StoreError> {
        let snapshot = self.database.snapshot()?;
        let lowest = self.stored.0.saturating_sub(DESCENDANTS_MAX as u64 + 1);
        for height in (lowest..=self.stored.0).rev() {
            if snapshot.final_header(Height(height))?.is_some() {
                return Ok(Height(height));
            }
        }
        Err(StoreError::Corrupt(format!("nobody voted for block {}", self.stored)))
    }

    /// The lowest height from which on every block is stored, whole; 0 if all are.
    pub fn oldest(&self) -> Result<Height, StoreError> {
        Ok(self.database.snapshot()?.oldest())
    }

    /// The final block at a height, nothing if it or its votes are not stored.
    pub fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        self.database.snapshot()?.block(height)
    }

    /// The value of a key after the newest stored block.
    pub fn value(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.database.snapshot()?.get(key)
    }

    /// Checks the block above [`Self::stored`] in every respect, and stores it.
    pub fn append(&mut self, origin: &Origin<'_>, block: &Block) -> Result<(), ReplayError> {
        let snapshot = self.database.snapshot()?;
        let known = |id: &_| Ok(snapshot.place(id)?.is_some());
        let epoch = origin.rules.epochs().containing(self.stored.after(1));
        let missing = || StoreError::Corrupt(format!("the committee of epoch {epoch} is missing"));
        let committee = &snapshot.committee(epoch)?.ok_or_else(missing)?;
        let mut listing = match self.listing.take() {
            Some(listing) => listing,
            None => Listing::of(origin.machine.lists(), &snapshot)?,
        };
        let (head, state) = (snapshot.head(), &snapshot);
        let parent = Parent { head, state, listing: &listing, committee };
        let (executed, ids) = execute_next(origin, &parent, block, known)?;
        let finality = &block.finality;
        let own = finality.descendants.is_empty().then_some(&finality.certificate);
        let header = finality.header.clone();
        let height = header.height;
        let finalized = Finalized { header, executed, ids };
        self.database.commit(&finalized, own, None)?;
        listing.follow(&finalized.executed.writes);
        self.listing = Some(listing);
        self.stored = height;
        self.unflushed += 1;
        if self.unflushed >= FLUSH_BLOCKS { Ok(self.flush()?) } else { Ok(()) }
    }

    /// Makes everything durable that was stored.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.unflushed = 0;
        self.database.flush()
    }
}
