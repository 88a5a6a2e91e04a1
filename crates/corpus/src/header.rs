//! The first bytes of a file of a corpus: what follows, and the digests to check it by.

use ambar_base::codec::{self, Encode, Reader};
use ambar_base::{Digest, record};

/// Version of the formats of all files.
pub const VERSION: u16 = 2;
/// Length of the header, padded with zeros, bytes.
pub const HEADER_BYTES: usize = 1024;

/// Which of the two files of a segment.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// First bytes of the file.
    pub magic: &'static [u8; 8],
    /// The end of its name.
    pub suffix: &'static str,
    /// Names of the sections in their order in the file.
    pub sections: &'static [&'static str],
}

/// Records: all that cannot be made again from something else in the directory.
pub const RECORDS: Kind =
    Kind { magic: b"ambarrec", suffix: "records", sections: &["documents", "text"] };
/// What is derived from records.
pub const INDEX: Kind = Kind {
    magic: b"ambaridx",
    suffix: "index",
    sections: &["suffixes", "buckets", "passages", "terms", "term table", "postings"],
};

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
        /// Which records an index was made from; zeros in the file of the records.
        pub of: Digest,
        /// Terms counted in all passages.
        pub words: u64,
        /// One entry per section of the kind.
        pub sections: Vec<SectionEntry>,
    }
}

/// Why bytes are not a header that this program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// Not a file of this kind, or damaged.
    Damaged,
    /// Another version of the format.
    Version(u16),
}

impl Header {
    /// The header of a file with these contents.
    pub fn of(of: Digest, words: u64, contents: &[&[u8]]) -> Self {
        let entry = |content: &&[u8]| SectionEntry {
            bytes: content.len() as u64,
            digest: *blake3::hash(content).as_bytes(),
        };
        Self { version: VERSION, of, words, sections: contents.iter().map(entry).collect() }
    }

    /// Magic, encoding, zeros and the BLAKE3 of all before it.
    pub fn to_file(&self, kind: &Kind) -> Vec<u8> {
        let mut bytes = [&kind.magic[..], &self.to_bytes()].concat();
        assert!(bytes.len() <= HEADER_BYTES - blake3::OUT_LEN, "the header fits its place");
        bytes.resize(HEADER_BYTES - blake3::OUT_LEN, 0);
        let digest = blake3::hash(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads what [`Self::to_file`] wrote.
    pub fn from_file(bytes: &[u8], kind: &Kind) -> Result<Self, HeaderFault> {
        let (before, digest) = bytes
            .get(..HEADER_BYTES)
            .and_then(|header| header.split_at_checked(HEADER_BYTES - blake3::OUT_LEN))
            .ok_or(HeaderFault::Damaged)?;
        let content = before.strip_prefix(kind.magic).ok_or(HeaderFault::Damaged)?;
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
        let whole = header.sections.len() == kind.sections.len();
        if whole { Ok(header) } else { Err(HeaderFault::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Header {
        let entry = |i| SectionEntry { bytes: u64::MAX - i, digest: [i as u8; 32] };
        let sections = (0..INDEX.sections.len() as u64).map(entry).collect();
        Header { version: VERSION, of: Digest::of(b"records"), words: u64::MAX, sections }
    }

    #[test]
    fn round_trip_and_damage() {
        let bytes = sample().to_file(&INDEX);
        let read = |bytes: &[u8]| Header::from_file(bytes, &INDEX);
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(read(&bytes), Ok(sample()));
        assert_eq!(read(&bytes[..HEADER_BYTES - 1]), Err(HeaderFault::Damaged));
        assert_eq!(Header::from_file(&bytes, &RECORDS), Err(HeaderFault::Damaged));
        for at in [0, 9, 100, HEADER_BYTES - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged), Err(HeaderFault::Damaged), "{at}");
        }
        let newer = Header { version: 3, ..sample() }.to_file(&INDEX);
        assert_eq!(read(&newer), Err(HeaderFault::Version(3)));
        let short = Header { sections: Vec::new(), ..sample() }.to_file(&INDEX);
        assert_eq!(read(&short), Err(HeaderFault::Damaged));
    }
}
