//! The contents of a capsule: every file's root, computed here, and the table of them.

use super::tree::SourceFile;
use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::ErrorCode;
use ambar_capsule::chunks::{ChunkHasher, ContentRoot};
use ambar_capsule::manifest::Content;
use ambar_node::client::Client;
use ambar_node::files::{FileEntry, FileTable};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 * 1024;

/// Files whose roots are known.
#[derive(Clone, Debug)]
pub struct Contents {
    table: FileTable,
    /// Where the files of the table lie, in its order.
    paths: Vec<PathBuf>,
}

impl Contents {
    /// Hashes the files.
    pub fn read(files: &[SourceFile]) -> Outcome<Self> {
        let mut files = files.to_vec();
        files.sort_by(|one, two| one.name.cmp(&two.name));
        let entries = files.iter().map(entry).collect::<Outcome<Vec<_>>>()?;
        let paths = files.into_iter().map(|file| file.path).collect();
        Ok(Self { table: FileTable::new(entries)?, paths })
    }

    /// The table of the files.
    pub fn table(&self) -> &FileTable {
        &self.table
    }

    /// What the manifest says.
    pub fn declaration(&self) -> Content {
        Content {
            bytes: self.table.bytes(),
            files: self.table.files.len() as u64,
            table: self.table.root(),
        }
    }

    /// Stores files and table at the node.
    pub async fn store(&self, client: &Client) -> Outcome {
        for (entry, path) in self.table.files.iter().zip(&self.paths) {
            let blob = client.put_blob_file(path).await?;
            check(path, &blob.root, &entry.root)?;
        }
        let blob = client.put_blob(self.table.encode()).await?;
        check(Path::new("the file table"), &blob.root, &self.table.root())
    }
}

fn check(what: &Path, stored: &str, root: &ContentRoot) -> Outcome {
    if stored == root.to_string() {
        return Ok(());
    }
    let message = format!("{}: the node stored other bytes than were sent", what.display());
    Err(Failure::new(ErrorCode::BlobCorrupt, message)
        .helping("if the file has not changed meanwhile, publish through another node"))
}

fn entry(file: &SourceFile) -> Outcome<FileEntry> {
    let (root, bytes) = root_of(&file.path)?;
    Ok(FileEntry { bytes, path: file.name.clone(), root })
}

/// Root and length of a file.
pub fn root_of(path: &Path) -> Outcome<(ContentRoot, u64)> {
    let failed = |error| Failure::file(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut buffer) = (ChunkHasher::new(), vec![0; READ_BYTES]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            count => hasher.update(&buffer[..count]).or_fail(ErrorCode::LimitExceeded)?,
        }
    }
    let tree = hasher.finish();
    Ok((tree.root, tree.length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b"), "two").unwrap();
        std::fs::write(dir.path().join("a"), "one").unwrap();
        let contents = Contents::read(&super::super::tree::files(dir.path()).unwrap()).unwrap();
        let entries = &contents.table.files;
        assert_eq!((entries[0].path.as_str(), entries[0].root), ("a", ContentRoot::of(b"one")));
        let declaration = contents.declaration();
        assert_eq!((declaration.bytes, declaration.files), (6, 2));
        assert_eq!(contents.paths[1], dir.path().join("b"));
        assert!(check(dir.path(), &entries[1].root.to_string(), &entries[0].root).is_err());
    }
}
