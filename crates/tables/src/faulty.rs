//! A disk in memory that refuses on demand, for tests of what becomes of tables then.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Medium {
    bytes: Vec<u8>,
    /// Writes accepted before the disk is full; `None` is any number.
    writes_left: Option<u64>,
    syncs_fail: bool,
}

/// A disk in memory that refuses on demand, even in the middle of a commit.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Mutex<Medium>>);

impl Disk {
    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.medium().bytes.clone()
    }

    /// Accepts as many writes from now on; `None` is any number.
    pub fn allow(&self, writes: Option<u64>) {
        self.medium().writes_left = writes;
    }

    /// Whether making durable fails from now on.
    pub fn fail_syncs(&self, fail: bool) {
        self.medium().syncs_fail = fail;
    }

    /// What a crash right now leaves behind.
    #[must_use]
    pub fn image(&self) -> Self {
        let bytes = self.bytes();
        Self(Arc::new(Mutex::new(Medium { bytes, ..Medium::default() })))
    }
}

impl Medium {
    fn take_write(&mut self) -> io::Result<()> {
        match &mut self.writes_left {
            None => Ok(()),
            Some(0) => Err(io::ErrorKind::StorageFull.into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.medium().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = offset as usize;
        out.copy_from_slice(&self.medium().bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut medium = self.medium();
        medium.take_write()?;
        medium.bytes.resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.medium().syncs_fail { Err(io::Error::other("no")) } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut medium = self.medium();
        medium.take_write()?;
        let start = offset as usize;
        medium.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}
