//! A back end of the embedded store that keeps what the disk does not take.
//!
//! Writes stay in memory until the store asks for durability. When the disk refuses them
//! then, they stay still, the store is told that all is well, and the failure is remembered.
//! Whoever commits asks after every commit whether one is remembered, and meanwhile starts
//! no other before [`Deferred::flush`] has succeeded.
//!
//! **Invariant**: what is read is what was written last, whether the disk has it or not.
//! Blocks reach the disk from the end of the file to its start, so that the header, which
//! makes a commit valid, comes last.

use redb::{BackendError, StorageBackend};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Unit of buffering, bytes: a page of the store.
const BLOCK_BYTES: usize = 4096;

/// Longest single write to the disk, blocks.
const RUN_BLOCKS_MAX: usize = 256;

type Block = Arc<[u8; BLOCK_BYTES]>;

/// A back end in front of another.
pub(crate) struct Deferred {
    inner: Box<dyn StorageBackend>,
    buffer: RwLock<Buffer>,
    lenient: AtomicBool,
}

struct Buffer {
    /// The length that the store sees.
    length: u64,
    /// The length of the inner back end.
    inner_length: u64,
    /// How much of the inner back end still counts; beyond are zeros.
    valid: u64,
    blocks: BTreeMap<u64, Block>,
    failure: Option<Failure>,
}

/// Why the disk did not take what waits.
#[derive(Clone, Debug)]
struct Failure {
    kind: io::ErrorKind,
    message: String,
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").finish_non_exhaustive()
    }
}

impl Deferred {
    /// In front of `inner`. Strict at first: failures reach the store, as opening wants.
    pub(crate) fn new(inner: Box<dyn StorageBackend>) -> io::Result<Self> {
        let length = inner.len()?;
        let blocks = BTreeMap::new();
        let buffer = Buffer { length, inner_length: length, valid: length, blocks, failure: None };
        Ok(Self { inner, buffer: RwLock::new(buffer), lenient: AtomicBool::new(false) })
    }

    /// From now on remembers failures to make writes durable instead of reporting them.
    pub(crate) fn defer_failures(&self) {
        self.lenient.store(true, Ordering::Release);
    }

    /// The failure remembered, if writes wait for the disk.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        let failure = self.buffer().failure.clone();
        failure.map(|Failure { kind, message }| match kind {
            // Its own text: one from a message would hide what the system calls it.
            io::ErrorKind::StorageFull => kind.into(),
            _ => io::Error::new(kind, message),
        })
    }

    /// How much is kept in memory, bytes.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.buffer().blocks.len() * BLOCK_BYTES
    }

    fn buffer(&self) -> RwLockReadGuard<'_, Buffer> {
        self.buffer.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn buffer_mut(&self) -> RwLockWriteGuard<'_, Buffer> {
        self.buffer.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes all writes durable, or remembers why not. Readers go on meanwhile.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let (blocks, length) = {
            let buffer = self.buffer();
            (buffer.blocks.clone(), buffer.length)
        };
        let result = self.write_out(&blocks, length);
        let mut buffer = self.buffer_mut();
        match &result {
            Ok(()) => buffer.settle(&blocks),
            Err(error) => {
                buffer.failure = Some(Failure { kind: error.kind(), message: error.to_string() });
            }
        }
        result
    }

    fn write_out(&self, blocks: &BTreeMap<u64, Block>, length: u64) -> io::Result<()> {
        self.resize(length)?;
        let blocks: Vec<_> = blocks.iter().collect();
        let runs = blocks.chunk_by(|(at, _), (next, _)| *at + 1 == **next);
        for run in runs.rev().flat_map(|run| run.rchunks(RUN_BLOCKS_MAX)) {
            let offset = *run[0].0 * BLOCK_BYTES as u64;
            let mut bytes = Vec::with_capacity(run.len() * BLOCK_BYTES);
            run.iter().for_each(|(_, block)| bytes.extend_from_slice(block.as_slice()));
            bytes.truncate(usize::try_from(length - offset).unwrap_or(usize::MAX));
            self.inner.write(offset, &bytes)?;
        }
        self.inner.sync_data()
    }

    /// Drops what no longer counts, then grows.
    fn resize(&self, length: u64) -> io::Result<()> {
        let (inner_length, valid) = {
            let buffer = self.buffer();
            (buffer.inner_length, buffer.valid)
        };
        for length in [valid.min(inner_length), length] {
            if self.buffer().inner_length != length {
                self.inner.set_len(length)?;
                self.buffer_mut().inner_length = length;
            }
        }
        self.buffer_mut().valid = length;
        Ok(())
    }

    fn load(&self, buffer: &Buffer, at: u64) -> io::Result<[u8; BLOCK_BYTES]> {
        if let Some(block) = buffer.blocks.get(&at) {
            return Ok(**block);
        }
        let mut bytes = [0; BLOCK_BYTES];
        let offset = at * BLOCK_BYTES as u64;
        let count = buffer.valid.saturating_sub(offset).min(BLOCK_BYTES as u64) as usize;
        if count > 0 {
            self.inner.read(offset, &mut bytes[..count])?;
        }
        Ok(bytes)
    }
}

impl Buffer {
    /// Forgets blocks that the disk has; those written meanwhile stay.
    fn settle(&mut self, durable: &BTreeMap<u64, Block>) {
        self.blocks.retain(|at, block| !durable.get(at).is_some_and(|had| Arc::ptr_eq(had, block)));
        self.failure = None;
    }

    fn check_range(&self, offset: u64, count: usize) -> io::Result<()> {
        let end = offset.checked_add(count as u64);
        if end.is_some_and(|end| end <= self.length) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "past the end of the store"))
    }
}

/// The parts of `offset .. offset + count` by block: block number, start in the block,
/// range of the caller's bytes.
fn parts(offset: u64, count: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == count {
            return None;
        }
        let position = offset + done as u64;
        let start = (position % BLOCK_BYTES as u64) as usize;
        let range = done..count.min(done + BLOCK_BYTES - start);
        done = range.end;
        Some((position / BLOCK_BYTES as u64, start, range))
    })
}

impl Deferred {
    fn len(&self) -> io::Result<u64> {
        Ok(self.buffer().length)
    }

    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let buffer = self.buffer();
        buffer.check_range(offset, out.len())?;
        let end = offset + out.len() as u64;
        let blocks = offset / BLOCK_BYTES as u64..end.div_ceil(BLOCK_BYTES as u64);
        if end <= buffer.valid && buffer.blocks.range(blocks).next().is_none() {
            return self.inner.read(offset, out);
        }
        for (at, start, range) in parts(offset, out.len()) {
            let block = self.load(&buffer, at)?;
            out[range.clone()].copy_from_slice(&block[start..start + range.len()]);
        }
        Ok(())
    }

    pub(crate) fn set_len(&self, length: u64) -> io::Result<()> {
        let mut buffer = self.buffer_mut();
        buffer.length = length;
        buffer.valid = buffer.valid.min(length);
        buffer.blocks.split_off(&length.div_ceil(BLOCK_BYTES as u64));
        // Growing again must find zeros.
        let (last, rest) = (length / BLOCK_BYTES as u64, (length % BLOCK_BYTES as u64) as usize);
        if let Some(block) = buffer.blocks.get_mut(&last) {
            Arc::make_mut(block)[rest..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.flush() {
            Err(error) if !self.lenient.load(Ordering::Acquire) => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut buffer = self.buffer_mut();
        buffer.check_range(offset, data.len())?;
        for (at, start, range) in parts(offset, data.len()) {
            let whole = range.len() == BLOCK_BYTES;
            let mut block = if whole { [0; BLOCK_BYTES] } else { self.load(&buffer, at)? };
            block[start..start + range.len()].copy_from_slice(&data[range]);
            buffer.blocks.insert(at, Arc::new(block));
        }
        Ok(())
    }
}

/// The store's handle on a back end that somebody keeps an eye on.
#[derive(Debug)]
pub(crate) struct Handle(pub(crate) Arc<Deferred>);

macro_rules! delegate {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty, by $($to:ident).*;)*) => {
        impl StorageBackend for Handle {
            $(fn $name(&self, $($arg: $type),*) -> $out { self.0.$($to).*($($arg),*) })*
        }
    };
}
delegate! {
    len() -> io::Result<u64>, by len;
    read(offset: u64, out: &mut [u8]) -> io::Result<()>, by read;
    set_len(length: u64) -> io::Result<()>, by set_len;
    sync_data() -> io::Result<()>, by sync_data;
    write(offset: u64, data: &[u8]) -> io::Result<()>, by write;
    close() -> io::Result<()>, by inner.close;
    try_lock_range(start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError>,
        by inner.try_lock_range;
    try_lock_shared_range(start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError>,
        by inner.try_lock_shared_range;
    lock_range(start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError>,
        by inner.lock_range;
    lock_shared_range(start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError>,
        by inner.lock_shared_range;
    unlock_range(start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError>,
        by inner.unlock_range;
    query_lock_range(start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError>,
        by inner.query_lock_range;
}
