//! What a validator holds when a run is over.

use ambar_base::Height;
use ambar_consensus::block::Block;
use ambar_consensus::core::Core;
use ambar_consensus::engine::Head;
use ambar_consensus::error::StoreError;
use ambar_consensus::limits::SCAN_ENTRIES_MAX;
use ambar_consensus::state::{Entry, State as _};

/// What a validator holds.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Which member it is.
    pub member: usize,
    /// Its newest final block.
    pub head: Head,
    /// Its final blocks with their votes, from genesis on.
    pub blocks: Vec<Block>,
    /// Its state after the newest of them, in ascending order of keys.
    pub state: Vec<Entry>,
}

impl Witness {
    /// Reads it from a validator's view.
    pub(super) fn of(member: usize, core: &Core) -> Result<Self, StoreError> {
        let snapshot = core.snapshot()?;
        let head = snapshot.head();
        let block = |height| {
            let missing = || StoreError::Corrupt(format!("block {height} is missing"));
            snapshot.block(Height(height))?.ok_or_else(missing)
        };
        let blocks = (0..=head.height.0).map(block).collect::<Result<_, StoreError>>()?;
        let mut state: Vec<Entry> = Vec::new();
        loop {
            let after = state.last().map(|(key, _)| key.clone());
            let more = snapshot.scan(b"", after.as_deref(), SCAN_ENTRIES_MAX)?;
            if more.is_empty() {
                return Ok(Self { member, head, blocks, state });
            }
            state.extend(more);
        }
    }
}
