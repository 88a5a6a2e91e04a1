//! Segments: the journal's files, each with a header that says which it is and how the one
//! before it ended.
//!
//! A segment is written under a temporary name and renamed when its header, and what it begins
//! with, are durable. Invariant: a segment that has its name has a whole header.

use super::disk::{Disk, DiskFile};
use super::error::{Damage, JournalCorrupt, JournalError};
use std::path::{Path, PathBuf};

/// A header, bytes.
pub(super) const HEADER_BYTES: usize = 48;

/// How every segment begins.
const MAGIC: [u8; 8] = *b"AMBARJNL";

/// The version of header and frames.
const VERSION: u32 = 1;

/// How the names of segments end.
const SUFFIX: &str = ".journal";

/// How the name of a segment ends until it is whole.
const SUFFIX_UNFINISHED: &str = ".journal.new";

/// Digits of a segment's number in its name.
const NAME_DIGITS: usize = 20;

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It continues the segment before it.
    Log,
    /// It stands for all segments before it.
    Checkpoint,
}

/// What a segment says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Its number: one more than that of the segment before.
    pub(super) number: u64,
    /// What it is.
    pub(super) kind: Kind,
    /// The length that the segment before it was closed with, bytes; 0 if there is none.
    pub(super) previous_bytes: u64,
    /// What was durable before it had its name: the header and a checkpoint's records, bytes.
    pub(super) durable_bytes: u64,
    /// What its checksums begin with; random.
    pub(super) salt: u32,
}

impl Header {
    /// The header's bytes: magic ‖ version ‖ kind ‖ number ‖ previous ‖ durable ‖ salt ‖ CRC-32C.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_le_bytes());
        out.extend((self.kind as u32).to_le_bytes());
        for field in [self.number, self.previous_bytes, self.durable_bytes] {
            out.extend(field.to_le_bytes());
        }
        out.extend(self.salt.to_le_bytes());
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        debug_assert_eq!(out.len(), HEADER_BYTES);
        out
    }

    /// Reads a header; nothing unless it is exactly what [`Self::to_bytes`] writes.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        let half = |at: usize| Some(u32::from_le_bytes(*bytes[at..].first_chunk()?));
        let word = |at: usize| Some(u64::from_le_bytes(*bytes[at..].first_chunk()?));
        let kind = if half(12)? == 0 { Kind::Log } else { Kind::Checkpoint };
        let header = Self {
            number: word(16)?,
            kind,
            previous_bytes: word(24)?,
            durable_bytes: word(32)?,
            salt: half(40)?,
        };
        (header.to_bytes() == *bytes).then_some(header)
    }
}

/// A segment that is open.
pub(super) struct Segment {
    /// What it says about itself.
    pub(super) header: Header,
    /// Its file.
    pub(super) file: DiskFile,
}

impl Segment {
    /// The path of segment `number`.
    pub(super) fn path(directory: &Path, number: u64) -> PathBuf {
        directory.join(format!("{number:0NAME_DIGITS$}{SUFFIX}"))
    }

    /// Opens segment `number` and reads its header.
    pub(super) fn open(disk: &Disk, directory: &Path, number: u64) -> Result<Self, JournalError> {
        let path = Self::path(directory, number);
        let file = disk.open(&path).map_err(|error| JournalError::file("open", &path, error))?;
        let mut bytes = [0; HEADER_BYTES];
        let header = match file.read(&mut bytes, 0) {
            Ok(()) => Header::from_bytes(&bytes).filter(|header| header.number == number),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(JournalError::file("read", &path, error)),
        };
        match header {
            Some(header) => Ok(Self { header, file }),
            None => Err(JournalCorrupt { file: path, offset: 0, damage: Damage::Header }.into()),
        }
    }

    /// Creates a segment that begins with `header` and `frames`, both durable when it returns.
    ///
    /// # Errors
    /// `SyncFailed` if it is not certain whether the segment exists; any other error if it does
    /// not.
    pub(super) fn create(
        disk: &Disk,
        directory: &Path,
        header: Header,
        frames: &[u8],
    ) -> Result<Self, JournalError> {
        let path = Self::path(directory, header.number);
        let unfinished = path.with_extension(&SUFFIX_UNFINISHED[1..]);
        let mut bytes = header.to_bytes();
        bytes.extend_from_slice(frames);
        let file = Self::write_unfinished(disk, &unfinished, &bytes).inspect_err(|_| {
            // What stays is removed when the journal is opened.
            disk.remove(&unfinished).ok();
        })?;
        disk.rename(&unfinished, &path).map_err(|error| JournalError::rename(&path, error))?;
        disk.sync_directory(directory).map_err(|error| JournalError::sync(directory, error))?;
        Ok(Self { header, file: file.renamed(path) })
    }

    fn write_unfinished(disk: &Disk, path: &Path, bytes: &[u8]) -> Result<DiskFile, JournalError> {
        let file = disk.create(path).map_err(|error| JournalError::file("create", path, error))?;
        file.write(bytes, 0).map_err(|error| JournalError::file("write", path, error))?;
        file.sync().map_err(|error| JournalError::file("sync", path, error))?;
        Ok(file)
    }

    /// Where its first frame stands.
    pub(super) const FIRST_FRAME: u64 = HEADER_BYTES as u64;
}

/// A fresh salt.
pub(super) fn random_salt() -> Result<u32, JournalError> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| {
        let error = std::io::Error::other(error.to_string());
        JournalError::file("draw a salt for", Path::new("a segment"), error)
    })?;
    Ok(u32::from_le_bytes(bytes))
}

/// What the name of a file in the journal's directory says.
pub(super) enum Named {
    /// A segment with this number.
    Segment(u64),
    /// A segment that was never finished.
    Unfinished,
    /// Something that is not the journal's.
    Foreign,
}

/// Reads a file's name.
pub(super) fn named(name: &str) -> Named {
    if name.ends_with(SUFFIX_UNFINISHED) {
        return Named::Unfinished;
    }
    let digits = name.strip_suffix(SUFFIX).filter(|digits| {
        digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(number) => Named::Segment(number),
        None => Named::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            number: 7,
            kind: Kind::Checkpoint,
            previous_bytes: 9,
            durable_bytes: 48,
            salt: 0x0102_0304,
        }
    }

    #[test]
    fn the_header_of_version_1_has_these_bytes() {
        let expect = "414d4241524a4e4c010000000100000007000000000000000900000000000000\
                      300000000000000004030201";
        assert_eq!(hex::encode(&header().to_bytes()[..44]), expect);
    }

    #[test]
    fn a_header_differs_in_no_bit() {
        let bytes = header().to_bytes();
        assert_eq!(Header::from_bytes(&bytes), Some(header()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::from_bytes(&damaged), None, "bit {bit}");
        }
        assert_eq!(Header::from_bytes(&bytes[..HEADER_BYTES - 1]), None);
    }

    #[test]
    fn names_sort_like_numbers_and_read_back() {
        let path = Segment::path(Path::new(""), u64::MAX);
        let name = path.to_str().expect("digits are UTF-8");
        assert!(matches!(named(name), Named::Segment(u64::MAX)));
        assert!(matches!(named("1.journal"), Named::Foreign));
        assert!(matches!(named("lock"), Named::Foreign));
        let unfinished = path.with_extension(&SUFFIX_UNFINISHED[1..]);
        assert!(matches!(named(unfinished.to_str().expect("ASCII")), Named::Unfinished));
    }
}
