//! The files of a segment: mapped into memory, and every byte checked when they are opened.
//! The digests guard against damage, not against malice: a corpus is built where it is used,
//! and never received from others.

use crate::disk::Disk;
use crate::error::CorpusError;
use crate::header::{HEADER_BYTES, Header, HeaderFault, Kind, VERSION};
use ambar_base::Digest;
use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An open file whose every byte has been checked.
#[derive(Debug)]
pub struct SectionFile {
    path: PathBuf,
    map: Mmap,
    header: Header,
    sections: Vec<Range<usize>>,
}

/// Writes a file of these contents, one per section of its kind; yields what names it: the
/// digest of its header, which has the digests of the rest.
pub fn write(
    disk: &Disk,
    path: impl FnOnce(&Digest) -> PathBuf,
    kind: &Kind,
    (of, words): (Digest, u64),
    contents: &[&[u8]],
) -> Result<(Digest, PathBuf), CorpusError> {
    assert_eq!(contents.len(), kind.sections.len(), "one content per section");
    let header = Header::of(of, words, contents).to_file(kind);
    let id = Digest::of(&header);
    let path = path(&id);
    disk.put(&path, &[&[&header[..]], contents].concat())?;
    Ok((id, path))
}

impl SectionFile {
    /// Maps a file and checks header, lengths and digests.
    pub fn open(path: &Path, kind: &Kind) -> Result<Self, CorpusError> {
        let map = map(path).map_err(|error| CorpusError::io(path, error))?;
        let header = Header::from_file(&map, kind).map_err(|fault| match fault {
            HeaderFault::Damaged => CorpusError::damaged(path, "its header"),
            HeaderFault::Version(found) => {
                CorpusError::Version { file: path.to_owned(), found, expected: VERSION }
            }
        })?;
        let sections = ranges(&header, map.len())
            .ok_or_else(|| CorpusError::damaged(path, "its length is not that of its header"))?;
        for ((range, entry), name) in sections.iter().zip(&header.sections).zip(kind.sections) {
            if *blake3::hash(&map[range.clone()]).as_bytes() != entry.digest {
                return Err(CorpusError::damaged(path, format!("section {name:?}")));
            }
        }
        Ok(Self { path: path.to_owned(), map, header, sections })
    }

    /// The content of a section.
    pub fn section(&self, section: usize) -> &[u8] {
        &self.map[self.sections[section].clone()]
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What names the file.
    pub fn id(&self) -> Digest {
        Digest::of(&self.map[..HEADER_BYTES])
    }

    /// Where the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }
}

#[expect(unsafe_code, reason = "mapping a file is unsafe where others may change it")]
fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: a file of a corpus is never changed or shortened in place, by this program or any
    // that keeps to its format: a new one is renamed over it, which leaves this mapping on the
    // old, and the directory is the node's own.
    unsafe { Mmap::map(&file) }
}

/// Where the sections lie; nothing if they do not fill the file exactly.
fn ranges(header: &Header, file_bytes: usize) -> Option<Vec<Range<usize>>> {
    let mut at = HEADER_BYTES;
    let mut ranges = Vec::with_capacity(header.sections.len());
    for entry in &header.sections {
        let end = at.checked_add(usize::try_from(entry.bytes).ok()?)?;
        ranges.push(at..end);
        at = end;
    }
    (at == file_bytes).then_some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::INDEX;
    use std::fs;

    fn written(directory: &Path, fill: u8) -> (Digest, PathBuf) {
        let contents: Vec<Vec<u8>> =
            (0..INDEX.sections.len()).map(|i| vec![fill; 10 * i]).collect();
        let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let path = |_: &Digest| directory.join("file");
        write(&Disk::default(), path, &INDEX, (Digest::of(b"of"), 7), &contents).unwrap()
    }

    #[test]
    fn round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let (id, path) = written(directory.path(), 3);
        let file = SectionFile::open(&path, &INDEX).unwrap();
        assert_eq!((file.section(0), file.section(5)), (&b""[..], &[3; 50][..]));
        assert_eq!((file.header().of, file.header().words), (Digest::of(b"of"), 7));
        assert_eq!((file.id(), file.path()), (id, path.as_path()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        // The old mapping stays readable, the next opening sees the new file.
        assert_ne!(written(directory.path(), 4).0, id);
        assert_eq!(file.section(5), [3; 50]);
        assert_eq!(SectionFile::open(&path, &INDEX).unwrap().section(5), [4; 50]);
    }

    #[test]
    fn every_damaged_byte_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let (_, path) = written(directory.path(), 3);
        let bytes = fs::read(&path).unwrap();
        let check = |damaged: &[u8], word: &str| {
            fs::write(&path, damaged).unwrap();
            let error = SectionFile::open(&path, &INDEX).unwrap_err();
            assert!(matches!(error, CorpusError::Damaged { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(word) && text.contains("file"), "{text}");
        };
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            check(&damaged, if at < HEADER_BYTES { "header" } else { "section" });
        }
        check(&bytes[..bytes.len() - 1], "length");
        check(&[&bytes[..], b"x"].concat(), "length");
        check(&bytes[..100], "header");
        fs::write(&path, b"").unwrap();
        assert!(SectionFile::open(&path, &INDEX).is_err());
    }
}
