//! The tables of one file: reading, and writing that waits a full disk out.

use crate::deferred::{Deferred, Handle};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, Durability, Error, ReadTransaction, ReadableDatabase, StorageBackend,
    TransactionError, WriteTransaction,
};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// The tables of one file. One process has them open at a time.
#[derive(Debug)]
pub struct Tables {
    database: Database,
    backend: Arc<Deferred>,
}

impl Tables {
    /// Opens the tables in `file`, which is created if it does not exist. `prepare` makes
    /// them what they should be and looks whose they are; it is durable when this returns.
    ///
    /// # Errors
    /// Those of `prepare`; [`Error::DatabaseAlreadyOpen`]; what the disk says, also that it
    /// is full.
    pub fn open<T, E: From<Error>>(
        file: &Path,
        cache_bytes: usize,
        prepare: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(file).map_err(Error::Io)?;
        let backend = FileBackend::new(file).map_err(Error::from)?;
        Self::open_on(Box::new(backend), cache_bytes, prepare)
    }

    /// Opens the tables on another back end than a file.
    ///
    /// # Errors
    /// As [`Tables::open`].
    pub fn open_on<T, E: From<Error>>(
        backend: Box<dyn StorageBackend>,
        cache_bytes: usize,
        prepare: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        let backend = Arc::new(Deferred::new(backend).map_err(Error::Io)?);
        let mut builder = Builder::new();
        builder.set_cache_size(cache_bytes);
        let database = builder.create_with_backend(Handle(Arc::clone(&backend)));
        let tables = Self { database: database.map_err(Error::from)?, backend };
        let value = tables.commit(Durability::Immediate, prepare)?;
        tables.backend.defer_failures();
        Ok((tables, value))
    }

    /// A look at what was written last.
    ///
    /// # Errors
    /// What the store says: reading may fail, and then does until the file is opened again.
    pub fn begin_read(&self) -> Result<ReadTransaction, TransactionError> {
        self.database.begin_read()
    }

    /// Writes, all or nothing; durable when this returns. What waits for the disk goes
    /// first.
    ///
    /// # Errors
    /// Those of `work`, which then has no effect. What the disk says: if `work` was done,
    /// its effect is seen, and becomes durable with the next write or [`Tables::flush`].
    pub fn write<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        self.retry()?;
        let value = self.commit(Durability::Immediate, work)?;
        self.backend.failure().map_or(Ok(value), |error| Err(Error::Io(error).into()))
    }

    /// Writes, all or nothing; durable with the next [`Tables::write`] or
    /// [`Tables::flush`].
    ///
    /// # Errors
    /// Those of `work`, which then has no effect. What the disk says if something waits for
    /// it: nothing is done then.
    pub fn write_later<T, E: From<Error>>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        self.retry()?;
        self.commit(Durability::None, work)
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// What the disk says. What it refuses waits still.
    pub fn flush(&self) -> Result<(), Error> {
        self.write(|_| Ok(()))
    }

    /// How much is in memory because it is not durable yet, bytes.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.backend.waiting_bytes()
    }

    fn retry(&self) -> Result<(), Error> {
        if self.backend.failure().is_some() { Ok(self.backend.flush()?) } else { Ok(()) }
    }

    fn commit<T, E: From<Error>>(
        &self,
        durability: Durability,
        work: impl FnOnce(&WriteTransaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut write = self.database.begin_write().map_err(Error::from)?;
        write.set_durability(durability).map_err(Error::from)?;
        let value = work(&write)?;
        write.commit().map_err(Error::from)?;
        Ok(value)
    }
}
