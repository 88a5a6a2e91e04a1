//! Seals a file as it streams by.

use super::key::VersionKey;
use super::layout::{Layout, LengthError, PLAIN_CHUNK_BYTES};
use super::stream::FileStream;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

const CHUNK: usize = PLAIN_CHUNK_BYTES as usize;

/// Why a file is not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// More came than was announced.
    #[error("the file is longer than the {0} bytes announced")]
    TooMuch(u64),
    /// Less came than was announced.
    #[error("the file ends {0} bytes before the length announced")]
    TooLittle(u64),
}

/// Seals one file. It holds less than a chunk of the plaintext between calls, and wipes it.
///
/// The length is announced because each chunk is bound to it. What was sealed before an
/// error, or without [`Sealer::finish`], does not open as a whole file of any length.
pub struct Sealer {
    stream: FileStream,
    layout: Layout,
    taken: u64,
    chunk: u32,
    held: Zeroizing<Vec<u8>>,
}

impl Sealer {
    /// A sealer of the file at this place of the file table, `plaintext` bytes long.
    pub fn new(key: &VersionKey, file: u32, plaintext: u64) -> Result<Self, LengthError> {
        let layout = Layout::of_plaintext(plaintext)?;
        let stream = FileStream::new(key, file, plaintext);
        // All it will ever hold: a vector that grew would leave copies behind.
        let held = Vec::with_capacity(plaintext.min(PLAIN_CHUNK_BYTES) as usize);
        Ok(Self { stream, layout, taken: 0, chunk: 0, held: held.into() })
    }

    /// How the file is cut.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Takes the next bytes of plaintext and appends what of them is sealed; refuses them
    /// all if they are more than was announced.
    pub fn update(&mut self, plaintext: &[u8], sealed: &mut Vec<u8>) -> Result<(), SealError> {
        if plaintext.len() as u64 > self.layout.plaintext() - self.taken {
            return Err(SealError::TooMuch(self.layout.plaintext()));
        }
        self.taken += plaintext.len() as u64;
        let mut rest = plaintext;
        while u64::from(self.chunk) + 1 < self.layout.chunks() {
            let Some((now, later)) = rest.split_at_checked(CHUNK - self.held.len()) else {
                break;
            };
            self.close_chunk(now, sealed);
            rest = later;
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// Seals the chunk that `now` completes, which is not the last.
    fn close_chunk(&mut self, now: &[u8], sealed: &mut Vec<u8>) {
        if self.held.is_empty() {
            self.stream.seal(self.chunk, false, now, sealed);
        } else {
            self.held.extend_from_slice(now);
            self.stream.seal(self.chunk, false, &self.held, sealed);
            self.held.zeroize();
        }
        self.chunk += 1;
    }

    /// Appends the last chunk.
    pub fn finish(self, sealed: &mut Vec<u8>) -> Result<(), SealError> {
        match self.layout.plaintext() - self.taken {
            0 => {
                self.stream.seal(self.chunk, true, &self.held, sealed);
                Ok(())
            }
            missing => Err(SealError::TooLittle(missing)),
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} of {} bytes)", self.taken, self.layout.plaintext())
    }
}
