//! What a ledger holds of its past: the newest blocks, and where executing them begins.
//!
//! **Invariant**: it never changes, and every block from [`History::oldest`] up to the head is
//! in it.

use crate::block::Block;
use crate::database::Snapshot;
use crate::engine::Head;
use crate::error::StoreError;
use crate::settings::Rules;
use crate::state::{MemoryState, StateView};
use ambar_base::finality::FinalHeader;
use ambar_base::{Committee, Height};
use std::sync::Arc;

/// A ledger's blocks and state as of one commit.
#[derive(Clone)]
pub struct History(Arc<Snapshot>);

/// A final block and the state after it, on which later blocks are executed.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its header and what makes it final.
    pub block: FinalHeader,
    /// Who voted for it.
    pub voters: Committee,
    /// The committee of the next block's epoch.
    pub committee: Committee,
    /// The state after it.
    pub state: MemoryState,
}

impl History {
    /// What a snapshot holds.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> Head {
        self.0.head()
    }

    /// The lowest height from which on every block is here, whole; 0 if all blocks are.
    #[must_use]
    pub fn oldest(&self) -> Height {
        self.0.oldest()
    }

    /// The final block at a height, `None` above the head and below [`History::oldest`].
    pub fn block(&self, height: Height) -> Result<Option<Block>, StoreError> {
        self.0.block(height)
    }

    /// The state after the newest block.
    #[must_use]
    pub fn state(&self) -> StateView {
        StateView::new(self.head(), Arc::<Snapshot>::clone(&self.0))
    }

    /// Where executing the blocks begins; nothing if it is genesis. At
    /// [`History::oldest`] at the latest, but for a while after all blocks were kept: then what
    /// undoes the state is not known for as long.
    pub fn base(&self, rules: &Rules) -> Result<Option<Base>, StoreError> {
        let Some((block, state)) = self.0.base()? else { return Ok(None) };
        let next = rules.epochs().containing(block.header.height.after(1));
        let committee = |epoch| {
            let missing =
                || StoreError::Corrupt(format!("the committee of epoch {epoch} is missing"));
            self.0.committee(epoch)?.ok_or_else(missing)
        };
        let voters = committee(block.certificate.epoch)?;
        Ok(Some(Base { block, voters, committee: committee(next)?, state }))
    }
}
