//! Reading a chain file from its beginning to its end, and saying where it is damaged.

use super::source::Source;
use super::{CHAIN_FILE_FORMAT, ChainFileError, Damage, MAGIC, Opening};
use ambar_base::{Height, codec};
use ambar_consensus::Block;
use ambar_ledger::Genesis;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// An open chain file.
pub struct ChainReader<R = BufReader<File>> {
    source: Source<R>,
    /// Where the block that was read last begins.
    at: u64,
    /// The network.
    pub genesis: Genesis,
    /// The first block's height.
    pub first: Height,
    /// The last block's height.
    pub last: Height,
    next: Height,
}

impl ChainReader {
    /// Opens a file and reads up to its first block.
    pub fn open(path: &Path) -> Result<Self, ChainFileError> {
        let file = File::open(path);
        let file = file.map_err(|error| ChainFileError::Io { path: path.to_owned(), error })?;
        Self::over(path, BufReader::new(file))
    }
}

impl<R: Read> ChainReader<R> {
    /// Reads `input`, which failures call `path`.
    pub fn over(path: &Path, input: R) -> Result<Self, ChainFileError> {
        let mut source = Source::new(path, input);
        let magic = match source.exactly(MAGIC.len()) {
            // Shorter than any chain file: it is none.
            Err(ChainFileError::Damaged { .. }) => Vec::new(),
            other => other?,
        };
        if magic != MAGIC {
            return Err(source.damaged(0, Damage::Foreign));
        }
        let at = source.read;
        match source.varint()? {
            CHAIN_FILE_FORMAT => {}
            other => return Err(source.damaged(at, Damage::Newer(other))),
        }
        let at = source.read;
        let Opening { genesis, first, last } = source.value()?;
        let genesis = codec::decode::<Genesis>(&genesis).ok();
        let genesis = genesis.filter(|genesis| genesis.writes().is_some());
        let genesis = genesis.ok_or_else(|| source.damaged(at, Damage::Genesis))?;
        Ok(Self { source, at, genesis, first, last, next: first })
    }

    /// The next block; nothing after the last, when the whole file is as it was written.
    pub fn next_block(&mut self) -> Result<Option<Block>, ChainFileError> {
        if self.next > self.last {
            return self.source.end().map(|()| None);
        }
        self.at = self.source.read;
        let block: Block = self.source.value()?;
        let (expect, found) = (self.next, block.finality.header.height);
        if found != expect {
            return Err(self.damaged(Damage::Order { expect, found }));
        }
        self.next = expect.after(1);
        Ok(Some(block))
    }

    /// A failure of the block that was read last.
    #[must_use]
    pub fn damaged(&self, damage: Damage) -> ChainFileError {
        self.source.damaged(self.at, damage)
    }
}
