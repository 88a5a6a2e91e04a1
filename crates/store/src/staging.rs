//! Files that do not have their name yet.
//!
//! **Invariant**: a staged file is removed when its writer fails, and by the next
//! [`sweep`] when its process was killed: the writer holds a lock on it that ends with
//! the process, so a sweep takes no living process's file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells files of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Most names tried before giving up: names of killed processes may be in the way.
const NAMES_MAX: usize = 1_000;

/// A file without its name. Removed when dropped, unless it was [named](Self::name).
#[derive(Debug)]
pub(crate) struct Staged {
    file: File,
    path: PathBuf,
    named: bool,
}

impl Staged {
    /// A new empty file in `dir`.
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        for _ in 0..NAMES_MAX {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = dir.join(format!("{}-{number}", process::id()));
            match File::options().read(true).write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    let staged = Self { file, path, named: false };
                    staged.file.lock()?;
                    return Ok(staged);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the content durable, then gives it its name, replacing what had it. The name
    /// is durable only after [`sync_dir`].
    pub(crate) fn name(mut self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.named {
            // What cannot be removed now is swept at the next open.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the names in `dir` durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes what killed processes left in `dir`.
pub(crate) fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let file = match File::open(&path) {
            Ok(file) => file,
            // Its writer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

/// Removes a file; says whether there was one.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
