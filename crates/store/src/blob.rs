//! One open blob: reading groups and checking them.

use crate::error::StoreError;
use ambar_capsule::chunks::{
    CHAINING_VALUE_BYTES, CONTENT_BYTES_MAX, ChunkError, ContentRoot, GROUP_BYTES, Outboard,
    VerifiedOutboard,
};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

const GROUP: u64 = GROUP_BYTES as u64;

/// What is read at once when a blob goes by, bytes: 64 groups.
const PART_BYTES: u64 = 64 * GROUP;

/// An open blob whose outboard belongs to its root.
pub(crate) struct Blob {
    root: ContentRoot,
    file: File,
    length: u64,
    outboard: Arc<VerifiedOutboard>,
}

fn corrupt(root: ContentRoot, offset: u64) -> StoreError {
    StoreError::BlobCorrupt { root, offset }
}

/// The groups of a content of `length` bytes; nothing is one empty group.
fn groups_of(length: u64) -> u64 {
    length.div_ceil(GROUP).max(1)
}

/// Reads an outboard of `groups` groups and checks it against the root.
fn read_outboard(
    root: ContentRoot,
    path: &Path,
    groups: u64,
) -> Result<VerifiedOutboard, StoreError> {
    let file = File::open(path).map_err(|error| missing(error, corrupt(root, 0)))?;
    let bytes_max = groups * CHAINING_VALUE_BYTES as u64;
    let mut bytes = Vec::new();
    // One more than fits, so that a longer outboard is seen and not read.
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != bytes_max {
        return Err(corrupt(root, 0));
    }
    let outboard = Outboard::from_bytes(&bytes).and_then(|outboard| outboard.verify(&root));
    outboard.map_err(|_| corrupt(root, 0))
}

impl Blob {
    /// Opens a blob. Reads and checks its outboard, unless a checked one is at hand, and
    /// that the outboard fits the file's length.
    pub(crate) fn open(
        root: ContentRoot,
        path: &Path,
        outboard_path: &Path,
        at_hand: Option<Arc<VerifiedOutboard>>,
    ) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|error| missing(error, StoreError::NotFound(root)))?;
        let length = file.metadata()?.len();
        if length > CONTENT_BYTES_MAX {
            return Err(corrupt(root, CONTENT_BYTES_MAX));
        }
        let groups = groups_of(length);
        let outboard = match at_hand {
            Some(outboard) => outboard,
            None => Arc::new(read_outboard(root, outboard_path, groups)?),
        };
        if outboard.groups() != groups {
            return Err(corrupt(root, 0));
        }
        Ok(Self { root, file, length, outboard })
    }

    /// The outboard, checked.
    pub(crate) fn outboard(&self) -> Arc<VerifiedOutboard> {
        Arc::clone(&self.outboard)
    }

    /// The file's length, bytes. It is the content's once the last group was read.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Reads and checks consecutive groups that exist.
    fn read_groups(&mut self, groups: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let start = groups.start * GROUP;
        let end = self.length.min(groups.end * GROUP);
        // At most RANGE_BYTES_MAX and two groups, which every supported machine addresses.
        let mut bytes = vec![0; (end - start) as usize];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut bytes).map_err(|error| match error.kind() {
            // Shorter than a moment ago.
            io::ErrorKind::UnexpectedEof => corrupt(self.root, start),
            _ => error.into(),
        })?;
        self.outboard.check_groups(groups.start, &bytes).map_err(|error| match error {
            ChunkError::Group(index) | ChunkError::NoGroup(index) => {
                corrupt(self.root, index * GROUP)
            }
            _ => corrupt(self.root, start),
        })?;
        Ok(bytes)
    }

    /// The bytes of a range within the blob.
    pub(crate) fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let groups = range.start / GROUP..range.end.div_ceil(GROUP).max(range.start / GROUP + 1);
        // An empty range at the very end of full groups lies in no group.
        if groups.start >= groups_of(self.length) {
            return Ok(Vec::new());
        }
        let skipped = groups.start * GROUP;
        let mut bytes = self.read_groups(groups)?;
        bytes.truncate((range.end - skipped) as usize);
        bytes.drain(..(range.start - skipped) as usize);
        Ok(bytes)
    }

    /// Writes the bytes of a range within the blob, each part after it was checked; yields
    /// how many.
    pub(crate) fn copy_to(
        &mut self,
        range: Range<u64>,
        writer: &mut impl Write,
    ) -> Result<u64, StoreError> {
        let mut at = range.start;
        loop {
            // Parts end where groups do, so that no group is read twice.
            let end = range.end.min((at / PART_BYTES + 1) * PART_BYTES);
            let bytes = self.read(at..end)?;
            writer.write_all(&bytes).map_err(StoreError::Peer)?;
            at = end;
            if at >= range.end {
                return Ok(range.end - range.start);
            }
        }
    }
}

fn missing(error: io::Error, instead: StoreError) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound { instead } else { error.into() }
}
