//! Contents that a node hands out, believed only as far as their roots go.

use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::{Cid, ErrorCode, NetworkId, codec};
use ambar_capsule::chunks::{ChunkHasher, ContentRoot};
use ambar_capsule::{Manifest, SignedManifest};
use ambar_node::client::Client;
use ambar_node::files::{FileEntry, FileTable};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// A capsule's signed manifest, checked against its id and its own signature.
pub async fn manifest(
    client: &Client,
    network: NetworkId,
    id: &Cid,
) -> Outcome<(SignedManifest, Manifest)> {
    let bytes = client.manifest(&id.to_string()).await?;
    let signed: SignedManifest = codec::decode(&bytes).or_fail(ErrorCode::DocumentInvalid)?;
    if signed.id() != *id {
        let message = format!("the node sent the manifest of {}, not of {id}", signed.id());
        return Err(Failure::new(ErrorCode::BlobCorrupt, message));
    }
    let manifest = signed.open(network)?;
    Ok((signed, manifest))
}

/// The files of a capsule, checked against its manifest.
pub async fn table(client: &Client, id: &Cid, manifest: &Manifest) -> Outcome<FileTable> {
    let root = manifest.content.table;
    let bytes = client.blob(&id.to_string(), &root.to_string()).await?;
    if ContentRoot::of(&bytes) != root {
        return Err(corrupt("the file table", &root));
    }
    let table = FileTable::decode(&bytes)?;
    let counted = (table.files.len() as u64, table.bytes());
    if counted != (manifest.content.files, manifest.content.bytes) {
        let message = "the file table has other files than the manifest says";
        return Err(Failure::new(ErrorCode::DocumentInvalid, message));
    }
    Ok(table)
}

/// Reads a file through and checks it against its root; `seen` hears of its bytes.
pub async fn check(client: &Client, id: &Cid, file: &FileEntry, seen: &dyn Fn(u64)) -> Outcome {
    copy(client, id, file, &mut io::sink(), seen).await
}

/// Writes a file below `dir`; `seen` hears of its bytes. It gets its name when it has
/// proved to be what it should: what has its name is whole.
pub async fn write(
    client: &Client,
    id: &Cid,
    file: &FileEntry,
    dir: &Path,
    seen: &dyn Fn(u64),
) -> Outcome {
    let path = dir.join(&file.path);
    let folder = path.parent().unwrap_or(dir);
    fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
    let partial = folder.join(format!(".{}.partial", file.root));
    let failed = |error| Failure::file(&partial, &error);
    let mut target = File::create(&partial).map_err(failed)?;
    let copied = copy(client, id, file, &mut target, seen).await;
    if let Err(failure) = copied {
        // The failure says more than that its leavings could not be removed.
        let _ = fs::remove_file(&partial);
        return Err(failure);
    }
    fs::rename(&partial, &path).map_err(|error| Failure::file(&path, &error))
}

async fn copy(
    client: &Client,
    id: &Cid,
    file: &FileEntry,
    target: &mut impl Write,
    seen: &dyn Fn(u64),
) -> Outcome {
    let mut hashing = Hashing { hasher: ChunkHasher::new(), target, seen };
    client.blob_to(&id.to_string(), &file.root.to_string(), &mut hashing).await?;
    let tree = hashing.hasher.finish();
    if (tree.root, tree.length) == (file.root, file.bytes) {
        return Ok(());
    }
    Err(corrupt(&file.path, &file.root))
}

fn corrupt(what: &str, root: &ContentRoot) -> Failure {
    let message = format!("{what}: the bytes do not belong to the root {root}");
    Failure::new(ErrorCode::BlobCorrupt, message).helping("ask another node")
}

/// Hashes what passes through.
struct Hashing<'a, W> {
    hasher: ChunkHasher,
    target: &'a mut W,
    seen: &'a dyn Fn(u64),
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.target.write(bytes)?;
        self.hasher.update(&bytes[..written]).map_err(io::Error::other)?;
        (self.seen)(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_passes_is_hashed() {
        let (mut target, counted) = (Vec::new(), Cell::new(0));
        let seen = &|bytes| counted.set(counted.get() + bytes);
        let mut hashing = Hashing { hasher: ChunkHasher::new(), target: &mut target, seen };
        hashing.write_all(b"some ").unwrap();
        hashing.write_all(b"bytes").unwrap();
        assert_eq!(hashing.hasher.finish().root, ContentRoot::of(b"some bytes"));
        assert_eq!((target.as_slice(), counted.get()), (b"some bytes".as_slice(), 10));
    }
}
