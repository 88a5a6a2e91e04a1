//! The manifest: which segments make a corpus, and which of their documents live in it, in
//! which order. It is the one file that is replaced, and whoever has it has the corpus: before
//! it is renamed to its place, all that it names is durable.
//!
//! A document that it does not list is dead from then on, wherever its bytes still lie.

use crate::disk::Disk;
use crate::error::CorpusError;
use crate::header::VERSION;
use ambar_base::codec::{self, Encode, Reader};
use ambar_base::{Digest, record};
use std::fs;
use std::path::{Path, PathBuf};

/// First bytes of every manifest.
const MAGIC: &[u8; 8] = b"ambarman";
/// Name of the manifest in the corpus's directory.
const FILE_NAME: &str = "manifest";

record! {
    /// A document that lives in the corpus.
    #[derive(Copy)]
    pub struct Live {
        /// Index of its segment in the manifest.
        pub segment: u32,
        /// Index in the segment.
        pub document: u32,
        /// Index of its contributor.
        pub contributor: u32,
    }
}

record! {
    /// What makes a corpus.
    pub struct Manifest {
        /// Version of the format.
        pub version: u16,
        /// Root over the documents in order.
        pub root: Digest,
        /// What names each segment.
        pub segments: Vec<Digest>,
        /// The documents in order.
        pub live: Vec<Live>,
    }
}

/// Where the manifest of a corpus lies.
pub fn path(directory: &Path) -> PathBuf {
    directory.join(FILE_NAME)
}

impl Manifest {
    /// The manifest of the current version.
    pub fn of(root: Digest, segments: Vec<Digest>, live: Vec<Live>) -> Self {
        Self { version: VERSION, root, segments, live }
    }

    /// Makes this the corpus of the directory. Segments are written or linked already; their
    /// names are made durable first.
    pub fn commit(&self, disk: &Disk, directory: &Path) -> Result<(), CorpusError> {
        disk.sync_directory(directory)?;
        let bytes = [&MAGIC[..], &self.to_bytes()].concat();
        let digest = blake3::hash(&bytes);
        disk.put(&path(directory), &[&bytes, digest.as_bytes()])?;
        disk.sync_directory(directory)
    }

    /// Reads the manifest of a directory.
    pub fn read(directory: &Path) -> Result<Self, CorpusError> {
        let path = path(directory);
        let bytes = fs::read(&path).map_err(|error| CorpusError::io(&path, error))?;
        let damaged = |what| CorpusError::damaged(&path, what);
        let (before, digest) = bytes
            .len()
            .checked_sub(blake3::OUT_LEN)
            .map(|end| bytes.split_at(end))
            .ok_or_else(|| damaged("its length"))?;
        if blake3::hash(before).as_bytes() != digest {
            return Err(damaged("its content"));
        }
        let content = before.strip_prefix(MAGIC).ok_or_else(|| damaged("its first bytes"))?;
        let version: u16 =
            codec::Decode::decode(&mut Reader::new(content)).map_err(|_| damaged("its content"))?;
        if version != VERSION {
            let (found, expected) = (version, VERSION);
            return Err(CorpusError::Version { file: path, found, expected });
        }
        codec::decode(content).map_err(|_| damaged("its content"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let (place, disk) = (tempfile::tempdir().unwrap(), Disk::default());
        let live = vec![Live { segment: 0, document: 7, contributor: 3 }];
        let manifest = Manifest::of(Digest::of(b"root"), vec![Digest::of(b"one")], live);
        manifest.commit(&disk, place.path()).unwrap();
        assert_eq!(Manifest::read(place.path()).unwrap(), manifest);
        let bytes = fs::read(path(place.path())).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            fs::write(path(place.path()), damaged).unwrap();
            let error = Manifest::read(place.path()).unwrap_err().to_string();
            assert!(error.contains("manifest is damaged"), "{error}");
        }
        fs::write(path(place.path()), b"short").unwrap();
        assert!(matches!(Manifest::read(place.path()), Err(CorpusError::Damaged { .. })));
        let newer = Manifest { version: VERSION + 1, ..manifest };
        newer.commit(&disk, place.path()).unwrap();
        assert!(matches!(Manifest::read(place.path()), Err(CorpusError::Version { .. })));
    }
}
