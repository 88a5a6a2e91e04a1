//! What an earlier fetch left in a directory: believed no more than what a node sends, and
//! never written over.
//!
//! **Invariant**: a file that is kept has been read through and belongs to its root.

use crate::failure::{Failure, OrFail, Outcome};
use crate::progress::{Counter, Progress, look};
use crate::publish::contents::{Hashed, hash, sealer};
use crate::publish::tree::{self, SourceFile};
use ambar_base::ErrorCode;
use ambar_capsule::sealing::VersionKey;
use ambar_node::files::{FileEntry, FileTable};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The files of a capsule that are not below `dir` yet. Those of sealed content are there in the
/// clear: sealed anew with its key, they give the root that the table names. Whatever else is there is refused:
/// nothing is written over, and nothing foreign mixes with the capsule.
pub async fn missing(
    dir: &Path,
    table: &FileTable,
    key: Option<&VersionKey>,
    progress: &Progress,
) -> Outcome<Vec<FileEntry>> {
    let found = found(dir)?;
    let foreign = found.iter().find(|file| table.file(&file.name).is_none());
    if let Some(file) = foreign {
        let message = format!("{}: {} is no file of this capsule", dir.display(), file.name);
        return Err(Failure::input(message).helping("name a new directory"));
    }
    let bytes = found.iter().map(|file| file.bytes).sum();
    let phase = progress.bytes("checking what is there", bytes);
    let (table, key, read) = (table.clone(), key.cloned(), phase.counter());
    let work = tokio::task::spawn_blocking(move || without(&table, &found, key.as_ref(), &read));
    let missing = work.await.or_fail(ErrorCode::Internal)??;
    phase.finish(&look::bytes(bytes));
    Ok(missing)
}

/// What is below `dir`; nothing if there is no such directory.
fn found(dir: &Path) -> Outcome<Vec<SourceFile>> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::file(dir, &error)),
        Ok(_) => {}
    }
    match tree::files(dir) {
        Err(failure) if failure.code == ErrorCode::DatasetEmpty => Ok(Vec::new()),
        found => found,
    }
}

/// The files of the table without those that were found and are what they should be.
fn without(
    table: &FileTable,
    found: &[SourceFile],
    key: Option<&VersionKey>,
    read: &Counter,
) -> Outcome<Vec<FileEntry>> {
    let mut whole = BTreeSet::new();
    for SourceFile { name, path, bytes } in found {
        let place = table.place(name).and_then(|place| u32::try_from(place).ok());
        let sealer = sealer(key, place.unwrap_or_default(), *bytes)?;
        let Hashed { root, bytes, .. } = hash(path, sealer, read)?;
        if table.file(name).is_none_or(|file| (file.root, file.bytes) != (root, bytes)) {
            let message = format!("{} is there with another content", path.display());
            return Err(Failure::input(message).helping("remove it, or name a new directory"));
        }
        whole.insert(name);
    }
    Ok(table.files.iter().filter(|file| !whole.contains(&file.path)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_capsule::chunks::ContentRoot;

    fn table() -> FileTable {
        let entry = |(path, text): (&str, &str)| FileEntry {
            bytes: text.len() as u64,
            path: path.into(),
            root: ContentRoot::of(text.as_bytes()),
        };
        FileTable::new([("a.txt", "one"), ("b/c.txt", "two")].map(entry).to_vec()).unwrap()
    }

    async fn missing_in(dir: &Path) -> Outcome<Vec<String>> {
        let missing = missing(dir, &table(), None, &Progress::silent()).await?;
        Ok(missing.into_iter().map(|file| file.path).collect())
    }

    #[tokio::test]
    async fn whole_files_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("new");
        assert_eq!(missing_in(&nowhere).await.unwrap(), ["a.txt", "b/c.txt"]);
        assert_eq!(missing_in(dir.path()).await.unwrap(), ["a.txt", "b/c.txt"]);
        fs::write(dir.path().join(".0123.partial"), "tw").unwrap();
        fs::write(dir.path().join("a.txt"), "one").unwrap();
        assert_eq!(missing_in(dir.path()).await.unwrap(), ["b/c.txt"]);
    }

    #[tokio::test]
    async fn what_is_foreign_is_left_alone() {
        let check = async |name: &str, text: &str, expect: &str| {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            let failure = missing_in(dir.path()).await.unwrap_err();
            assert_eq!(failure.code, ErrorCode::RequestInvalid);
            assert!(failure.message.contains(expect), "{failure}");
            assert_eq!(fs::read_to_string(path).unwrap(), text);
        };
        check("notes.txt", "mine", "notes.txt is no file of this capsule").await;
        check("a.txt", "changed", "a.txt is there with another content").await;
    }
}
