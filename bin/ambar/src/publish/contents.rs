//! The contents of a capsule: every file's root, computed here, and the table of them.
//! Each file is read once for its root and for the digest that its upload is signed with.

use super::tree::SourceFile;
use crate::failure::{Failure, OrFail, Outcome};
use crate::progress::Counter;
use ambar_base::{Digest, ErrorCode};
use ambar_capsule::chunks::{ChunkHasher, ContentRoot};
use ambar_capsule::manifest::Content;
use ambar_node::client::{Client, ClientError};
use ambar_node::files::{FileEntry, FileTable};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 * 1024;

/// Files whose roots are known.
#[derive(Clone, Debug)]
pub struct Contents {
    table: FileTable,
    /// Where the files of the table lie, and their SHA-256, in its order.
    sources: Vec<(PathBuf, Digest)>,
}

impl Contents {
    /// Hashes the files; `read` counts their bytes.
    pub fn read(files: &[SourceFile], read: &Counter) -> Outcome<Self> {
        let mut files = files.to_vec();
        files.sort_by(|one, two| one.name.cmp(&two.name));
        let (mut entries, mut sources) = (Vec::new(), Vec::new());
        for file in files {
            let Hashed { root, bytes, digest } = hash(&file.path, read)?;
            entries.push(FileEntry { bytes, path: file.name, root });
            sources.push((file.path, digest));
        }
        Ok(Self { table: FileTable::new(entries)?, sources })
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

    /// Stores files and table at the node; `sent` counts the files' bytes.
    pub async fn store(&self, client: &Client, sent: &Counter) -> Outcome {
        for (entry, (path, digest)) in self.table.files.iter().zip(&self.sources) {
            let counter = sent.clone();
            let sent = move |bytes| counter.advance(bytes);
            let blob = client.put_blob_file(path, *digest, sent).await;
            let blob = blob.map_err(|error| changed(path, error))?;
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

/// The node refuses a body that was not announced: the file is another one by now.
fn changed(path: &Path, error: ClientError) -> Failure {
    let failure = Failure::from(error);
    if failure.code != ErrorCode::SignatureInvalid {
        return failure.about(path.display());
    }
    Failure::new(failure.code, format!("{} changed while it was published", path.display()))
        .helping("publish again when nobody writes to it; nothing was published")
}

/// What reading a file yields.
pub struct Hashed {
    /// Its root.
    pub root: ContentRoot,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: Digest,
}

/// Reads a file through; `read` counts its bytes.
pub fn hash(path: &Path, read: &Counter) -> Outcome<Hashed> {
    let failed = |error| Failure::file(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut chunks, mut sha, mut buffer) =
        (ChunkHasher::new(), Sha256::new(), vec![0; READ_BYTES]);
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            break;
        }
        chunks.update(&buffer[..count]).or_fail(ErrorCode::LimitExceeded)?;
        sha.update(&buffer[..count]);
        read.advance(count as u64);
    }
    let tree = chunks.finish();
    Ok(Hashed { root: tree.root, bytes: tree.length, digest: Digest(sha.finalize().into()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    #[test]
    fn roots_are_those_of_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b"), "two").unwrap();
        std::fs::write(dir.path().join("a"), "one").unwrap();
        let files = super::super::tree::files(dir.path()).unwrap();
        let phase = Progress::silent().bytes("hashing", 6);
        let contents = Contents::read(&files, &phase.counter()).unwrap();
        let entries = &contents.table.files;
        assert_eq!((entries[0].path.as_str(), entries[0].root), ("a", ContentRoot::of(b"one")));
        let declaration = contents.declaration();
        assert_eq!((declaration.bytes, declaration.files), (6, 2));
        assert_eq!(contents.sources[1], (dir.path().join("b"), Digest::of(b"two")));
        assert!(check(dir.path(), &entries[1].root.to_string(), &entries[0].root).is_err());
    }
}
