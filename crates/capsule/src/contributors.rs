//! Whose records a datanet holds.
//!
//! Attribution names contributors by their index in this table; the ledger keeps one
//! account per index.

use ambar_base::document::{self, DocumentError};
use ambar_base::{AccountId, Cid};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most contributors of one datanet version.
pub const CONTRIBUTORS_MAX: usize = 4096;
/// Longest name of a contributor, bytes.
pub const CONTRIBUTOR_NAME_BYTES_MAX: usize = 120;
/// Largest table, bytes.
pub const CONTRIBUTOR_TABLE_BYTES_MAX: usize = CONTRIBUTORS_MAX * 160;

/// Somebody whose records a datanet holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contributor {
    /// Has an account.
    Account(AccountId),
    /// Has no key yet: an escrow account of this name holds what the records earn.
    Name(String),
}

impl Contributor {
    /// The account that is paid. `datanet` is the first version of the datanet's line.
    #[must_use]
    pub fn account(&self, datanet: &Cid) -> AccountId {
        match self {
            Self::Account(account) => *account,
            Self::Name(name) => AccountId::escrow(datanet, name),
        }
    }
}

/// The contributors of a datanet version, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContributorTable(Vec<Contributor>);

/// What is wrong with a contributor table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContributorError {
    /// None, or too many.
    #[error("a datanet has 1 to {CONTRIBUTORS_MAX} contributors, not {0}")]
    Count(usize),
    /// A name is empty, too long or holds control characters.
    #[error("a contributor's name has 1 to {CONTRIBUTOR_NAME_BYTES_MAX} bytes of plain text")]
    Name,
    /// Not ascending, or someone twice.
    #[error("contributors ascend, each once")]
    Order,
    /// Not a table.
    #[error(transparent)]
    Document(#[from] DocumentError),
}

impl ContributorTable {
    /// The table of these contributors, each once.
    pub fn new(contributors: BTreeSet<Contributor>) -> Result<Self, ContributorError> {
        let table = Self(contributors.into_iter().collect());
        table.check().map(|()| table)
    }

    /// Reads a table.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContributorError> {
        let table: Self = document::decode(bytes, CONTRIBUTOR_TABLE_BYTES_MAX)?;
        table.check().map(|()| table)
    }

    /// The table's document.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// The contributors by index.
    #[must_use]
    pub fn entries(&self) -> &[Contributor] {
        &self.0
    }

    /// The index of a contributor.
    #[must_use]
    pub fn index(&self, contributor: &Contributor) -> Option<u32> {
        self.0.binary_search(contributor).ok().and_then(|index| u32::try_from(index).ok())
    }

    fn check(&self) -> Result<(), ContributorError> {
        if !(1..=CONTRIBUTORS_MAX).contains(&self.0.len()) {
            return Err(ContributorError::Count(self.0.len()));
        }
        if !self.0.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(ContributorError::Order);
        }
        let plain = |name: &str| {
            (1..=CONTRIBUTOR_NAME_BYTES_MAX).contains(&name.len())
                && !name.chars().any(char::is_control)
        };
        let named = |contributor: &Contributor| match contributor {
            Contributor::Account(_) => true,
            Contributor::Name(name) => plain(name),
        };
        if self.0.iter().all(named) { Ok(()) } else { Err(ContributorError::Name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Contributor {
        Contributor::Name(text.to_owned())
    }

    #[test]
    fn tables_ascend_and_round_trip() {
        let table = ContributorTable::new([name("b"), name("a")].into()).unwrap();
        assert_eq!(table.entries(), [name("a"), name("b")]);
        assert_eq!(table.index(&name("b")), Some(1));
        assert_eq!(ContributorTable::decode(&table.encode()), Ok(table));
        let turned = document::encode(&vec![name("b"), name("a")]);
        assert_eq!(ContributorTable::decode(&turned), Err(ContributorError::Order));
    }

    #[test]
    fn bad_tables() {
        let check = |names: &[&str], expect| {
            let entries = names.iter().map(|text| name(text)).collect();
            assert_eq!(ContributorTable::new(entries), Err(expect));
        };
        check(&[], ContributorError::Count(0));
        check(&[""], ContributorError::Name);
        check(&["a\nb"], ContributorError::Name);
        check(&["x".repeat(121).as_str()], ContributorError::Name);
    }

    #[test]
    fn escrow_belongs_to_the_datanet() {
        let (one, two) = (Cid::of(b"1"), Cid::of(b"2"));
        assert_ne!(name("a").account(&one), name("a").account(&two));
        let account = AccountId::reserved("x");
        assert_eq!(Contributor::Account(account).account(&one), account);
    }
}
