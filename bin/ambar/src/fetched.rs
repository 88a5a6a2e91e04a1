//! Contents that a node hands out, believed only as far as their roots go, and opened if they
//! are sealed.

use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::{Cid, ErrorCode, NetworkId, codec};
use ambar_capsule::chunks::{ChunkHasher, ContentRoot};
use ambar_capsule::sealing::{StreamOpener, VersionKey};
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
    if let Some(sealed) = &manifest.content.sealed {
        let lengths = table.files.iter().map(|file| file.bytes);
        sealed.check_lengths(lengths).or_fail(ErrorCode::DocumentInvalid)?;
    }
    Ok(table)
}

/// Reads a file through and checks it against its root; `seen` hears of its bytes. Sealed
/// content needs no key for that.
pub async fn check(client: &Client, id: &Cid, file: &FileEntry, seen: &dyn Fn(u64)) -> Outcome {
    copy(client, id, file, Opening::none(&mut io::sink()), seen).await
}

/// A file of the table, and what opens it if it is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The file.
    pub file: &'a FileEntry,
    /// Its place in the table.
    pub place: u32,
    /// The key of the version.
    pub key: Option<&'a VersionKey>,
}

/// Writes a file below `dir`; `seen` hears of its bytes. It gets its name when it has
/// proved to be what it should: what has its name is whole.
pub async fn write(
    client: &Client,
    id: &Cid,
    wanted: Wanted<'_>,
    dir: &Path,
    seen: &dyn Fn(u64),
) -> Outcome {
    let Wanted { file, place, key } = wanted;
    let path = dir.join(&file.path);
    let folder = path.parent().unwrap_or(dir);
    fs::create_dir_all(folder).map_err(|error| Failure::file(folder, &error))?;
    let partial = folder.join(format!(".{}.partial", file.root));
    let failed = |error| Failure::file(&partial, &error);
    let mut target = File::create(&partial).map_err(failed)?;
    let opener = key.map(|key| StreamOpener::new(key, place, file.bytes)).transpose();
    let opening =
        Opening { opener: opener.or_fail(ErrorCode::DocumentInvalid)?, target: &mut target };
    let copied = copy(client, id, file, opening, seen).await;
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
    target: Opening<'_, impl Write>,
    seen: &dyn Fn(u64),
) -> Outcome {
    let mut hashing = Hashing { hasher: ChunkHasher::new(), target, seen };
    client.blob_to(&id.to_string(), &file.root.to_string(), &mut hashing).await?;
    let tree = hashing.hasher.finish();
    if (tree.root, tree.length) != (file.root, file.bytes) {
        return Err(corrupt(&file.path, &file.root));
    }
    hashing.target.finish().or_fail(ErrorCode::BlobCorrupt)
}

/// Opens what passes through, if it is sealed.
struct Opening<'a, W> {
    opener: Option<StreamOpener>,
    target: &'a mut W,
}

impl<'a, W: Write> Opening<'a, W> {
    /// Passes everything on as it is.
    fn none(target: &'a mut W) -> Self {
        Self { opener: None, target }
    }

    fn finish(self) -> io::Result<()> {
        let Some(opener) = self.opener else { return Ok(()) };
        let mut plaintext = Vec::new();
        opener.finish(&mut plaintext).map_err(io::Error::other)?;
        self.target.write_all(&plaintext)
    }
}

impl<W: Write> Write for Opening<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(opener) = &mut self.opener else { return self.target.write(bytes) };
        let mut plaintext = Vec::new();
        opener.update(bytes, &mut plaintext).map_err(io::Error::other)?;
        self.target.write_all(&plaintext)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.target.flush()
    }
}

fn corrupt(what: &str, root: &ContentRoot) -> Failure {
    let message = format!("{what}: the bytes do not belong to the root {root}");
    Failure::new(ErrorCode::BlobCorrupt, message).helping("ask another node")
}

/// Hashes what passes through.
struct Hashing<'a, W> {
    hasher: ChunkHasher,
    target: Opening<'a, W>,
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
        let target_of = Opening::none(&mut target);
        let mut hashing = Hashing { hasher: ChunkHasher::new(), target: target_of, seen };
        hashing.write_all(b"some ").unwrap();
        hashing.write_all(b"bytes").unwrap();
        assert_eq!(hashing.hasher.finish().root, ContentRoot::of(b"some bytes"));
        assert_eq!((target.as_slice(), counted.get()), (b"some bytes".as_slice(), 10));
    }
}
