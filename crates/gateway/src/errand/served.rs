//! What this node has served for other gateways, until it has settled or can settle no more.
//!
//! Records are written many at once: whoever waits shares one durable write.
//!
//! **Invariant**: a record is durable before [`ServedLog::keep`] returns, and what it says of a
//! line is never lowered.

use crate::archive::ArchiveError;
use ambar_base::{Encode, Height, codec, record};
use ambar_receipt::{Counters, SignedOneCall};
use ambar_tables::Tables;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// (channel, number, line) → [`Served`].
const SERVED: TableDefinition<'_, (u64, u64, u64), &[u8]> = TableDefinition::new("served");
/// (admission height, channel, number, line): what can be forgotten by height.
const HEIGHTS: TableDefinition<'_, (u64, u64, u64, u64), ()> = TableDefinition::new("heights");
/// Memory for the page cache, bytes.
const CACHE_BYTES: usize = 1 << 20;
/// Records that wait to be written.
const WAITING_MAX: usize = 4_096;
/// Records of one write.
const WRITE_MAX: usize = 1_024;
/// Records that one write forgets at most.
const FORGET_MAX: usize = 4_096;

record! {
    /// What was served of one line.
    pub struct Served {
        /// What the gateway asked for.
        pub certificate: SignedOneCall,
        /// What was used.
        pub counters: Counters,
    }
}

/// Where a line is: channel, sequence number, index.
pub type LinePlace = (u64, u64, u64);

struct Kept {
    served: Served,
    durable: oneshot::Sender<Result<(), ArchiveError>>,
}

/// The log.
#[derive(Clone)]
pub struct ServedLog {
    tables: Arc<Tables>,
    waiting: mpsc::Sender<Kept>,
}

fn place(served: &Served) -> LinePlace {
    let call = &served.certificate.call;
    (call.channel, call.n, call.line)
}

impl ServedLog {
    /// Opens the log in a file, which is created if it does not exist. `oldest` says below
    /// which admission height nothing can settle any more.
    ///
    /// # Errors
    /// What the file's tables fail with.
    pub fn open(
        file: &Path,
        oldest: impl Fn() -> Height + Send + 'static,
    ) -> Result<Self, ArchiveError> {
        let prepare = |write: &WriteTransaction| {
            write.open_table(SERVED)?;
            write.open_table(HEIGHTS)?;
            Ok::<_, ArchiveError>(())
        };
        let (tables, ()) = Tables::open(file, CACHE_BYTES, prepare)?;
        let tables = Arc::new(tables);
        let (waiting, kept) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write_all(Arc::clone(&tables), kept, oldest));
        Ok(Self { tables, waiting })
    }

    /// Keeps what was served, durably. Of a line that is there already the higher counts stay.
    ///
    /// # Errors
    /// What the file's tables fail with; a full disk is waited out by them.
    pub async fn keep(&self, served: Served) -> Result<(), ArchiveError> {
        let (durable, written) = oneshot::channel();
        let closed = |_| ArchiveError::Closed;
        let sent = self.waiting.send(Kept { served, durable }).await;
        sent.map_err(|_| ArchiveError::Closed)?;
        written.await.map_err(closed)?
    }

    /// What was served of a line.
    ///
    /// # Errors
    /// What the file's tables fail with.
    pub fn get(&self, place: LinePlace) -> Result<Option<Served>, ArchiveError> {
        let read = self.tables.begin_read()?;
        let value = read.open_table(SERVED)?.get(place)?;
        value.map(|value| decoded(value.value())).transpose()
    }

    #[cfg(test)]
    fn lines(&self) -> Result<u64, ArchiveError> {
        use redb::ReadableTableMetadata as _;
        Ok(self.tables.begin_read()?.open_table(SERVED)?.len()?)
    }
}

fn decoded(bytes: &[u8]) -> Result<Served, ArchiveError> {
    codec::decode(bytes).map_err(|error| ArchiveError::Store(error.to_string()))
}

/// Writes what waits, until nobody can add to it.
async fn write_all(
    tables: Arc<Tables>,
    mut kept: mpsc::Receiver<Kept>,
    oldest: impl Fn() -> Height,
) {
    let mut batch = Vec::new();
    while kept.recv_many(&mut batch, WRITE_MAX).await > 0 {
        let (served, waiting): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|kept| (kept.served, kept.durable)).unzip();
        let (disk, before) = (Arc::clone(&tables), oldest());
        let write = move || disk.write(|write| put(write, &served, before));
        let written = tokio::task::spawn_blocking(write).await;
        let written = written.unwrap_or(Err(ArchiveError::Closed));
        for durable in waiting {
            // Whoever went away does not want to know.
            let _ = durable.send(written.clone());
        }
    }
}

fn put(write: &WriteTransaction, batch: &[Served], oldest: Height) -> Result<(), ArchiveError> {
    let mut table = write.open_table(SERVED)?;
    let mut heights = write.open_table(HEIGHTS)?;
    for served in batch {
        let place = place(served);
        let known = table.get(place)?.map(|value| decoded(value.value())).transpose()?;
        let served = match known {
            Some(known) if !known.counters.within(&served.counters) => known,
            _ => served.clone(),
        };
        table.insert(place, served.to_bytes().as_slice())?;
        let (channel, n, line) = place;
        heights.insert((served.certificate.call.admitted.0, channel, n, line), ())?;
    }
    let over = heights.range(..(oldest.0, 0, 0, 0))?.take(FORGET_MAX);
    let over: Vec<_> = over.map(|row| row.map(|(key, _)| key.value())).collect::<Result<_, _>>()?;
    for key @ (_, channel, n, line) in over {
        heights.remove(key)?;
        table.remove((channel, n, line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Digest, Moment, NetworkId, Price, SecretKey};
    use ambar_receipt::{Counter, OneCall};
    use std::sync::atomic::{AtomicU64, Ordering};

    fn served(n: u64, admitted: u64, tokens: u64) -> Served {
        let call = OneCall {
            gateway: 0,
            node: 1,
            channel: 7,
            n,
            line: 0,
            version: 0,
            grant: 0,
            admitted: Height(admitted),
            time: Moment(0),
            bound: Counters::default(),
            price_max: Price(1),
            work: Digest::ZERO,
        };
        let key = SecretKey::from_seed(&[1; 32]);
        let certificate = call.sign(NetworkId(Digest::ZERO), &key);
        Served { certificate, counters: Counters::new([(Counter::TokensOut, tokens)]) }
    }

    #[tokio::test]
    async fn what_was_served_is_there_again_and_never_less() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("served.redb");
        let log = ServedLog::open(&file, || Height(0)).unwrap();
        log.keep(served(1, 5, 10)).await.unwrap();
        log.keep(served(1, 5, 4)).await.unwrap();
        assert_eq!(log.get((7, 1, 0)).unwrap(), Some(served(1, 5, 10)));
        log.keep(served(1, 5, 12)).await.unwrap();
        drop(log);
        // The writer ends with the last handle; its file is closed a moment later.
        let again = loop {
            match ServedLog::open(&file, || Height(0)) {
                Ok(log) => break log,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(again.get((7, 1, 0)).unwrap(), Some(served(1, 5, 12)));
        assert_eq!(again.get((7, 2, 0)).unwrap(), None);
    }

    #[tokio::test]
    async fn what_cannot_settle_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let oldest = Arc::new(AtomicU64::new(0));
        let height = Arc::clone(&oldest);
        let log = ServedLog::open(&directory.path().join("served.redb"), move || {
            Height(height.load(Ordering::Relaxed))
        });
        let log = log.unwrap();
        let records = (0..50).map(|n| log.keep(served(n, n, 1)));
        futures::future::try_join_all(records).await.unwrap();
        assert_eq!(log.lines().unwrap(), 50);
        oldest.store(40, Ordering::Relaxed);
        log.keep(served(50, 50, 1)).await.unwrap();
        assert_eq!(log.lines().unwrap(), 11);
        assert!(log.get((7, 39, 0)).unwrap().is_none() && log.get((7, 40, 0)).unwrap().is_some());
    }
}
