//! The tables. Keys of bytes are concatenations of parts of fixed length, numbers in
//! big-endian, so that ranges ascend as numbers do.

use ambar_base::{AccountId, Height};
use redb::TableDefinition;

pub(crate) type Bytes = &'static [u8];

/// `first`: the first block of which everything is known, `cursor`: the last block taken in,
/// `format` and `network`.
pub(crate) const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
/// Account, height, ordinal → [`StatementEntry`](crate::StatementEntry).
pub(crate) const STATEMENTS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("statements");
/// Account → [`AccountRow`](crate::rows::AccountRow).
pub(crate) const ACCOUNTS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("accounts");
/// Channel, n → [`ReceiptEntry`](crate::ReceiptEntry).
pub(crate) const RECEIPTS: TableDefinition<'_, (u64, u64), Bytes> =
    TableDefinition::new("receipts");
/// Account, height, channel, n.
pub(crate) const PAID: TableDefinition<'_, Bytes, ()> = TableDefinition::new("paid");
/// Gateway, number → [`BatchRow`](crate::BatchRow).
pub(crate) const BATCHES: TableDefinition<'_, (u64, u64), Bytes> = TableDefinition::new("batches");
/// Sequence → [`CatalogueRow`](crate::CatalogueRow).
pub(crate) const CATALOGUE: TableDefinition<'_, u64, Bytes> = TableDefinition::new("catalogue");
/// Version number → sequence.
pub(crate) const VERSIONS: TableDefinition<'_, u64, u64> = TableDefinition::new("versions");
/// Line → sequence of its latest version.
pub(crate) const HEADS: TableDefinition<'_, u64, u64> = TableDefinition::new("heads");
/// Registered name → line.
pub(crate) const NAMES: TableDefinition<'_, &str, u64> = TableDefinition::new("names");
/// Line, registered name.
pub(crate) const LINE_NAMES: TableDefinition<'_, (u64, &str), ()> =
    TableDefinition::new("line names");
/// Number → [`ChannelRow`](crate::rows::ChannelRow), until it is paid out.
pub(crate) const CHANNELS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("channels");
/// Due height, channel.
pub(crate) const CLOSINGS: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("closings");
/// Account, channel.
pub(crate) const OWN_CHANNELS: TableDefinition<'_, Bytes, ()> =
    TableDefinition::new("own channels");
/// Account, grant.
pub(crate) const OWN_GRANTS: TableDefinition<'_, Bytes, ()> = TableDefinition::new("own grants");

/// Account, royalty line.
pub(crate) const OWN_ROYALTIES: TableDefinition<'_, Bytes, ()> =
    TableDefinition::new("own royalties");

/// Kind of subject, its two numbers, dispute: see [`Subject`](crate::Subject).
pub(crate) const DISPUTES: TableDefinition<'_, (u8, u64, u64, u64), ()> =
    TableDefinition::new("disputes");
/// Number → where it stands, of every offer of terms.
pub(crate) const OFFERS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("offers");
/// Line, offer.
pub(crate) const LINE_OFFERS: TableDefinition<'_, (u64, u64), ()> =
    TableDefinition::new("line offers");
/// Account, offer.
pub(crate) const OFFERS_TO: TableDefinition<'_, Bytes, ()> = TableDefinition::new("offers to");

/// A key of account and numbers.
pub(crate) fn key(account: &AccountId, numbers: &[u64]) -> Vec<u8> {
    let mut key = account.0.0.to_vec();
    numbers.iter().for_each(|number| key.extend_from_slice(&number.to_be_bytes()));
    key
}

/// The key of a statement entry.
pub(crate) fn entry_key(account: &AccountId, height: Height, ordinal: u32) -> Vec<u8> {
    let mut key = key(account, &[height.0]);
    key.extend_from_slice(&ordinal.to_be_bytes());
    key
}

/// The number at byte `at` of a key; zero if the key is shorter.
pub(crate) fn number_at(key: &[u8], at: usize) -> u64 {
    let bytes = key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    bytes.map_or(0, u64::from_be_bytes)
}
