//! Writing a chain file: whole and durable, or not there under its name.

use super::{CHAIN_FILE_FORMAT, ChainFileError, Damage, MAGIC, Opening, frame};
use ambar_base::{Height, codec};
use ambar_consensus::Block;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A chain file in the making, beside the name that it gets at the end.
pub struct ChainWriter {
    path: PathBuf,
    staged: PathBuf,
    output: BufWriter<File>,
    hasher: Sha256,
    written: u64,
    next: Height,
    last: Height,
}

impl ChainWriter {
    /// Begins the file that becomes `path`.
    pub fn create(path: &Path, opening: &Opening) -> Result<Self, ChainFileError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let staged = path.with_file_name(name);
        let failed = |error| ChainFileError::Io { path: staged.clone(), error };
        let output = BufWriter::new(File::create(&staged).map_err(failed)?);
        let (first, last) = (opening.first, opening.last);
        let (hasher, path) = (Sha256::new(), path.to_owned());
        let mut writer = Self { path, staged, output, hasher, written: 0, next: first, last };
        let mut head = codec::Writer::new();
        head.raw(MAGIC);
        head.varint(CHAIN_FILE_FORMAT.into());
        head.raw(&frame(opening));
        writer.put(&head.into_bytes())?;
        Ok(writer)
    }

    /// Adds the next block. One that is out of order is refused.
    pub fn add(&mut self, block: &Block) -> Result<(), ChainFileError> {
        let found = block.finality.header.height;
        if found != self.next || found > self.last {
            let damage = Damage::Order { expect: self.next, found };
            let (path, offset) = (self.path.clone(), self.written);
            return Err(ChainFileError::Damaged { path, offset, damage });
        }
        self.put(&frame(block))?;
        self.next = self.next.after(1);
        Ok(())
    }

    /// Ends the file; its length in bytes. All blocks must have been added.
    pub fn finish(mut self) -> Result<u64, ChainFileError> {
        if self.next <= self.last {
            let (path, offset) = (self.path.clone(), self.written);
            return Err(ChainFileError::Damaged { path, offset, damage: Damage::Truncated });
        }
        let digest: [u8; 32] = self.hasher.clone().finalize().into();
        self.put(&digest)?;
        self.close().map_err(|error| ChainFileError::Io { path: self.path.clone(), error })?;
        Ok(self.written)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ChainFileError> {
        let failed = |error| ChainFileError::Io { path: self.staged.clone(), error };
        self.output.write_all(bytes).map_err(failed)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.output.flush()?;
        self.output.get_ref().sync_all()?;
        fs::rename(&self.staged, &self.path)
    }
}
