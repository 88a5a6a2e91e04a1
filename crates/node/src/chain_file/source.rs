//! Bytes of a chain file, counted and hashed as they are read.

use super::{ChainFileError, DIGEST_BYTES, Damage, FRAME_BYTES_MAX};
use ambar_base::codec::Reader;
use ambar_base::{Decode, codec};
use sha2::{Digest as _, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bits of an integer in front of a frame, and the most bytes that it takes.
const VARINT_BITS: u32 = 64;
const VARINT_BYTES_MAX: usize = 10;

/// The bytes of a file.
pub(super) struct Source<R> {
    path: PathBuf,
    input: R,
    hasher: Sha256,
    /// Bytes read so far.
    pub(super) read: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(path: &Path, input: R) -> Self {
        Self { path: path.to_owned(), input, hasher: Sha256::new(), read: 0 }
    }

    pub(super) fn damaged(&self, offset: u64, damage: Damage) -> ChainFileError {
        ChainFileError::Damaged { path: self.path.clone(), offset, damage }
    }

    /// The next bytes. Memory is taken as they come, whatever their number is said to be.
    pub(super) fn exactly(&mut self, count: usize) -> Result<Vec<u8>, ChainFileError> {
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(count as u64).read_to_end(&mut bytes);
        read.map_err(|error| ChainFileError::Io { path: self.path.clone(), error })?;
        self.read += bytes.len() as u64;
        if bytes.len() < count {
            return Err(self.damaged(self.read, Damage::Truncated));
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    pub(super) fn varint(&mut self) -> Result<u64, ChainFileError> {
        let (at, mut bytes) = (self.read, Vec::new());
        while bytes.len() < VARINT_BYTES_MAX {
            let byte = self.exactly(1)?[0];
            bytes.push(byte);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut reader = Reader::new(&bytes);
        let value = reader.varint(VARINT_BITS).and_then(|value| reader.finish().map(|()| value));
        let value = value.map_err(|error| self.damaged(at, error.into()))?;
        // It was read with so many bits.
        Ok(u64::try_from(value).unwrap_or(u64::MAX))
    }

    /// The value in the next frame.
    pub(super) fn value<T: Decode>(&mut self) -> Result<T, ChainFileError> {
        let at = self.read;
        let length = self.varint()?;
        let fits = usize::try_from(length).ok().filter(|length| *length <= FRAME_BYTES_MAX);
        let length = fits.ok_or_else(|| self.damaged(at, Damage::Long(length)))?;
        let bytes = self.exactly(length)?;
        codec::decode(&bytes).map_err(|error| self.damaged(at, error.into()))
    }

    /// That the digest of everything before follows, and nothing after it.
    pub(super) fn end(&mut self) -> Result<(), ChainFileError> {
        let (at, expect) = (self.read, self.hasher.clone().finalize());
        if self.exactly(DIGEST_BYTES)? != expect.as_slice() {
            return Err(self.damaged(at, Damage::Digest));
        }
        match self.exactly(1) {
            Err(ChainFileError::Damaged { .. }) => Ok(()),
            Err(other) => Err(other),
            Ok(_) => Err(self.damaged(at + DIGEST_BYTES as u64, Damage::Trailing)),
        }
    }
}
