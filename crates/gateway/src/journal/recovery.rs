//! Recovery: what a directory's segments say, and what a crash left that is none of it.
//!
//! Everything is read and verified before anything is changed. Then segments that a checkpoint
//! stands for and unfinished ones are removed, the torn tail of the last segment is cut off,
//! and what is not known to be durable is written and synced again: after a failed sync the
//! kernel may hold bytes as clean that never reached the disk.
//!
//! A tail is torn only if no mark and no header calls it durable. All other damage is refused.
//! Invariant: the records returned are durable, and a second recovery returns the same ones.

use super::Position;
use super::disk::Disk;
use super::error::{Damage, JournalCorrupt, JournalError};
use super::frame::{self, Scan};
use super::segment::{HEADER_BYTES, Kind, Named, Segment, named};
use super::settings::{QUEUE_BYTES_MAX, SEGMENT_BYTES_MAX};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Longest segment that is read, bytes: full but for a byte, then the largest commit, checkpoint
/// or mark.
pub(super) const SEGMENT_BYTES_READ_MAX: u64 = SEGMENT_BYTES_MAX + QUEUE_BYTES_MAX as u64;

/// A segment that others follow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    /// What its checksums begin with.
    pub(super) salt: u32,
    /// Its length, bytes.
    pub(super) bytes: u64,
}

/// The last segment.
pub(super) struct Last {
    /// The segment.
    pub(super) segment: Segment,
    /// Length of its frames and header, bytes.
    pub(super) end: u64,
    /// Whether there are records that no mark calls durable.
    pub(super) unmarked: bool,
}

/// What recovery found.
pub(super) struct Recovery {
    /// Segments before the last one, ascending.
    pub(super) sealed: Vec<(u64, Sealed)>,
    /// The last segment; nothing in an empty directory.
    pub(super) last: Option<Last>,
    /// Every record in order.
    pub(super) records: Vec<(Position, Vec<u8>)>,
    /// Length of the torn tail that was cut off, bytes.
    pub(super) truncated_bytes: u64,
}

/// Recovers a directory that this process has locked.
pub(super) fn recover(disk: &Disk, directory: &Path) -> Result<Recovery, JournalError> {
    let names = list(directory)?;
    let (chain, replaced) = chain(disk, directory, names.segments)?;
    let mut recovery =
        Recovery { sealed: Vec::new(), last: None, records: Vec::new(), truncated_bytes: 0 };
    let mut tail = None;
    let mut segments = chain.into_iter().peekable();
    while let Some(segment) = segments.next() {
        let bytes = contents(&segment)?;
        let scan = frame::scan(&bytes, segment.header.salt, HEADER_BYTES);
        let closed = segments.peek().map(|next| next.header.previous_bytes);
        judge(&segment, &bytes, &scan, closed)?;
        recovery.take(&segment, &bytes, &scan);
        if closed.is_none() {
            tail = Some((segment, bytes, scan));
        }
    }
    for path in names.unfinished.iter().chain(&replaced) {
        disk.remove(path).map_err(|error| JournalError::file("remove", path, error))?;
    }
    if let Some((segment, bytes, scan)) = tail {
        mend(&segment, &bytes, &scan)?;
        recovery.truncated_bytes = (bytes.len() - scan.end) as u64;
        let durable = scan.durable.max(segment.header.durable_bytes);
        let unmarked = scan.records.last().is_some_and(|(offset, _)| *offset >= durable);
        recovery.last = Some(Last { segment, end: scan.end as u64, unmarked });
    }
    disk.sync_directory(directory).map_err(|error| JournalError::file("sync", directory, error))?;
    Ok(recovery)
}

impl Recovery {
    /// Takes over the records of the next segment.
    fn take(&mut self, segment: &Segment, bytes: &[u8], scan: &Scan) {
        let number = segment.header.number;
        self.records.extend(scan.records.iter().map(|(offset, payload)| {
            (Position { segment: number, offset: *offset }, bytes[payload.clone()].to_vec())
        }));
        let sealed = Sealed { salt: segment.header.salt, bytes: bytes.len() as u64 };
        self.sealed.push((number, sealed));
    }
}

/// The journal's files in a directory.
struct Names {
    segments: BTreeSet<u64>,
    unfinished: Vec<PathBuf>,
}

fn list(directory: &Path) -> Result<Names, JournalError> {
    let failed = |error| JournalError::file("list", directory, error);
    let mut names = Names { segments: BTreeSet::new(), unfinished: Vec::new() };
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        match entry.file_name().to_str().map(named) {
            Some(Named::Segment(number)) => {
                names.segments.insert(number);
            }
            Some(Named::Unfinished) => names.unfinished.push(entry.path()),
            Some(Named::Foreign) | None => {}
        }
    }
    Ok(names)
}

/// The segments from the last checkpoint on, ascending, and the paths of those before it.
fn chain(
    disk: &Disk,
    directory: &Path,
    mut numbers: BTreeSet<u64>,
) -> Result<(Vec<Segment>, Vec<PathBuf>), JournalError> {
    let mut chain: Vec<Segment> = Vec::new();
    while let Some(number) = numbers.pop_last() {
        if let Some(next) = chain.last().filter(|next| next.header.number - number != 1) {
            let file = Segment::path(directory, next.header.number - 1);
            return Err(JournalCorrupt { file, offset: 0, damage: Damage::Missing }.into());
        }
        chain.push(Segment::open(disk, directory, number)?);
        if chain.last().is_some_and(|segment| segment.header.kind == Kind::Checkpoint) {
            break;
        }
    }
    chain.reverse();
    Ok((chain, numbers.into_iter().map(|number| Segment::path(directory, number)).collect()))
}

fn contents(segment: &Segment) -> Result<Vec<u8>, JournalError> {
    let path = segment.file.path();
    let failed = |error| JournalError::file("read", path, error);
    let bytes = segment.file.bytes().map_err(failed)?;
    if bytes > SEGMENT_BYTES_READ_MAX {
        let (file, offset) = (path.to_owned(), SEGMENT_BYTES_READ_MAX);
        return Err(JournalCorrupt { file, offset, damage: Damage::Length }.into());
    }
    let mut out = vec![0; bytes as usize];
    match segment.file.read(&mut out, 0) {
        Ok(()) => Ok(out),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let (file, offset) = (path.to_owned(), 0);
            Err(JournalCorrupt { file, offset, damage: Damage::Length }.into())
        }
        Err(error) => Err(failed(error)),
    }
}

/// Refuses damage. `closed` is the length that the segment was closed with, unless it is the
/// last one, whose end may be torn.
fn judge(
    segment: &Segment,
    bytes: &[u8],
    scan: &Scan,
    closed: Option<u64>,
) -> Result<(), JournalError> {
    let (whole, length) = (scan.end == bytes.len(), bytes.len() as u64);
    let was_durable = match closed {
        Some(_) => !whole,
        None => {
            !whole && frame::marked_beyond(bytes, segment.header.salt, scan.end)
                || segment.header.durable_bytes > scan.end as u64
        }
    };
    let (offset, damage) = match closed {
        _ if was_durable => (scan.end as u64, Damage::Frame),
        Some(closed) if closed != length => (length.min(closed), Damage::Length),
        _ => return Ok(()),
    };
    let file = segment.file.path().to_owned();
    Err(JournalCorrupt { file, offset, damage }.into())
}

/// Cuts off the last segment's torn tail and makes the rest durable.
fn mend(segment: &Segment, bytes: &[u8], scan: &Scan) -> Result<(), JournalError> {
    let (file, path) = (&segment.file, segment.file.path());
    if scan.end < bytes.len() {
        file.cut(scan.end as u64).map_err(|error| JournalError::file("cut", path, error))?;
    }
    let durable = scan.durable.max(segment.header.durable_bytes);
    file.write(&bytes[durable as usize..scan.end], durable)
        .map_err(|error| JournalError::file("write", path, error))?;
    file.sync().map_err(|error| JournalError::file("sync", path, error))
}
