//! The writer: the one place where bytes are added to the journal.
//!
//! It knows nothing of threads and of who waits for what. Every write is one system call at
//! the end of the last segment, and leaves no bytes in this process.
//! Invariant: `end` never counts a byte that was not written whole; what a failed write left
//! behind `end` is cut off before the next write.

use super::Position;
use super::disk::Disk;
use super::error::JournalError;
use super::frame::{self, FRAME_HEAD_BYTES, MARK_BYTES, RECORD_BYTES_MAX};
use super::recovery::{Last, Recovery, Sealed};
use super::segment::{HEADER_BYTES, Header, Kind, Segment, random_salt};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Capacity of the frame buffer that is kept between writes, bytes.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// The number of a journal's first segment.
const FIRST_SEGMENT: u64 = 1;

/// Adds records to the last segment, and begins new ones.
pub(super) struct Writer {
    disk: Disk,
    directory: PathBuf,
    segment_bytes_max: u64,
    sealed: BTreeMap<u64, Sealed>,
    current: Arc<Segment>,
    /// Where the next frame goes in the current segment, bytes.
    end: u64,
    /// Where the last record ended: `end` without marks after it.
    records_end: Position,
    /// End of the last record in the current segment that is known to be durable.
    durable: u64,
    /// Whether a failed write may have left bytes behind `end`.
    torn: bool,
    /// Why nothing is written any more.
    halted: Option<JournalError>,
    buffer: Vec<u8>,
}

/// What one sync has to cover.
pub(super) struct Written {
    /// The segment to sync; those before it are durable.
    pub(super) segment: Arc<Segment>,
    /// The end of the last record that the sync covers, bytes.
    end: u64,
}

/// Size of the frames of records, bytes.
pub(super) fn frames_bytes(records: &[Vec<u8>]) -> usize {
    records.iter().map(|record| FRAME_HEAD_BYTES + record.len()).sum()
}

/// Refuses a record that no frame holds.
pub(super) fn check_record(record: &[u8]) -> Result<(), JournalError> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(JournalError::RecordTooLarge(record.len()));
    }
    Ok(())
}

impl Writer {
    /// The writer behind what recovery found.
    pub(super) fn new(
        disk: Disk,
        directory: &Path,
        segment_bytes_max: u64,
        recovery: &mut Recovery,
    ) -> Result<Self, JournalError> {
        let last = match recovery.last.take() {
            Some(last) => last,
            None => {
                let header = new_header(FIRST_SEGMENT, Kind::Log, 0, 0)?;
                let segment = Segment::create(&disk, directory, header, &[])?;
                Last { segment, end: Segment::FIRST_FRAME, unmarked: false }
            }
        };
        let Last { segment, end, unmarked } = last;
        let number = segment.header.number;
        let sealed = recovery.sealed.drain(..).filter(|(sealed, _)| *sealed != number).collect();
        let mut writer = Self {
            disk,
            directory: directory.to_owned(),
            segment_bytes_max,
            sealed,
            current: Arc::new(segment),
            end,
            records_end: Position { segment: number, offset: end },
            durable: end,
            torn: false,
            halted: None,
            buffer: Vec::new(),
        };
        if unmarked {
            writer.mark();
        }
        Ok(writer)
    }

    /// Where the last record ended.
    pub(super) fn records_end(&self) -> Position {
        self.records_end
    }

    /// Writes one record.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<Position, JournalError> {
        check_record(record)?;
        self.make_room(FRAME_HEAD_BYTES + record.len())?;
        self.buffer.clear();
        let position = self.put(record);
        self.write_buffer()?;
        Ok(position)
    }

    /// Writes commits, each whole or not at all; returns where each one begins.
    pub(super) fn write<'a>(
        &mut self,
        commits: impl ExactSizeIterator<Item = &'a [Vec<u8>]>,
    ) -> Vec<Result<Position, JournalError>> {
        let count = commits.len();
        let mut commits = commits.peekable();
        let mut results = Vec::with_capacity(count);
        while let Some(first) = commits.next() {
            let mut run = vec![first];
            let mut bytes = frames_bytes(first);
            if let Err(error) = self.make_room(bytes) {
                results.resize(count, Err(error));
                break;
            }
            while let Some(next) = commits.next_if(|next| self.fits(bytes + frames_bytes(next))) {
                bytes += frames_bytes(next);
                run.push(next);
            }
            self.write_run(&run, &mut results);
        }
        results
    }

    /// Writes the commits that fit into this segment at once: all of them or none.
    fn write_run(&mut self, run: &[&[Vec<u8>]], results: &mut Vec<Result<Position, JournalError>>) {
        self.buffer.clear();
        let before = results.len();
        for commit in run {
            let start = self.position();
            commit.iter().for_each(|record| {
                self.put(record);
            });
            results.push(Ok(start));
        }
        if let Err(error) = self.write_buffer() {
            results[before..].fill(Err(error));
        }
    }

    /// Where the next frame in the buffer will stand.
    fn position(&self) -> Position {
        let offset = self.end + self.buffer.len() as u64;
        Position { segment: self.current.header.number, offset }
    }

    /// Puts a record's frame into the buffer.
    fn put(&mut self, record: &[u8]) -> Position {
        let position = self.position();
        frame::put_record(&mut self.buffer, self.current.header.salt, position.offset, record);
        position
    }

    /// Writes the buffer's records at the end.
    fn write_buffer(&mut self) -> Result<(), JournalError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.write_frames()?;
        self.records_end = self.position();
        Ok(())
    }

    /// Writes the buffer at the end, or nothing of it.
    fn write_frames(&mut self) -> Result<(), JournalError> {
        let file = &self.current.file;
        if let Err(error) = file.write(&self.buffer, self.end) {
            self.torn = true;
            let error = JournalError::file("write", file.path(), error);
            // If this fails too, it is tried again before the next write.
            self.cut_torn().ok();
            return Err(error);
        }
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }

    /// Cuts off what a failed write left.
    fn cut_torn(&mut self) -> Result<(), JournalError> {
        if self.torn {
            let file = &self.current.file;
            file.cut(self.end).map_err(|error| JournalError::file("cut", file.path(), error))?;
            self.torn = false;
        }
        Ok(())
    }

    /// Whether so many bytes more leave the segment within its length.
    fn fits(&self, bytes: usize) -> bool {
        self.end + bytes as u64 <= self.segment_bytes_max
    }

    /// Makes ready for a write of so many bytes, in a new segment if this one is full.
    fn make_room(&mut self, bytes: usize) -> Result<(), JournalError> {
        if let Some(error) = &self.halted {
            return Err(error.clone());
        }
        self.cut_torn()?;
        if self.fits(bytes) || self.end == Segment::FIRST_FRAME {
            return Ok(());
        }
        self.sync_current()?;
        self.begin_segment(Kind::Log, self.end, &[])
    }

    /// Makes the current segment durable.
    fn sync_current(&mut self) -> Result<(), JournalError> {
        let file = &self.current.file;
        if let Err(error) = file.sync() {
            let error = JournalError::sync(file.path(), error);
            return Err(self.halt(error));
        }
        Ok(())
    }

    /// Begins the next segment with `records`.
    fn begin_segment(
        &mut self,
        kind: Kind,
        previous_bytes: u64,
        records: &[Vec<u8>],
    ) -> Result<(), JournalError> {
        let number = self.current.header.number + 1;
        let header = new_header(number, kind, previous_bytes, frames_bytes(records) as u64)?;
        let (salt, end) = (header.salt, header.durable_bytes);
        let mut frames = Vec::with_capacity(frames_bytes(records));
        for record in records {
            let offset = Segment::FIRST_FRAME + frames.len() as u64;
            frame::put_record(&mut frames, salt, offset, record);
        }
        debug_assert_eq!(Segment::FIRST_FRAME + frames.len() as u64, end);
        let created = Segment::create(&self.disk, &self.directory, header, &frames);
        let segment = created.map_err(|error| self.halt_if_unsure(error))?;
        let before = std::mem::replace(&mut self.current, Arc::new(segment));
        let sealed = Sealed { salt: before.header.salt, bytes: self.end };
        self.sealed.insert(before.header.number, sealed);
        (self.end, self.durable, self.torn) = (end, end, false);
        self.records_end = Position { segment: number, offset: end };
        Ok(())
    }

    /// Begins a segment that stands for everything before it. Returns where it begins.
    pub(super) fn checkpoint(
        &mut self,
        seen: Position,
        records: &[Vec<u8>],
    ) -> Result<Position, JournalError> {
        if let Some(error) = &self.halted {
            return Err(error.clone());
        }
        let end = self.records_end;
        if seen != end {
            return Err(JournalError::CheckpointStale { seen, end });
        }
        self.begin_segment(Kind::Checkpoint, 0, records)?;
        Ok(Position { offset: Segment::FIRST_FRAME, ..self.records_end })
    }

    /// What a sync has to cover now.
    pub(super) fn written(&self) -> Written {
        Written { segment: Arc::clone(&self.current), end: self.records_end.offset }
    }

    /// Notes that a sync succeeded, and leaves a mark of it for recovery.
    ///
    /// # Errors
    /// If the journal was halted meanwhile: one sync's error may have been another's.
    pub(super) fn note_durable(&mut self, written: &Written) -> Result<(), JournalError> {
        if let Some(error) = &self.halted {
            return Err(error.clone());
        }
        let current = self.current.header.number == written.segment.header.number;
        if current && written.end > self.durable {
            self.durable = written.end;
            self.mark();
        }
        Ok(())
    }

    /// Writes a mark. Without it recovery knows less, but nothing wrong, so that it may fail.
    fn mark(&mut self) {
        if self.cut_torn().is_ok() {
            self.buffer.clear();
            let (salt, durable) = (self.current.header.salt, self.durable);
            frame::put_mark(&mut self.buffer, salt, self.end, durable);
            debug_assert_eq!(self.buffer.len(), MARK_BYTES);
            self.write_frames().ok();
        }
    }

    /// Stops all writing for ever; returns the reason, which is the first one.
    pub(super) fn halt(&mut self, error: JournalError) -> JournalError {
        self.halted.get_or_insert(error).clone()
    }

    fn halt_if_unsure(&mut self, error: JournalError) -> JournalError {
        match error {
            JournalError::SyncFailed { .. } => self.halt(error),
            error => error,
        }
    }

    /// The oldest segment before `number`, if there is one.
    pub(super) fn oldest_before(&self, number: u64) -> Option<u64> {
        self.sealed.keys().next().copied().filter(|oldest| *oldest < number)
    }

    /// Forgets a segment that was removed.
    pub(super) fn forget(&mut self, number: u64) {
        self.sealed.remove(&number);
    }

    /// The salt and the length of a segment.
    pub(super) fn sealed(&self, number: u64) -> Option<Sealed> {
        let current = &self.current.header;
        if number == current.number {
            return Some(Sealed { salt: current.salt, bytes: self.end });
        }
        self.sealed.get(&number).copied()
    }

    /// Makes everything durable before the journal is closed.
    pub(super) fn close(&mut self) -> Result<(), JournalError> {
        let records_end = self.records_end.offset;
        if self.halted.is_none() && records_end > self.durable {
            self.sync_current()?;
            self.durable = records_end;
            self.mark();
        }
        Ok(())
    }
}

fn new_header(
    number: u64,
    kind: Kind,
    previous_bytes: u64,
    frames_bytes: u64,
) -> Result<Header, JournalError> {
    let durable_bytes = HEADER_BYTES as u64 + frames_bytes;
    Ok(Header { number, kind, previous_bytes, durable_bytes, salt: random_salt()? })
}
