//! What is done to the disk, one operation at a time, so that a test can make any of them the
//! last one.
//!
//! A file is written beside its place, made durable and renamed: a reader sees all of it or
//! nothing. **Invariant**: no name leads to a file of ours whose bytes are not durable.

use crate::error::CorpusError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a file is called until it is whole.
const NEW_SUFFIX: &str = "new";

/// One thing done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Create,
    Write,
    SyncFile,
    Rename,
    Link,
    Remove,
    SyncDirectory,
}

/// Asked before every operation: an error is what the operation fails with. A write that
/// fails has written half of its bytes.
pub trait Faults: Send + Sync {
    fn before(&self, operation: Operation, path: &Path) -> io::Result<()>;
}

/// The disk, with or without faults.
#[derive(Clone, Default)]
pub struct Disk {
    faults: Option<Arc<dyn Faults>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.faults.is_some() { "Disk(with faults)" } else { "Disk" })
    }
}

impl Disk {
    #[cfg(test)]
    pub fn with_faults(faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults) }
    }

    fn ask(&self, operation: Operation, path: &Path) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.before(operation, path))
    }

    /// Makes a directory, and its name durable.
    pub fn directory(&self, path: &Path) -> Result<(), CorpusError> {
        if path.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(path).map_err(|error| CorpusError::io(path, error))?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        above.map_or(Ok(()), |above| self.sync_directory(above))
    }

    /// Puts a durable file of these parts at `path`, over what is there. The name itself is
    /// durable after [`Self::sync_directory`].
    pub fn put(&self, path: &Path, parts: &[&[u8]]) -> Result<(), CorpusError> {
        let new = beside(path);
        self.write(&new, parts).map_err(|error| CorpusError::io(&new, error))?;
        let renamed = self.ask(Operation::Rename, path).and_then(|()| fs::rename(&new, path));
        renamed.map_err(|error| CorpusError::io(path, error))
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        self.ask(Operation::Create, path)?;
        let mut file = File::create(path)?;
        for part in parts {
            if let Err(error) = self.ask(Operation::Write, path) {
                file.write_all(&part[..part.len() / 2])?;
                return Err(error);
            }
            file.write_all(part)?;
        }
        self.ask(Operation::SyncFile, path)?;
        file.sync_data()
    }

    /// Gives a file a second name in another directory; false where the file system
    /// does not, or where the name is taken.
    pub fn link(&self, from: &Path, to: &Path) -> Result<bool, CorpusError> {
        self.ask(Operation::Link, to).map_err(|error| CorpusError::io(to, error))?;
        Ok(fs::hard_link(from, to).is_ok())
    }

    /// Makes the names in a directory durable.
    pub fn sync_directory(&self, path: &Path) -> Result<(), CorpusError> {
        let asked = self.ask(Operation::SyncDirectory, path);
        let synced = asked.and_then(|()| File::open(path)?.sync_all());
        synced.map_err(|error| CorpusError::io(path, error))
    }

    /// Removes every file of a directory whose name is not among those `kept`: what a crash
    /// or an older state has left.
    pub fn clear(&self, directory: &Path, kept: &[PathBuf]) -> Result<(), CorpusError> {
        let failed = |error| CorpusError::io(directory, error);
        for entry in fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if !kept.contains(&path) && path.is_file() {
                let asked = self.ask(Operation::Remove, &path);
                let removed = asked.and_then(|()| fs::remove_file(&path));
                removed.map_err(|error| CorpusError::io(&path, error))?;
            }
        }
        Ok(())
    }
}

/// The name of a file that is being written.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(NEW_SUFFIX);
    name.into()
}
