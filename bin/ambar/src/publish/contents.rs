//! The contents of a capsule: every file's root, computed here, and the table of them.
//! Each file is read once for its root and for the digest that its upload is signed with, and
//! once more to be sent. What is sealed is sealed both times: that gives the same bytes.

use super::tree::SourceFile;
use crate::failure::{Failure, OrFail, Outcome};
use crate::progress::Counter;
use ambar_base::{Digest, ErrorCode};
use ambar_capsule::chunks::{ChunkHasher, ContentRoot};
use ambar_capsule::manifest::Content;
use ambar_capsule::sealing::{SealError, SealedContent, Sealer, VersionKey};
use ambar_node::client::{Client, ClientError};
use ambar_node::files::{FileEntry, FileTable};
use futures::{Stream, TryStreamExt, stream};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes read from a file at once.
const READ_BYTES: usize = 256 * 1024;

/// Files whose roots are known.
#[derive(Clone, Debug)]
pub struct Contents {
    table: FileTable,
    /// The files of the table in its order.
    sources: Vec<Source>,
    /// What the files are sealed with, if they are.
    key: Option<VersionKey>,
}

/// A file to be sent.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    /// Its own length; what is sealed is longer.
    bytes: u64,
    /// The SHA-256 of what is sent.
    digest: Digest,
}

impl Contents {
    /// Hashes the files, sealed if there is a key; `read` counts their bytes.
    pub fn read(files: &[SourceFile], key: Option<VersionKey>, read: &Counter) -> Outcome<Self> {
        let mut files = files.to_vec();
        files.sort_by(|one, two| one.name.cmp(&two.name));
        let (mut entries, mut sources) = (Vec::new(), Vec::new());
        for (place, file) in (0..).zip(files) {
            let sealer = sealer(key.as_ref(), place, file.bytes)?;
            let Hashed { root, bytes, digest } = hash(&file.path, sealer, read)?;
            entries.push(FileEntry { bytes, path: file.name, root });
            sources.push(Source { path: file.path, bytes: file.bytes, digest });
        }
        Ok(Self { table: FileTable::new(entries)?, sources, key })
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
            sealed: self.key.as_ref().map(|key| {
                let bytes = self.sources.iter().map(|source| source.bytes).sum();
                SealedContent::new(key, bytes)
            }),
            table: self.table.root(),
        }
    }

    /// Stores files and table at the node; `sent` counts the files' bytes.
    pub async fn store(&self, client: &Client, sent: &Counter) -> Outcome {
        for (place, (entry, source)) in (0..).zip(self.table.files.iter().zip(&self.sources)) {
            let Source { path, bytes, digest } = source;
            let counter = sent.clone();
            let sent = move |bytes| counter.advance(bytes);
            let blob = match sealer(self.key.as_ref(), place, *bytes)? {
                None => client.put_blob_file(path, *digest, sent).await,
                Some(sealer) => {
                    let parts = sealed(path, sealer).await?;
                    let parts = parts.inspect_ok(move |part| sent(part.len() as u64));
                    client.put_blob_parts(parts, *digest).await
                }
            };
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
    rewritten(path)
}

fn rewritten(path: &Path) -> Failure {
    let message = format!("{} changed while it was published", path.display());
    Failure::new(ErrorCode::SignatureInvalid, message)
        .helping("publish again when nobody writes to it; nothing was published")
}

/// What seals the file at this place of the table, if there is a key.
pub fn sealer(key: Option<&VersionKey>, place: u32, bytes: u64) -> Outcome<Option<Sealer>> {
    let sealer = key.map(|key| Sealer::new(key, place, bytes));
    sealer.transpose().or_fail(ErrorCode::LimitExceeded)
}

/// A file as it is sealed, in parts.
async fn sealed(
    path: &Path,
    sealer: Sealer,
) -> Outcome<impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static> {
    let file = tokio::fs::File::open(path).await.map_err(|error| Failure::file(path, &error))?;
    Ok(stream::try_unfold((file, Some(sealer)), next_part))
}

/// The next part, never an empty one, and what comes after it.
async fn next_part(
    (mut file, mut sealer): (tokio::fs::File, Option<Sealer>),
) -> io::Result<Option<(Vec<u8>, (tokio::fs::File, Option<Sealer>))>> {
    let (mut buffer, mut part) = (vec![0; READ_BYTES], Vec::new());
    while part.is_empty() {
        let Some(mut sealing) = sealer.take() else { return Ok(None) };
        let count = tokio::io::AsyncReadExt::read(&mut file, &mut buffer).await?;
        if count == 0 {
            sealing.finish(&mut part).map_err(io::Error::other)?;
        } else {
            sealing.update(&buffer[..count], &mut part).map_err(io::Error::other)?;
            sealer = Some(sealing);
        }
    }
    Ok(Some((part, (file, sealer))))
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

/// Reads a file through, and seals it if it is to be; `read` counts its bytes.
pub fn hash(path: &Path, sealer: Option<Sealer>, read: &Counter) -> Outcome<Hashed> {
    let failed = |error| Failure::file(path, &error);
    let longer = |_: SealError| rewritten(path);
    let (mut sealer, mut sealed) = (sealer, Vec::new());
    let mut file = File::open(path).map_err(failed)?;
    let (mut chunks, mut sha, mut buffer) =
        (ChunkHasher::new(), Sha256::new(), vec![0; READ_BYTES]);
    loop {
        let count = file.read(&mut buffer).map_err(failed)?;
        let bytes = match &mut sealer {
            None => &buffer[..count],
            Some(sealer) => {
                sealed.clear();
                sealer.update(&buffer[..count], &mut sealed).map_err(longer)?;
                &sealed
            }
        };
        chunks.update(bytes).or_fail(ErrorCode::LimitExceeded)?;
        sha.update(bytes);
        read.advance(count as u64);
        if count == 0 {
            break;
        }
    }
    if let Some(sealer) = sealer {
        sealed.clear();
        sealer.finish(&mut sealed).map_err(longer)?;
        chunks.update(&sealed).or_fail(ErrorCode::LimitExceeded)?;
        sha.update(&sealed);
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
        let contents = Contents::read(&files, None, &phase.counter()).unwrap();
        let entries = &contents.table.files;
        assert_eq!((entries[0].path.as_str(), entries[0].root), ("a", ContentRoot::of(b"one")));
        let declaration = contents.declaration();
        assert_eq!((declaration.bytes, declaration.files), (6, 2));
        assert_eq!(contents.sources[1].digest, Digest::of(b"two"));
        assert!(check(dir.path(), &entries[1].root.to_string(), &entries[0].root).is_err());
    }

    #[tokio::test]
    async fn what_is_sent_is_what_was_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let phase = Progress::silent().bytes("hashing", 0);
        let key = VersionKey::from_bytes(&[3; 32]);
        for bytes in [0, 1, 16_368, READ_BYTES, READ_BYTES + 1, 3 * READ_BYTES + 77] {
            std::fs::write(&path, vec![b'x'; bytes]).unwrap();
            let sealing = || sealer(Some(&key), 0, bytes as u64).unwrap();
            let hashed = hash(&path, sealing(), &phase.counter()).unwrap();
            let sent = sealed(&path, sealing().unwrap()).await.unwrap();
            let sent: Vec<Vec<u8>> = sent.try_collect().await.unwrap();
            assert!(sent.iter().all(|part| !part.is_empty()));
            let sent = sent.concat();
            assert_eq!(hashed.digest, Digest::of(&sent), "{bytes}");
            assert_eq!((hashed.root, hashed.bytes), (ContentRoot::of(&sent), sent.len() as u64));
            let opened = ambar_capsule::sealing::open_file(&key, 0, &sent).unwrap();
            assert_eq!(opened, vec![b'x'; bytes]);
        }
        let shorter = sealer(Some(&key), 0, 5).unwrap();
        let failure = hash(&path, shorter, &phase.counter()).err().unwrap();
        assert!(failure.message.contains("changed while it was published"), "{failure}");
    }
}
