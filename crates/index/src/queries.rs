//! What can be asked. Every answer is bounded: pages have at most [`ROWS_MAX`] rows.

use crate::error::IndexError;
use crate::index::Index;
use crate::rows::{AccountRow, BatchRow, CatalogueRow, Placed, ReceiptEntry};
use crate::search::{Hit, query_words, score};
use crate::tables::*;
use ambar_base::{AccountId, Decode, Height, PublicKey, codec};
use redb::{AccessGuard, ReadOnlyTable, ReadableTable, TableDefinition};
use std::cmp::Reverse;

/// Most rows of one answer.
pub const ROWS_MAX: usize = 1_000;
/// Most version lines that a search looks at.
pub const SEARCH_LINES_MAX: usize = 100_000;
/// Most names of one line that are told.
const NAMES_MAX: usize = 64;

fn object<T: Decode>(bytes: &[u8]) -> Result<T, IndexError> {
    codec::decode(bytes).map_err(|error| IndexError::Store(error.to_string()))
}

/// A row of a statement.
pub(crate) fn placed(
    (key, value): (AccessGuard<'_, Bytes>, AccessGuard<'_, Bytes>),
) -> Result<Placed, IndexError> {
    let height = Height(number_at(key.value(), 32));
    let ordinal = key.value().get(40..44).and_then(|bytes| bytes.try_into().ok());
    let ordinal = ordinal.map_or(0, u32::from_be_bytes);
    Ok(Placed { height, ordinal, entry: object(value.value())? })
}

pub(crate) fn beyond(account: &AccountId) -> Vec<u8> {
    [account.0.0.as_slice(), &[0xff; 32]].concat()
}

impl Index {
    /// An account's entries after a place, oldest first.
    pub fn statement(
        &self,
        account: &AccountId,
        after: Option<(Height, u32)>,
        limit: usize,
    ) -> Result<Vec<Placed>, IndexError> {
        let table = self.read()?.open_table(STATEMENTS)?;
        let start = match after {
            None => key(account, &[]),
            // Longer than the key itself, so it lies just behind.
            Some((height, ordinal)) => [entry_key(account, height, ordinal), vec![0]].concat(),
        };
        let rows = table.range(start.as_slice()..beyond(account).as_slice())?;
        rows.take(limit.min(ROWS_MAX)).map(|row| placed(row?)).collect()
    }

    /// The first key of an account.
    pub fn first_key(&self, account: &AccountId) -> Result<Option<PublicKey>, IndexError> {
        let table = self.read()?.open_table(ACCOUNTS)?;
        let value = table.get(key(account, &[]).as_slice())?;
        let row: Option<AccountRow> = value.map(|value| object(value.value())).transpose()?;
        Ok(row.map(|row| row.first))
    }

    /// A settled call by channel and sequence number.
    pub fn receipt(&self, channel: u64, n: u64) -> Result<Option<ReceiptEntry>, IndexError> {
        let value = self.read()?.open_table(RECEIPTS)?.get((channel, n))?;
        value.map(|value| object(value.value())).transpose()
    }

    /// The settled calls of a channel, newest first.
    pub fn receipts_of_channel(
        &self,
        channel: u64,
        limit: usize,
    ) -> Result<Vec<ReceiptEntry>, IndexError> {
        let table = self.read()?.open_table(RECEIPTS)?;
        let rows = table.range((channel, 0)..=(channel, u64::MAX))?.rev();
        rows.take(limit.min(ROWS_MAX)).map(|row| object(row?.1.value())).collect()
    }

    /// The settled calls that an account paid, newest first.
    pub fn receipts_of_account(
        &self,
        account: &AccountId,
        limit: usize,
    ) -> Result<Vec<ReceiptEntry>, IndexError> {
        let read = self.read()?;
        let (paid, receipts) = (read.open_table(PAID)?, read.open_table(RECEIPTS)?);
        let range = paid.range(key(account, &[]).as_slice()..beyond(account).as_slice())?;
        let mut found = Vec::new();
        for row in range.rev().take(limit.min(ROWS_MAX)) {
            let (key, _) = row?;
            let id = (number_at(key.value(), 40), number_at(key.value(), 48));
            if let Some(value) = receipts.get(id)? {
                found.push(object(value.value())?);
            }
        }
        Ok(found)
    }

    /// Settled calls after an id, in the order of ids.
    pub fn receipts_after(
        &self,
        after: Option<(u64, u64)>,
        limit: usize,
    ) -> Result<Vec<ReceiptEntry>, IndexError> {
        let table = self.read()?.open_table(RECEIPTS)?;
        let start = after.map_or((0, 0), |(channel, n)| (channel, n.saturating_add(1)));
        let rows = table.range(start..)?;
        rows.take(limit.min(ROWS_MAX)).map(|row| object(row?.1.value())).collect()
    }

    /// Where a batch settled.
    pub fn batch(&self, gateway: u64, number: u64) -> Result<Option<BatchRow>, IndexError> {
        let value = self.read()?.open_table(BATCHES)?.get((gateway, number))?;
        value.map(|value| object(value.value())).transpose()
    }

    /// A version by number.
    pub fn version(&self, number: u64) -> Result<Option<CatalogueRow>, IndexError> {
        let read = self.read()?;
        let sequence = read.open_table(VERSIONS)?.get(number)?.map(|value| value.value());
        let Some(sequence) = sequence else { return Ok(None) };
        let value = read.open_table(CATALOGUE)?.get(sequence)?;
        value.map(|value| object(value.value())).transpose()
    }

    /// Names registered for a line.
    pub fn names(&self, line: u64) -> Result<Vec<String>, IndexError> {
        names(&self.read()?.open_table(LINE_NAMES)?, line)
    }

    /// Published versions after a place in the feed, oldest first.
    pub fn changes(&self, since: u64, limit: usize) -> Result<Vec<CatalogueRow>, IndexError> {
        let table = self.read()?.open_table(CATALOGUE)?;
        let rows = table.range(since.saturating_add(1)..)?;
        rows.take(limit.min(ROWS_MAX)).map(|row| object(row?.1.value())).collect()
    }

    /// The latest version of each line, newest first, of one kind or all.
    pub fn capsules(
        &self,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<Vec<CatalogueRow>, IndexError> {
        let read = self.read()?;
        let (catalogue, heads) = (read.open_table(CATALOGUE)?, read.open_table(HEADS)?);
        let mut found = Vec::new();
        for row in catalogue.iter()?.rev() {
            let row: CatalogueRow = object(row?.1.value())?;
            let head = heads.get(row.line)?.map(|value| value.value());
            let wanted = kind.is_none_or(|kind| kind == row.kind);
            if wanted && head == Some(row.sequence) {
                found.push(row);
            }
            if found.len() == limit.min(ROWS_MAX) {
                break;
            }
        }
        Ok(found)
    }

    /// The latest versions of lines that match a query by the
    /// [rule](crate::search::SEARCH_RULE), best first.
    pub fn search(
        &self,
        query: &str,
        kind: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Hit>, IndexError> {
        let words = query_words(query);
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let read = self.read()?;
        let (catalogue, heads) = (read.open_table(CATALOGUE)?, read.open_table(HEADS)?);
        let line_names = read.open_table(LINE_NAMES)?;
        let mut hits = Vec::new();
        for head in heads.iter()?.rev().take(SEARCH_LINES_MAX) {
            let (line, sequence) = head?;
            let Some(value) = catalogue.get(sequence.value())? else { continue };
            let row: CatalogueRow = object(value.value())?;
            if kind.is_some_and(|kind| kind != row.kind) {
                continue;
            }
            let names = names(&line_names, line.value())?;
            hits.extend(score(&row, &names, &words).map(|score| Hit { row, score }));
        }
        hits.sort_by_key(|hit| (Reverse(hit.score), Reverse(hit.row.sequence)));
        hits.truncate(limit.min(ROWS_MAX));
        Ok(hits)
    }

    /// The numbers of an account's grants, newest first.
    pub fn grants(&self, account: &AccountId) -> Result<Vec<u64>, IndexError> {
        self.owned(OWN_GRANTS, account)
    }

    /// The numbers of the royalty lines that an account holds, newest first.
    pub fn royalties(&self, account: &AccountId) -> Result<Vec<u64>, IndexError> {
        self.owned(OWN_ROYALTIES, account)
    }

    /// The numbers of channels that an account opened, newest first.
    pub fn channels(&self, account: &AccountId) -> Result<Vec<u64>, IndexError> {
        self.owned(OWN_CHANNELS, account)
    }

    pub(crate) fn owned(
        &self,
        table: TableDefinition<'_, Bytes, ()>,
        account: &AccountId,
    ) -> Result<Vec<u64>, IndexError> {
        let table = self.read()?.open_table(table)?;
        let range = table.range(key(account, &[]).as_slice()..beyond(account).as_slice())?;
        range.rev().take(ROWS_MAX).map(|row| Ok(number_at(row?.0.value(), 32))).collect()
    }
}

fn names(
    table: &ReadOnlyTable<(u64, &'static str), ()>,
    line: u64,
) -> Result<Vec<String>, IndexError> {
    let rows = table.range((line, "")..(line + 1, ""))?;
    rows.take(NAMES_MAX).map(|row| Ok(row?.0.value().1.to_owned())).collect()
}
