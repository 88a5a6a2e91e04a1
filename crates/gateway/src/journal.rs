//! The call journal's storage: an append-only log of records, in segments, that survives a
//! crash at any moment (write-ahead log; Mohan et al., "ARIES", TODS 1992).
//!
//! It knows nothing of calls: a record is bytes, and what it means, and when it may be dropped,
//! is its writer's to say. It promises two degrees of safety. A record that [`Journal::append`]
//! returned survives the end of this process; one that [`Journal::commit`] acknowledged
//! survives a power failure too.
//!
//! Invariants:
//! - records are recovered in the order of their positions, none is invented, and an
//!   acknowledged one is either recovered or its loss refused as [`JournalCorrupt`];
//! - after a sync has failed nothing is acknowledged any more (Rebello et al., "Can
//!   Applications Recover from fsync Failures?", USENIX ATC 2020);
//! - a record that was refused for lack of space is not in the journal.
//!
//! The last point has one exception, as everywhere: if the power fails before the cut that
//! follows a failed write is durable, whole frames of that write may be recovered.

mod disk;
mod error;
mod frame;
mod group;
mod recovery;
mod segment;
mod settings;
#[cfg(test)]
mod tests;
mod writer;

pub use disk::{Disk, Fault, Faults, Operation};
pub use error::{Damage, JournalCorrupt, JournalError};
pub use frame::RECORD_BYTES_MAX;
pub use group::Coming;
pub use settings::{
    GROUP_DELAY_MAX, GROUP_RECORDS_MAX, QUEUE_BYTES_MAX, QUEUE_RECORDS_MAX, SEGMENT_BYTES_MAX,
    SEGMENT_BYTES_MIN, Settings, Sync,
};

use crate::promptly;
use group::Queue;
use segment::Segment;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use writer::{Writer, check_record, frames_bytes};

/// The name of the file whose lock says that the journal is in use.
const LOCK_NAME: &str = "lock";

/// Where a record stands. Later records have greater positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The segment's number, from 1.
    pub segment: u64,
    /// Where the record's frame begins, bytes from the start of the segment.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// What a journal held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Every record in order; all are durable.
    pub records: Vec<(Position, Vec<u8>)>,
    /// Length of the torn tail that was cut off, bytes: what a crash had left half-written.
    pub truncated_bytes: u64,
}

/// An open journal. Many threads may share it; another journal on the same directory is
/// refused. Dropping it commits what waits and syncs what was appended.
pub struct Journal {
    directory: Arc<Path>,
    disk: Disk,
    writer: Arc<Mutex<Writer>>,
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    /// Held while segments are removed, so that two removers do not meet.
    removing: Mutex<()>,
    /// Ends after everything above has ended.
    _locked: DirectoryLock,
}

/// The lock on the directory.
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Closing the file would do, were it not for children of this process that are being
        // started: they hold a copy until they run their program.
        self.0.unlock().ok();
    }
}

/// A lock whose data is sound even after a panic: every change of it is one assignment behind
/// a finished operation.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Opens the journal in a directory, which is created if there is none.
    ///
    /// # Errors
    /// `Corrupt` if durable bytes are damaged (nothing is changed then), `HomeInUse` if the
    /// journal is open elsewhere, `Setting` out of bounds, `File` and `DiskFull`.
    pub fn open(
        directory: impl AsRef<Path>,
        settings: &Settings,
    ) -> Result<(Self, Recovered), JournalError> {
        Self::open_on(Disk::default(), directory, settings)
    }

    /// As [`Self::open`], on a disk that may have faults.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(
        disk: Disk,
        directory: impl AsRef<Path>,
        settings: &Settings,
    ) -> Result<(Self, Recovered), JournalError> {
        settings.check()?;
        let directory = directory.as_ref();
        create_directory(&disk, directory)?;
        let locked = lock_directory(directory)?;
        let mut recovery = recovery::recover(&disk, directory)?;
        let maximum = settings.segment_bytes_max;
        let writer = Writer::new(disk.clone(), directory, maximum, &mut recovery)?;
        let mut journal = Self {
            directory: directory.into(),
            disk,
            writer: Arc::new(Mutex::new(writer)),
            queue: Arc::new(Queue::new(settings)),
            thread: None,
            removing: Mutex::new(()),
            _locked: locked,
        };
        journal.start()?;
        let truncated_bytes = recovery.truncated_bytes;
        Ok((journal, Recovered { records: recovery.records, truncated_bytes }))
    }

    /// Starts the thread that commits.
    fn start(&mut self) -> Result<(), JournalError> {
        let (queue, writer) = (Arc::clone(&self.queue), Arc::clone(&self.writer));
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                promptly::ask(promptly::SYNCS);
                group::run(&queue, &writer);
            })
            .map_err(|error| JournalError::file("start a thread for", &self.directory, error))?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Writes a record without syncing it: it survives the end of this process, but not a power
    /// failure before the next sync. Blocks for one write, or while a new segment is begun.
    ///
    /// # Errors
    /// `RecordTooLarge`; `DiskFull` and `File`, after which the record is not in the journal
    /// and later ones may succeed; `SyncFailed`, after which nothing succeeds any more.
    pub fn append(&self, record: &[u8]) -> Result<Position, JournalError> {
        lock(&self.writer).append(record)
    }

    /// Writes records next to each other, in one segment, and syncs them; resolves to the
    /// position of the first one when all are durable. Without records it makes durable what
    /// was appended before.
    ///
    /// The commit is queued by the call itself, in the order of calls; dropping the future does
    /// not take it back. An append may overtake a commit that is not resolved yet. If the power
    /// fails before it is resolved, some of its first records may be recovered.
    ///
    /// # Errors
    /// As [`Self::append`], and `Overloaded` and `CommitTooLarge` for the queue's limits.
    pub fn commit(
        &self,
        records: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<Position, JournalError>> + Send + use<> {
        group::answer(self.queue.push(records), Arc::clone(&self.directory))
    }

    /// Says that somebody will commit soon: while calls come thick, a sync waits for it, within the
    /// group's delay. To be dropped just before the commit.
    #[must_use]
    pub fn coming(&self) -> Coming {
        self.queue.coming()
    }

    /// Reads the record at a position that an append, a commit or the recovery returned.
    ///
    /// # Errors
    /// `PositionUnknown` if no record stands there (any more), `File`.
    pub fn read(&self, position: Position) -> Result<Vec<u8>, JournalError> {
        let unknown = JournalError::PositionUnknown(position);
        let Some(segment) = lock(&self.writer).sealed(position.segment) else {
            return Err(unknown);
        };
        let path = Segment::path(&self.directory, position.segment);
        let failed = |error| JournalError::file("read", &path, error);
        let file = self.disk.open(&path).map_err(failed)?;
        let mut frame = vec![0; frame::FRAME_HEAD_BYTES];
        if position.offset.saturating_add(frame.len() as u64) > segment.bytes {
            return Err(unknown);
        }
        file.read(&mut frame, position.offset).map_err(failed)?;
        let head = frame.first_chunk().copied().and_then(frame::payload_bytes);
        let end = head.map(|bytes| (frame.len() + bytes) as u64);
        let Some(bytes) = end.filter(|bytes| position.offset + bytes <= segment.bytes) else {
            return Err(unknown);
        };
        frame.resize(bytes as usize, 0);
        file.read(&mut frame, position.offset).map_err(failed)?;
        let record = frame::record_at(&frame, segment.salt, position.offset);
        record.map(<[u8]>::to_vec).ok_or(unknown)
    }

    /// Where the last record ends: the next one's position is not before it.
    #[must_use]
    pub fn end(&self) -> Position {
        lock(&self.writer).records_end()
    }

    /// Removes the segments that end before `position`. Records before it in the same segment
    /// stay. For when everything before it is final elsewhere.
    ///
    /// Whoever writes meanwhile is safe if both sides keep an order: a writer notes
    /// [`Self::end`] as needed before it appends or commits, and who retains reads
    /// [`Self::end`] before it looks for the oldest position that is needed.
    ///
    /// # Errors
    /// `PositionUnknown` behind the journal's end; `File`, after which some segments may be
    /// gone, and never one after one that stays.
    pub fn retain_from(&self, position: Position) -> Result<(), JournalError> {
        if position > self.end() {
            return Err(JournalError::PositionUnknown(position));
        }
        self.remove_before(position.segment)
    }

    /// Begins a new segment with `records`, which stand for everything before `seen`, and
    /// removes all older segments. `seen` is what [`Self::end`] returned before the records were
    /// gathered; they must account for every record before it, and for commits that were not
    /// resolved at that time. Returns the position of the first record. After a crash in
    /// between there are either the old records or the new ones.
    ///
    /// # Errors
    /// `CheckpointStale` if anything was written since `seen`; `RecordTooLarge`,
    /// `CommitTooLarge`, `DiskFull`, after which the old records stand; `SyncFailed`.
    /// `File` after which the old records stand, or the new ones and some old segments too,
    /// which are removed when the journal is opened.
    pub fn checkpoint(
        &self,
        seen: Position,
        records: &[Vec<u8>],
    ) -> Result<Position, JournalError> {
        records.iter().try_for_each(|record| check_record(record))?;
        let (bytes, max) = (frames_bytes(records), QUEUE_BYTES_MAX);
        if bytes > max {
            return Err(JournalError::CommitTooLarge { bytes, max });
        }
        let first = lock(&self.writer).checkpoint(seen, records)?;
        self.remove_before(first.segment)?;
        Ok(first)
    }

    /// Removes segments, oldest first, each for good before the next: a gap would be damage.
    fn remove_before(&self, number: u64) -> Result<(), JournalError> {
        let _removing = lock(&self.removing);
        let oldest = || lock(&self.writer).oldest_before(number);
        while let Some(oldest) = oldest() {
            let path = Segment::path(&self.directory, oldest);
            let failed = |error| JournalError::file("remove", &path, error);
            self.disk.remove(&path).map_err(failed)?;
            self.disk.sync_directory(&self.directory).map_err(failed)?;
            lock(&self.writer).forget(oldest);
        }
        Ok(())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
        // What was appended survives this process anyway; nobody is left to tell.
        lock(&self.writer).close().ok();
    }
}

/// Creates the directory and makes its name durable.
fn create_directory(disk: &Disk, directory: &Path) -> Result<(), JournalError> {
    if directory.is_dir() {
        return Ok(());
    }
    let failed = |error| JournalError::file("create", directory, error);
    std::fs::create_dir_all(directory).map_err(failed)?;
    match directory.parent() {
        Some(parent) if parent != Path::new("") => disk.sync_directory(parent).map_err(failed),
        _ => Ok(()),
    }
}

/// Locks the directory for as long as the file is open, in this process too.
fn lock_directory(directory: &Path) -> Result<DirectoryLock, JournalError> {
    let path = directory.join(LOCK_NAME);
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| JournalError::file("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock(file)),
        Err(TryLockError::WouldBlock) => Err(JournalError::HomeInUse(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(JournalError::file("lock", &path, error)),
    }
}
