//! Beginning after a block whose past is not known: what follows from the state alone.
//!
//! **Invariant**: catalogue, names, accounts, grants, royalty lines, offers and open channels are
//! those of an index that began at genesis; each account has one row for what it holds, so that
//! its rows sum to its balance from here on.

use crate::error::IndexError;
use crate::movements::entry;
use crate::rows::{AccountRow, CatalogueRow, ChannelRow, EntryKind};
use crate::tables::*;
use ambar_base::{AccountId, Decode, Encode, codec};
use ambar_capsule::{Manifest, SignedManifest};
use ambar_ledger::object::{Agenda, Balance, Channel, Grant, Line, Name, Numbers, Version};
use ambar_ledger::query::State;
use ambar_ledger::{Key, MemoryLedger};
use redb::WriteTransaction;

/// Fills the tables of a new index from a state.
pub(crate) fn fill(write: &WriteTransaction, ledger: &MemoryLedger) -> Result<(), IndexError> {
    let numbers: Numbers = ledger.must("numbers", "of this network", &Key::Numbers)?;
    let fill = Fill { write, ledger };
    for number in 0..numbers.accounts {
        fill.balance(number)?;
    }
    for number in 0..numbers.versions {
        fill.version(number)?;
    }
    for number in 0..numbers.lines {
        let line: Line = ledger.must("version line", number, &Key::Line(number))?;
        write.open_table(HEADS)?.insert(number, sequence(line.head))?;
    }
    for number in 0..numbers.grants {
        fill.grant(number)?;
    }
    for number in 0..numbers.channels {
        fill.channel(number)?;
    }
    crate::royalties::fill(write, ledger)?;
    crate::disputes::fill(write, ledger)?;
    crate::offers::fill(write, ledger)?;
    ledger.entries().try_for_each(|(key, value)| fill.keyed(key, value))
}

/// A version's place in the feed: versions are numbered as they are published.
fn sequence(version: u64) -> u64 {
    version + 1
}

struct Fill<'a> {
    write: &'a WriteTransaction,
    ledger: &'a MemoryLedger,
}

impl Fill<'_> {
    fn damaged(&self, reason: impl std::fmt::Display) -> IndexError {
        IndexError::Block { height: self.ledger.height(), reason: reason.to_string() }
    }

    fn decode<T: Decode>(&self, bytes: &[u8]) -> Result<T, IndexError> {
        codec::decode(bytes).map_err(|error| self.damaged(error))
    }

    fn account(&self, number: u64) -> Result<AccountId, IndexError> {
        let balance: Balance = self.ledger.must("account", number, &Key::Balance(number))?;
        Ok(balance.account)
    }

    fn balance(&self, number: u64) -> Result<(), IndexError> {
        let balance: Balance = self.ledger.must("account", number, &Key::Balance(number))?;
        let held = balance.sum().ok_or_else(|| self.damaged("a sum overflows"))?;
        if held.is_zero() {
            return Ok(());
        }
        // An account has one row of this block.
        let key = entry_key(&balance.account, self.ledger.height(), 0);
        let row = entry(EntryKind::Opening, true, held, self.ledger.time());
        self.write.open_table(STATEMENTS)?.insert(key.as_slice(), row.to_bytes().as_slice())?;
        Ok(())
    }

    fn version(&self, number: u64) -> Result<(), IndexError> {
        let version: Version = self.ledger.must("version", number, &Key::Version(number))?;
        let signed: SignedManifest =
            self.ledger.must("manifest", number, &Key::Manifest(number))?;
        let manifest = Manifest::decode(&signed.bytes).map_err(|error| self.damaged(error))?;
        let row = CatalogueRow {
            sequence: sequence(number),
            id: version.id,
            number,
            line: version.line,
            kind: manifest.kind().text().to_owned(),
            name: manifest.name,
            description: manifest.description,
            creator: self.account(version.creator)?,
            height: version.height,
        };
        let mut catalogue = self.write.open_table(CATALOGUE)?;
        catalogue.insert(row.sequence, row.to_bytes().as_slice())?;
        self.write.open_table(VERSIONS)?.insert(number, row.sequence)?;
        Ok(())
    }

    fn grant(&self, number: u64) -> Result<(), IndexError> {
        let grant: Grant = self.ledger.must("grant", number, &Key::Grant(number))?;
        let key = key(&self.account(grant.licensee)?, &[number]);
        self.write.open_table(OWN_GRANTS)?.insert(key.as_slice(), ())?;
        Ok(())
    }

    /// A channel, unless it was paid out.
    fn channel(&self, number: u64) -> Result<(), IndexError> {
        let channel: Option<Channel> = self.ledger.object(&Key::Channel(number))?;
        let Some(channel) = channel else { return Ok(()) };
        let payer = self.account(channel.payer)?;
        let row = ChannelRow { payer, left: channel.remaining(), deposit: channel.deposit };
        self.write.open_table(CHANNELS)?.insert(number, row.to_bytes().as_slice())?;
        let own = key(&payer, &[number]);
        self.write.open_table(OWN_CHANNELS)?.insert(own.as_slice(), ())?;
        Ok(())
    }

    /// What is found by its key only.
    fn keyed(&self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        match self.decode::<Key>(key)? {
            Key::FirstKey(first) => {
                let account = self.account(self.decode(value)?)?;
                let place = crate::tables::key(&account, &[]);
                let row = AccountRow { first }.to_bytes();
                self.write.open_table(ACCOUNTS)?.insert(place.as_slice(), row.as_slice())?;
            }
            Key::Name(name) => {
                let Name { line, .. } = self.decode(value)?;
                self.write.open_table(NAMES)?.insert(name.as_str(), line)?;
                self.write.open_table(LINE_NAMES)?.insert((line, name.as_str()), ())?;
            }
            Key::Agenda(height) => {
                let Agenda { channels, .. } = self.decode(value)?;
                for channel in channels {
                    self.write.open_table(CLOSINGS)?.insert((height.0, channel), ())?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
