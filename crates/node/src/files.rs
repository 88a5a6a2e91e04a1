//! The file table: which files a capsule's content has.
//!
//! A capsule's manifest names the root of this document, and the document names the root
//! of each file. Whoever publishes writes it, whoever serves or fetches reads it.
//!
//! **Invariant**: paths are relative, in ascending order, each once, and lead nowhere but
//! below the directory they are written to.

use ambar_base::document::{self, DocumentError};
use ambar_base::{Coded, ErrorCode};
use ambar_capsule::chunks::ContentRoot;
use serde::{Deserialize, Serialize};

/// The file table format that this version reads and writes.
pub const FILE_TABLE_FORMAT: u16 = 1;
/// Most files of one capsule.
pub const FILES_MAX: usize = 100_000;
/// Longest path, bytes.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Largest table, bytes.
pub const FILE_TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The file that says whose records a dataset holds.
pub const CONTRIBUTORS_FILE: &str = "contributors.toml";

/// The files of a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTable {
    /// The format: [`FILE_TABLE_FORMAT`].
    pub ambar: u16,
    /// The files, ascending by path.
    pub files: Vec<FileEntry>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its length.
    pub bytes: u64,
    /// Where it is, relative, with `/` between segments.
    pub path: String,
    /// Root of its bytes.
    pub root: ContentRoot,
}

/// What is wrong with a file table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileTableError {
    /// Not a table.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Another format.
    #[error("file table format {0} is not known; this version reads format {FILE_TABLE_FORMAT}")]
    Format(u16),
    /// Too many files.
    #[error("{0} files; a capsule has at most {FILES_MAX}")]
    Count(usize),
    /// A path that is too long, absolute, leads upwards or is spelt otherwise.
    #[error("the path {0:?} is not a plain relative path")]
    Path(String),
    /// Not ascending, or a path twice.
    #[error("the paths of a file table ascend, each once")]
    Order,
}

impl Coded for FileTableError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Count(_) => ErrorCode::LimitExceeded,
            _ => ErrorCode::DocumentInvalid,
        }
    }
}

impl FileTable {
    /// The table of these files.
    pub fn new(mut files: Vec<FileEntry>) -> Result<Self, FileTableError> {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let table = Self { ambar: FILE_TABLE_FORMAT, files };
        table.check().map(|()| table)
    }

    /// Reads and checks a table.
    pub fn decode(bytes: &[u8]) -> Result<Self, FileTableError> {
        let table: Self = document::decode(bytes, FILE_TABLE_BYTES_MAX)?;
        table.check().map(|()| table)
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// The root that a manifest names.
    #[must_use]
    pub fn root(&self) -> ContentRoot {
        ContentRoot::of(&self.encode())
    }

    /// The sum of the files' lengths.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The file at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(self.place(path)?)
    }

    /// At which place of the table a path stands.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<usize> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()
    }

    fn check(&self) -> Result<(), FileTableError> {
        if self.ambar != FILE_TABLE_FORMAT {
            return Err(FileTableError::Format(self.ambar));
        }
        if self.files.len() > FILES_MAX {
            return Err(FileTableError::Count(self.files.len()));
        }
        if let Some(file) = self.files.iter().find(|file| !is_plain(&file.path)) {
            return Err(FileTableError::Path(file.path.clone()));
        }
        let ascends = self.files.windows(2).all(|pair| pair[0].path < pair[1].path);
        if ascends { Ok(()) } else { Err(FileTableError::Order) }
    }
}

/// Whether a path stays where it is written to, on every system.
fn is_plain(path: &str) -> bool {
    let segment = |part: &str| !matches!(part, "" | "." | "..");
    let character = |c: char| !c.is_control() && !matches!(c, '\\' | ':');
    path.len() <= PATH_BYTES_MAX && path.split('/').all(segment) && path.chars().all(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str) -> FileEntry {
        FileEntry { bytes: 1, path: path.into(), root: ContentRoot::of(path.as_bytes()) }
    }

    #[test]
    fn tables_have_one_spelling() {
        let table = FileTable::new(vec![entry("b/c.txt"), entry("a.txt")]).unwrap();
        assert_eq!(FileTable::decode(&table.encode()), Ok(table.clone()));
        assert_eq!(table.file("b/c.txt"), Some(&entry("b/c.txt")));
        assert_eq!(table.file("b"), None);
        let turned = FileTable { files: table.files.iter().rev().cloned().collect(), ..table };
        assert_eq!(FileTable::decode(&turned.encode()), Err(FileTableError::Order));
    }

    #[test]
    fn paths_stay_below() {
        let long = "x".repeat(PATH_BYTES_MAX + 1);
        for bad in ["", "/a", "a//b", "../a", "a/./b", "a\\b", "c:d", "a\n", &long] {
            let refused = FileTable::new(vec![entry(bad)]);
            assert_eq!(refused, Err(FileTableError::Path(bad.to_owned())), "{bad}");
        }
        assert_eq!(FileTable::new(vec![entry("a"), entry("a")]), Err(FileTableError::Order));
    }
}
