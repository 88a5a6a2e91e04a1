//! Opens sealed chunks, one by one and in any order.

use super::key::VersionKey;
use super::layout::{Layout, LengthError};
use super::stream::FileStream;

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
