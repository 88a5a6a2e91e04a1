//! The statements of several accounts as one, in the order in which their rows were made.
//!
//! **Invariant**: page after page, each row of each account stands in it once.

use crate::error::IndexError;
use crate::index::Index;
use crate::queries::{ROWS_MAX, beyond, placed};
use crate::rows::Placed;
use crate::tables::{STATEMENTS, entry_key, key};
use ambar_base::AccountId;
use ambar_base::Height;
use std::collections::BTreeMap;

/// Where a row of a consolidated statement stands: height, number within the block, and the
/// account's place in the list that was asked for. Where an index begins, several accounts
/// have a row of the same number.
pub type Place = (Height, u32, usize);

impl Index {
    /// The entries of these accounts after a place, oldest first, each with its account's
    /// place in the list. A list that only grows at its end keeps places good.
    pub fn statements(
        &self,
        accounts: &[AccountId],
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<(usize, Placed)>, IndexError> {
        let table = self.read()?.open_table(STATEMENTS)?;
        let mut ranges = Vec::with_capacity(accounts.len());
        // The first row that is left of each account, by where it stands.
        let mut next: BTreeMap<Place, Placed> = BTreeMap::new();
        for (at, account) in accounts.iter().enumerate() {
            let start = match after {
                None => key(account, &[]),
                Some((height, ordinal, last)) => {
                    let mut start = entry_key(account, height, ordinal);
                    // Longer than the key itself, so it lies just behind.
                    start.extend((at <= last).then_some(0));
                    start
                }
            };
            let mut rows = table.range(start.as_slice()..beyond(account).as_slice())?;
            if let Some(row) = rows.next() {
                let row = placed(row?)?;
                next.insert((row.height, row.ordinal, at), row);
            }
            ranges.push(rows);
        }
        let mut merged = Vec::new();
        while merged.len() < limit.min(ROWS_MAX) {
            let Some(((.., at), row)) = next.pop_first() else { break };
            merged.push((at, row));
            if let Some(row) = ranges[at].next() {
                let row = placed(row?)?;
                next.insert((row.height, row.ordinal, at), row);
            }
        }
        Ok(merged)
    }
}
