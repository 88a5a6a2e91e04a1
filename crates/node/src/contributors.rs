//! `contributors.toml`: whose records a published directory holds.
//!
//! ```toml
//! [sharing]                       # optional: how evidence of use is shared
//! duplicates = "first"            # equal, first or halving
//! floor = "5%"
//! cap = "30%"
//!
//! [[record]]
//! path = "speeches/1790.txt"
//! name = "George Washington"      # or did = "did:key:…"
//! licence = "CC0-1.0"
//! source = "https://example.org/1790"
//! ```
//!
//! A record that is not listed is the publisher's; without the file all are. Publisher and
//! serving node use this one reading, so that both give a record the same contributor.

use crate::files::CONTRIBUTORS_FILE;
use ambar_attribution::Sharing;
use ambar_base::{AccountId, Coded, ErrorCode};
use ambar_capsule::Contributor;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Largest file, bytes.
pub const CONTRIBUTORS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContributorsFile {
    /// The rules of sharing, if the file says them.
    pub sharing: Option<SharingEntry>,
    /// The records.
    #[serde(default)]
    pub record: Vec<RecordEntry>,
}

/// Rules of sharing; the usual ones where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharingEntry {
    /// How records that hold the same words share.
    pub duplicates: Option<String>,
    /// The part that goes to whoever is drawn, per cent.
    pub floor: Option<String>,
    /// The most that one contributor gets by evidence, per cent.
    pub cap: Option<String>,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordEntry {
    /// Where it is.
    pub path: String,
    /// The contributor's DID or account id.
    pub did: Option<String>,
    /// The contributor's name, if it has no key yet.
    pub name: Option<String>,
    /// Under which licence it may be used.
    pub licence: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
}

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContributorsError {
    /// Not such a file.
    #[error("{CONTRIBUTORS_FILE}: {0}")]
    Syntax(String),
    /// Rules of sharing that are none.
    #[error("{CONTRIBUTORS_FILE}: [sharing]: {0}")]
    Sharing(String),
    /// A record names both or neither of DID and name.
    #[error("{CONTRIBUTORS_FILE}: {0} names either a did or a name")]
    Who(String),
    /// A record stands twice.
    #[error("{CONTRIBUTORS_FILE}: {0} stands twice")]
    Twice(String),
    /// There is no such record.
    #[error("{CONTRIBUTORS_FILE}: there is no file {0}")]
    NoFile(String),
    /// The DID has no account.
    #[error("{CONTRIBUTORS_FILE}: {0} has no account on this network")]
    NoAccount(String),
}

impl Coded for ContributorsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoAccount(_) => ErrorCode::AccountUnknown,
            _ => ErrorCode::DocumentInvalid,
        }
    }
}

impl ContributorsFile {
    /// Reads the file.
    pub fn parse(text: &str) -> Result<Self, ContributorsError> {
        if text.len() > CONTRIBUTORS_BYTES_MAX {
            let message = format!("it has more than {CONTRIBUTORS_BYTES_MAX} bytes");
            return Err(ContributorsError::Syntax(message));
        }
        toml::from_str(text).map_err(|error| ContributorsError::Syntax(error.to_string()))
    }

    /// The rules of sharing, if it says any.
    pub fn sharing(&self) -> Result<Option<Sharing>, ContributorsError> {
        self.sharing.as_ref().map(SharingEntry::rules).transpose()
    }

    /// The DIDs that it names, each once.
    #[must_use]
    pub fn dids(&self) -> Vec<&str> {
        let mut dids: Vec<_> = self.record.iter().filter_map(|r| r.did.as_deref()).collect();
        dids.sort_unstable();
        dids.dedup();
        dids
    }

    /// The contributor of each record of a dataset, by path. Every file but this one is a
    /// record. `account` finds the account of a DID or account id.
    pub fn by_path<'a>(
        &self,
        files: impl IntoIterator<Item = &'a str>,
        publisher: AccountId,
        account: impl Fn(&str) -> Option<AccountId>,
    ) -> Result<BTreeMap<String, Contributor>, ContributorsError> {
        let records = files.into_iter().filter(|path| *path != CONTRIBUTORS_FILE);
        let mut found: BTreeMap<String, Contributor> =
            records.map(|path| (path.to_owned(), Contributor::Account(publisher))).collect();
        let mut seen = std::collections::BTreeSet::new();
        for record in &self.record {
            let path = record.path.clone();
            if !seen.insert(&record.path) {
                return Err(ContributorsError::Twice(path));
            }
            let contributor = match (&record.did, &record.name) {
                (Some(did), None) => Contributor::Account(
                    account(did).ok_or_else(|| ContributorsError::NoAccount(did.clone()))?,
                ),
                (None, Some(name)) => Contributor::Name(name.clone()),
                _ => return Err(ContributorsError::Who(path)),
            };
            let place = found.get_mut(&path).ok_or(ContributorsError::NoFile(path))?;
            *place = contributor;
        }
        Ok(found)
    }
}

impl SharingEntry {
    fn rules(&self) -> Result<Sharing, ContributorsError> {
        let usual = Sharing::USUAL;
        let duplicates = or(self.duplicates.as_deref(), usual.duplicates)?;
        let (floor, cap) =
            (or(self.floor.as_deref(), usual.floor)?, or(self.cap.as_deref(), usual.cap)?);
        let sharing = Sharing { duplicates, floor, cap };
        sharing.check().map_err(|error| ContributorsError::Sharing(error.to_string()))?;
        Ok(sharing)
    }
}

/// What a text says, or what is usual.
fn or<T: FromStr<Err: ToString>>(text: Option<&str>, usual: T) -> Result<T, ContributorsError> {
    let parsed = text.map_or(Ok(usual), str::parse);
    parsed.map_err(|error| ContributorsError::Sharing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::Weight;

    const FILES: [&str; 4] = ["a.txt", "b.txt", "c.txt", CONTRIBUTORS_FILE];

    fn account(name: &str) -> AccountId {
        AccountId::reserved(name)
    }

    fn read(text: &str) -> Result<BTreeMap<String, Contributor>, ContributorsError> {
        let known = |did: &str| (did == "did:key:known").then(|| account("known"));
        ContributorsFile::parse(text)?.by_path(FILES, account("publisher"), known)
    }

    #[test]
    fn records_have_contributors() {
        let text = "[[record]]\npath = \"a.txt\"\nname = \"Ann\"\nlicence = \"CC0-1.0\"\n\
                    [[record]]\npath = \"b.txt\"\ndid = \"did:key:known\"\n";
        let expect = [
            ("a.txt".to_owned(), Contributor::Name("Ann".into())),
            ("b.txt".to_owned(), Contributor::Account(account("known"))),
            ("c.txt".to_owned(), Contributor::Account(account("publisher"))),
        ];
        assert_eq!(read(text), Ok(expect.into()));
        assert_eq!(read("").map(|found| found.len()), Ok(3));
    }

    #[test]
    fn mistakes_are_typed() {
        let check = |text: &str, expect| assert_eq!(read(text), Err(expect));
        let record = |rest: &str| format!("[[record]]\npath = \"a.txt\"\n{rest}\n");
        check(&record(""), ContributorsError::Who("a.txt".into()));
        check(&record("name = \"A\"\ndid = \"d\""), ContributorsError::Who("a.txt".into()));
        check(&record("did = \"d\""), ContributorsError::NoAccount("d".into()));
        let twice = record("name = \"A\"").repeat(2);
        check(&twice, ContributorsError::Twice("a.txt".into()));
        let missing = "[[record]]\npath = \"x\"\nname = \"A\"";
        check(missing, ContributorsError::NoFile("x".into()));
        assert!(matches!(read("[[record]]\npth = 1"), Err(ContributorsError::Syntax(_))));
        for odd in ["duplicates = \"all\"", "floor = \"51%\"", "cap = \"0%\"", "cap = \"3\""] {
            let file = ContributorsFile::parse(&format!("[sharing]\n{odd}\n")).unwrap();
            let error = file.sharing().unwrap_err();
            assert!(matches!(error, ContributorsError::Sharing(_)), "{odd}: {error}");
        }
        assert!(matches!(read("[sharing]\nflor = 1"), Err(ContributorsError::Syntax(_))));
    }

    #[test]
    fn rules_of_sharing_are_read() {
        let sharing = |text: &str| ContributorsFile::parse(text).unwrap().sharing().unwrap();
        assert_eq!(sharing(""), None);
        assert_eq!(sharing("[sharing]\n"), Some(Sharing::USUAL));
        let text = "[sharing]\nduplicates = \"halving\"\nfloor = \"2.5%\"\ncap = \"30%\"\n";
        let expect = Sharing::of(3, Weight(25_000_000), Weight(300_000_000)).unwrap();
        assert_eq!(sharing(text), Some(expect));
    }
}
