//! The first bytes of a corpus file: what follows, and the digests to check it by.

use ambar_base::codec::{self, Encode, Reader};
use ambar_base::{Digest, record};

/// First bytes of every corpus file.
const MAGIC: &[u8; 8] = b"ambarcor";
/// Version of the format.
pub const VERSION: u16 = 1;
/// Length of the header, padded with zeros, bytes.
pub const HEADER_BYTES: usize = 1024;
/// Names of the sections in their order in the file.
pub const SECTIONS: [&str; 8] =
    ["documents", "text", "suffixes", "buckets", "passages", "terms", "term table", "postings"];

record! {
    /// A section of the file.
    pub struct SectionEntry {
        /// Length in bytes.
        pub bytes: u64,
        /// BLAKE3 of its content.
        pub digest: [u8; 32],
    }
}

record! {
    /// The header.
    pub struct Header {
        /// Version of the format.
        pub version: u16,
        /// Root of the corpus.
        pub root: Digest,
        /// Terms counted in all passages.
        pub words: u64,
        /// One entry per name in [`SECTIONS`].
        pub sections: Vec<SectionEntry>,
    }
}

/// Why bytes are not a header that this program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Not a corpus file, or damaged.
    Damaged,
    /// Another version of the format.
    Version(u16),
}

impl Header {
    /// Magic, encoding, zeros and the BLAKE3 of all before it.
    pub fn to_file(&self) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &self.to_bytes()].concat();
        assert!(bytes.len() <= HEADER_BYTES - blake3::OUT_LEN, "the header fits its place");
        bytes.resize(HEADER_BYTES - blake3::OUT_LEN, 0);
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads what [`Self::to_file`] wrote.
    pub fn from_file(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let (before, digest) = bytes
            .get(..HEADER_BYTES)
            .and_then(|header| header.split_at_checked(HEADER_BYTES - blake3::OUT_LEN))
            .ok_or(HeaderFault::Damaged)?;
        let content = before.strip_prefix(MAGIC).ok_or(HeaderFault::Damaged)?;
        if blake3::hash(before).as_bytes() != digest {
            return Err(HeaderFault::Damaged);
        }
        let version: u16 =
            codec::Decode::decode(&mut Reader::new(content)).map_err(|_| HeaderFault::Damaged)?;
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let header: Self =
            codec::Decode::decode(&mut Reader::new(content)).map_err(|_| HeaderFault::Damaged)?;
        let whole = header.sections.len() == SECTIONS.len();
        if whole { Ok(header) } else { Err(HeaderFault::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        let entry = |i| SectionEntry { bytes: u64::MAX - i, digest: [i as u8; 32] };
        let sections = (0..SECTIONS.len() as u64).map(entry).collect();
        Header { version: VERSION, root: Digest::of(b"root"), words: u64::MAX, sections }
    }

    #[test]
    fn round_trip_and_damage() {
        let bytes = sample().to_file();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::from_file(&bytes), Ok(sample()));
        assert_eq!(Header::from_file(&bytes[..HEADER_BYTES - 1]), Err(HeaderFault::Damaged));
        for at in [0, 9, 100, HEADER_BYTES - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Header::from_file(&damaged), Err(HeaderFault::Damaged), "{at}");
        }
        let newer = Header { version: 2, ..sample() }.to_file();
        assert_eq!(Header::from_file(&newer), Err(HeaderFault::Version(2)));
        let short = Header { sections: Vec::new(), ..sample() }.to_file();
        assert_eq!(Header::from_file(&short), Err(HeaderFault::Damaged));
    }
}
