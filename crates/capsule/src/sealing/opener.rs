//! Opens sealed chunks, one by one and in any order.

use super::key::VersionKey;
use super::layout::{Layout, LengthError, SEALED_CHUNK_BYTES};
use super::stream::FileStream;
use std::fmt;

const CHUNK: usize = SEALED_CHUNK_BYTES as usize;

/// Why a chunk does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The sealed file has no such chunk.
    #[error("the sealed file has no chunk {0}")]
    NoChunk(u64),
    /// Changed, cut, from another place, file or version, or the key is another.
    #[error("chunk {0} was not sealed with this key for this place of the file")]
    Chunk(u64),
}

/// Opens the chunks of one sealed file.
///
/// The caller knows the sealed length from the file table, and verified the chunk against
/// the root of the ciphertext: a chunk is a group of the chunk tree. The opener does not
/// rely on either; a length that is not the file's own opens nothing.
#[derive(Debug)]
pub struct Opener {
    stream: FileStream,
    layout: Layout,
}

impl Opener {
    /// An opener of the file at this place of the file table, `sealed` bytes long.
    pub fn new(key: &VersionKey, file: u32, sealed: u64) -> Result<Self, LengthError> {
        let layout = Layout::of_sealed(sealed)?;
        Ok(Self { stream: FileStream::new(key, file, layout.plaintext()), layout })
    }

    /// How the file is cut: both lengths, and which chunks hold a range.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Opens the chunk at `index`, all of its bytes, and appends its plaintext. Nothing is
    /// appended if it is refused.
    pub fn open_chunk(
        &self,
        index: u64,
        sealed: &[u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        let place = self.layout.chunk(index).ok_or(OpenError::NoChunk(index))?;
        let chunk = u32::try_from(index).map_err(|_| OpenError::NoChunk(index))?;
        if sealed.len() as u64 != place.end - place.start {
            return Err(OpenError::Chunk(index));
        }
        let last = place.end == self.layout.sealed();
        let opened = self.stream.open(chunk, last, sealed, plaintext);
        opened.map_err(|_| OpenError::Chunk(index))
    }
}

/// Opens a sealed file as it streams by, from its beginning to its end.
pub struct StreamOpener {
    opener: Opener,
    chunk: u64,
    held: Vec<u8>,
}

impl StreamOpener {
    /// An opener of the file at this place of the file table, `sealed` bytes long.
    pub fn new(key: &VersionKey, file: u32, sealed: u64) -> Result<Self, LengthError> {
        let opener = Opener::new(key, file, sealed)?;
        Ok(Self { opener, chunk: 0, held: Vec::new() })
    }

    /// Takes the next sealed bytes and appends what of them opens: whole chunks.
    pub fn update(&mut self, sealed: &[u8], plaintext: &mut Vec<u8>) -> Result<(), OpenError> {
        let mut rest = sealed;
        while self.chunk + 1 < self.opener.layout().chunks() {
            let Some((now, later)) = rest.split_at_checked(CHUNK - self.held.len()) else {
                break;
            };
            if self.held.is_empty() {
                self.opener.open_chunk(self.chunk, now, plaintext)?;
            } else {
                self.held.extend_from_slice(now);
                self.opener.open_chunk(self.chunk, &self.held, plaintext)?;
                self.held.clear();
            }
            self.chunk += 1;
            rest = later;
        }
        // The last chunk is no longer than the others: what is more opens as nothing.
        if self.held.len() + rest.len() > CHUNK {
            return Err(OpenError::Chunk(self.chunk));
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// Appends the last chunk, which says that the file is whole.
    pub fn finish(self, plaintext: &mut Vec<u8>) -> Result<(), OpenError> {
        self.opener.open_chunk(self.chunk, &self.held, plaintext)
    }
}

impl fmt::Debug for StreamOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamOpener(chunk {} of {})", self.chunk, self.opener.layout().chunks())
    }
}

/// The plaintext of a whole sealed file.
pub fn open_file(key: &VersionKey, file: u32, sealed: &[u8]) -> Result<Vec<u8>, OpenFileError> {
    let mut opener = StreamOpener::new(key, file, sealed.len() as u64)?;
    let mut plaintext = Vec::new();
    opener.update(sealed, &mut plaintext)?;
    opener.finish(&mut plaintext)?;
    Ok(plaintext)
}

/// Why a file does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenFileError {
    /// Nothing seals to that length.
    #[error(transparent)]
    Length(#[from] LengthError),
    /// A chunk does not open.
    #[error(transparent)]
    Chunk(#[from] OpenError),
}
