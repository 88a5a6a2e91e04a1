//! A directory of blobs.
//!
//! Layout: `blobs/ab/abcd…` the content, `blobs/ab/abcd….outboard` beside it, `staging/`
//! for what is being written. The outboard gets its name first, so that a content that
//! has its name has its outboard.

use crate::blob::Blob;
use crate::cache::OutboardCache;
use crate::error::StoreError;
use crate::limits::{GET_BYTES_MAX, LIST_BLOBS_MAX, RANGE_BYTES_MAX};
use crate::staging::{Staged, remove, sweep, sync_dir};
use ambar_capsule::chunks::{CONTENT_BYTES_MAX, ChunkError, ChunkHasher, ChunkTree, ContentRoot};
use std::fs;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes taken from a reader at once.
const COPY_BYTES: usize = 256 * 1024;

const OUTBOARD_SUFFIX: &str = ".outboard";

/// A directory of blobs. Clones and other processes may use it at once.
#[derive(Clone, Debug)]
pub struct Store {
    blobs: PathBuf,
    staging: PathBuf,
    outboards: Arc<Mutex<OutboardCache>>,
}

impl Store {
    /// Opens the store in `dir`, which is created if it does not exist, and removes what
    /// killed processes left unfinished.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let (blobs, staging) = (dir.join("blobs"), dir.join("staging"));
        fs::create_dir_all(&blobs)?;
        fs::create_dir_all(&staging)?;
        sweep(&staging)?;
        sync_dir(dir)?;
        Ok(Self { blobs, staging, outboards: Arc::default() })
    }

    /// Stores what `reader` yields; durable when it returns. A content that is there
    /// already is stored again only if it is damaged.
    pub fn put(&self, reader: impl Read) -> Result<(ContentRoot, u64), StoreError> {
        let staged = Staged::new(&self.staging)?;
        let tree = copy_and_hash(reader, staged.file())?;
        let known = self.length(&tree.root).is_ok_and(|length| length == tree.length);
        if !known || self.verify(&tree.root).is_err() {
            self.keep(staged, &tree)?;
        }
        Ok((tree.root, tree.length))
    }

    fn keep(&self, content: Staged, tree: &ChunkTree) -> Result<(), StoreError> {
        let outboard = Staged::new(&self.staging)?;
        outboard.file().write_all(tree.outboard.as_bytes())?;
        let (path, dir) = (self.path(&tree.root), self.shelf(&tree.root));
        fs::create_dir_all(&dir)?;
        sync_dir(&self.blobs)?;
        outboard.name(&outboard_path(&path))?;
        content.name(&path)?;
        Ok(sync_dir(&dir)?)
    }

    /// The whole blob. At most [`GET_BYTES_MAX`] bytes.
    pub fn get(&self, root: &ContentRoot) -> Result<Vec<u8>, StoreError> {
        let mut blob = self.blob(root)?;
        at_most("the blob", blob.length(), GET_BYTES_MAX)?;
        let mut bytes = Vec::new();
        blob.copy_to(0..blob.length(), &mut bytes)?;
        Ok(bytes)
    }

    /// Writes the whole blob to `writer`, each part after it was checked; yields its
    /// length. On an error what was written so far is the blob's beginning.
    pub fn copy_to(&self, root: &ContentRoot, writer: impl Write) -> Result<u64, StoreError> {
        self.copy_range(root, 0..u64::MAX, writer)
    }

    /// Writes what the blob has of the bytes `range` to `writer`, each part after it was
    /// checked; yields how many. Only the groups that the range lies in are read.
    pub fn copy_range(
        &self,
        root: &ContentRoot,
        range: Range<u64>,
        mut writer: impl Write,
    ) -> Result<u64, StoreError> {
        let mut blob = self.blob(root)?;
        let length = blob.length();
        let (start, end) = (range.start, range.end.min(length));
        if start > end {
            return Err(StoreError::Range { start, end: range.end, length });
        }
        blob.copy_to(start..end, &mut writer)
    }

    /// The bytes `range` of a blob; reads and checks only the groups they lie in. At most
    /// [`RANGE_BYTES_MAX`] bytes. The outboard is checked at the first range and then kept.
    pub fn read_range(&self, root: &ContentRoot, range: Range<u64>) -> Result<Vec<u8>, StoreError> {
        let Range { start, end } = range;
        let at_hand = self.outboards().get(root);
        let path = self.path(root);
        let mut blob = Blob::open(*root, &path, &outboard_path(&path), at_hand)?;
        self.outboards().insert(*root, blob.outboard());
        let length = blob.length();
        if start > end || end > length {
            return Err(StoreError::Range { start, end, length });
        }
        at_most("the range", end - start, RANGE_BYTES_MAX)?;
        blob.read(range)
    }

    /// Reads and checks the whole blob; yields its length.
    pub fn verify(&self, root: &ContentRoot) -> Result<u64, StoreError> {
        self.copy_to(root, io::sink())
    }

    /// Reads and checks what the blob has of the bytes `range`; yields how many.
    pub fn verify_range(&self, root: &ContentRoot, range: Range<u64>) -> Result<u64, StoreError> {
        self.copy_range(root, range, io::sink())
    }

    /// The length of a blob's file, bytes, not checked.
    pub fn length(&self, root: &ContentRoot) -> Result<u64, StoreError> {
        let metadata = fs::metadata(self.path(root));
        let metadata = metadata.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound(*root),
            _ => error.into(),
        })?;
        Ok(metadata.len())
    }

    /// Removes a blob; says whether there was one.
    pub fn remove(&self, root: &ContentRoot) -> Result<bool, StoreError> {
        self.outboards().remove(root);
        let path = self.path(root);
        // The content first: without it the rest is no blob.
        let removed = remove(&path)?;
        remove(&outboard_path(&path))?;
        if removed {
            sync_dir(&self.shelf(root))?;
        }
        Ok(removed)
    }

    /// The roots of all blobs, ascending. At most [`LIST_BLOBS_MAX`].
    pub fn list(&self) -> Result<Vec<ContentRoot>, StoreError> {
        let mut roots = Vec::new();
        for shelf in fs::read_dir(&self.blobs)? {
            for entry in fs::read_dir(shelf?.path())? {
                let name = entry?.file_name();
                // Outboards, and what somebody else put here, are no roots.
                roots.extend(name.to_str().and_then(|name| name.parse::<ContentRoot>().ok()));
                if roots.len() > LIST_BLOBS_MAX {
                    return Err(StoreError::TooMany(LIST_BLOBS_MAX));
                }
            }
        }
        roots.sort_unstable();
        Ok(roots)
    }

    /// Opens a blob with the outboard that is on the disk.
    fn blob(&self, root: &ContentRoot) -> Result<Blob, StoreError> {
        let path = self.path(root);
        Blob::open(*root, &path, &outboard_path(&path), None)
    }

    fn outboards(&self) -> MutexGuard<'_, OutboardCache> {
        // Every state that a panic could leave the cache in is a right one.
        self.outboards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self, root: &ContentRoot) -> PathBuf {
        self.blobs.join(format!("{:02x}", root.0[0]))
    }

    fn path(&self, root: &ContentRoot) -> PathBuf {
        self.shelf(root).join(root.to_string())
    }
}

fn outboard_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(OUTBOARD_SUFFIX);
    name.into()
}

fn at_most(what: &'static str, bytes: u64, bytes_max: u64) -> Result<(), StoreError> {
    if bytes <= bytes_max { Ok(()) } else { Err(StoreError::TooLong { what, bytes, bytes_max }) }
}

/// Copies `reader` to `writer` and hashes what goes by.
pub(crate) fn copy_and_hash(
    mut reader: impl Read,
    mut writer: impl Write,
) -> Result<ChunkTree, StoreError> {
    let mut hasher = ChunkHasher::new();
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(StoreError::Peer(error)),
        };
        let bytes = &buffer[..count];
        hasher.update(bytes).map_err(|_: ChunkError| StoreError::TooLong {
            what: "the content",
            bytes: hasher.length() + count as u64,
            bytes_max: CONTENT_BYTES_MAX,
        })?;
        writer.write_all(bytes)?;
    }
}
