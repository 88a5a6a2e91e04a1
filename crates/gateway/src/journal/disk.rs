//! The disk as the journal uses it: real files, and one hook before every operation through
//! which a test makes that operation fail, or write less than it was asked to.
//!
//! It knows nothing of segments and frames.
//! Invariant: without a hook, every operation is the operating system's own.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One thing that the journal does to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creates an empty file.
    Create,
    /// Shortens a file.
    Cut,
    /// Removes a name.
    Remove,
    /// Renames a file.
    Rename,
    /// Makes a file's bytes durable.
    SyncFile,
    /// Makes a directory's names durable.
    SyncDirectory,
    /// Writes this many bytes.
    Write(usize),
}

/// What a hook makes of an operation.
#[derive(Debug)]
pub enum Fault {
    /// The operation fails, and nothing is done.
    Fail(io::Error),
    /// The operation goes ahead.
    None,
    /// A write stops after this many bytes, without an error. Other operations go ahead.
    Short(usize),
    /// A sync says that it is done and does nothing, as on a disk that lies. Other operations
    /// go ahead.
    Skip,
}

/// A hook that is asked before every operation.
pub trait Faults: Send + Sync {
    /// What becomes of this operation on this path.
    fn before(&self, operation: Operation, path: &Path) -> Fault;
}

/// The real disk, with or without a hook.
#[derive(Clone, Default)]
pub struct Disk {
    faults: Option<Arc<dyn Faults>>,
}

impl Disk {
    /// A disk whose operations `faults` may spoil.
    #[must_use]
    pub fn with_faults(faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults) }
    }

    /// Asks the hook; a failure is an error already.
    fn ask(&self, operation: Operation, path: &Path) -> io::Result<Fault> {
        match self.faults.as_ref().map(|faults| faults.before(operation, path)) {
            None => Ok(Fault::None),
            Some(Fault::Fail(error)) => Err(error),
            Some(fault) => Ok(fault),
        }
    }

    /// Opens a file for reading and writing.
    pub(super) fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(DiskFile { disk: self.clone(), file, path: path.to_owned() })
    }

    /// Creates a file, empty even if there was one.
    pub(super) fn create(&self, path: &Path) -> io::Result<DiskFile> {
        self.ask(Operation::Create, path)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(DiskFile { disk: self.clone(), file, path: path.to_owned() })
    }

    /// Removes a file; one that is gone already is no error.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask(Operation::Remove, path)?;
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Renames a file within its directory.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Operation::Rename, to)?;
        std::fs::rename(from, to)
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_directory(&self, path: &Path) -> io::Result<()> {
        match self.ask(Operation::SyncDirectory, path)? {
            Fault::Skip => Ok(()),
            _ => File::open(path)?.sync_all(),
        }
    }
}

/// An open file.
pub(super) struct DiskFile {
    disk: Disk,
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Where it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file under the name that it was renamed to.
    pub(super) fn renamed(mut self, path: PathBuf) -> Self {
        self.path = path;
        self
    }

    /// Its length, bytes.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Fills `out` with the bytes from `offset` on.
    pub(super) fn read(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    /// Writes all of `bytes` at `offset`: one system call, unless that one stops early.
    pub(super) fn write(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let allowed = match self.disk.ask(Operation::Write(bytes.len()), &self.path)? {
                Fault::Short(allowed) => allowed,
                _ => bytes.len(),
            };
            let written = match self.file.write_at(&bytes[..bytes.len().min(allowed)], offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
            offset += written as u64;
        }
        Ok(())
    }

    /// Cuts the file to `bytes`.
    pub(super) fn cut(&self, bytes: u64) -> io::Result<()> {
        self.disk.ask(Operation::Cut, &self.path)?;
        self.file.set_len(bytes)
    }

    /// Makes its bytes durable (fdatasync).
    pub(super) fn sync(&self) -> io::Result<()> {
        match self.disk.ask(Operation::SyncFile, &self.path)? {
            Fault::Skip => Ok(()),
            _ => self.file.sync_data(),
        }
    }
}
