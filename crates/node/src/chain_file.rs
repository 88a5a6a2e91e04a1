//! A file of final blocks from which a fresh home executes everything again.
//!
//! ```text
//! magic     16 bytes, `AMBAR CHAIN FILE`
//! format    varint
//! opening   frame: genesis, height of the first block, height of the last
//! blocks    one frame each, ascending without a gap
//! digest    32 bytes: SHA-256 of everything before
//! ```
//!
//! A frame is a length (varint) and as many bytes; encodings are the ledger's. The file
//! knows no state: whoever reads it computes the state, and trusts nothing but the genesis.
//!
//! **Invariant**: a reader yields blocks in order without a gap, and says at which offset
//! the file is not what was written.

mod read;
mod source;
mod write;

pub use read::ChainReader;
pub use write::ChainWriter;

use ambar_base::{Coded, Decode, Encode, ErrorCode, Height, codec, record};
use std::io;
use std::path::{Path, PathBuf};

/// What a file begins with.
pub const MAGIC: &[u8; 16] = b"AMBAR CHAIN FILE";
/// The version of the format.
pub const CHAIN_FILE_FORMAT: u64 = 1;
/// Longest frame, bytes: more than the largest block with its outcomes.
pub const FRAME_BYTES_MAX: usize = 256 << 20;
/// Bytes of the digest at the end.
const DIGEST_BYTES: usize = 32;

record! {
    /// What stands before the blocks.
    pub struct Opening {
        /// The network's genesis, encoded.
        pub genesis: Vec<u8>,
        /// The first block's height.
        pub first: Height,
        /// The last block's height.
        pub last: Height,
    }
}

/// What is wrong with a chain file.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is no chain file.
    #[error("it is no chain file")]
    Foreign,
    /// A version that is not known.
    #[error("it is of format {0}; this version knows {CHAIN_FILE_FORMAT}")]
    Newer(u64),
    /// It ends too early.
    #[error("it ends here, too early")]
    Truncated,
    /// A frame is longer than any block.
    #[error("a frame of {0} bytes is longer than any block")]
    Long(u64),
    /// What stands there does not decode.
    #[error("what stands here does not decode: {0}")]
    Encoding(#[from] codec::DecodeError),
    /// The genesis does not decode or is not sound.
    #[error("its genesis is not sound")]
    Genesis,
    /// The heights do not ascend.
    #[error("block {expect} is expected, and block {found} stands here")]
    Order {
        /// Which should stand there.
        expect: Height,
        /// Which does.
        found: Height,
    },
    /// A block is not what executing it gives.
    #[error(transparent)]
    Differs(ambar_consensus::replay::ReplayError),
    /// The digest is another.
    #[error("its digest is another: bytes were changed")]
    Digest,
    /// Something follows the digest.
    #[error("something follows its end")]
    Trailing,
}

/// Why a chain file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ChainFileError {
    /// It is not what was written.
    #[error("{} at byte {offset}: {damage}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where what is wrong begins, bytes.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The disk failed.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
}

impl Coded for ChainFileError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Damaged { damage: Damage::Newer(_), .. } => ErrorCode::HomeTooNew,
            Self::Damaged { .. } => ErrorCode::ChainFileInvalid,
            Self::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                ErrorCode::DiskFull
            }
            Self::Io { .. } => ErrorCode::FileUnreadable,
        }
    }
}

/// A value as a frame.
#[must_use]
pub fn frame(value: &impl Encode) -> Vec<u8> {
    let bytes = value.to_bytes();
    let mut writer = codec::Writer::new();
    writer.varint(bytes.len() as u128);
    writer.raw(&bytes);
    writer.into_bytes()
}

/// The values in frames, one after another to the end of `bytes`.
pub fn frames<T: Decode>(bytes: &[u8]) -> Result<Vec<T>, ChainFileError> {
    let mut source = source::Source::new(Path::new("the answer"), bytes);
    let mut values = Vec::new();
    while source.read < bytes.len() as u64 {
        values.push(source.value()?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
