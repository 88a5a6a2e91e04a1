//! One file per corpus: written whole beside its place, synced and renamed, so that a
//! crash leaves the old corpus or none; mapped into memory and checked when opened.
//! The digests guard against damage, not against malice: a corpus is built where it is
//! used, and never received from others.

use crate::error::CorpusError;
use crate::header::{HEADER_BYTES, Header, HeaderFault, SECTIONS, SectionEntry, VERSION};
use ambar_base::Digest;
use memmap2::Mmap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Name of the file in the corpus's directory.
const FILE_NAME: &str = "corpus";
/// Name under which it is written.
const NEW_NAME: &str = "corpus.new";

/// The content of each section, in the order of [`SECTIONS`].
pub type Contents = [Vec<u8>; SECTIONS.len()];

/// A section of an open file.
#[derive(Clone, Copy, Debug)]
pub enum Section {
    Documents,
    Text,
    Suffixes,
    Buckets,
    Passages,
    Terms,
    TermTable,
    Postings,
}

/// An open corpus file whose every byte has been checked.
#[derive(Debug)]
pub struct CorpusFile {
    path: PathBuf,
    map: Mmap,
    header: Header,
    sections: Vec<Range<usize>>,
}

/// Writes a corpus file into `directory`, which is made if need be.
pub fn write(
    directory: &Path,
    root: Digest,
    words: u64,
    contents: &Contents,
) -> Result<(), CorpusError> {
    fs::create_dir_all(directory).map_err(|error| CorpusError::io(directory, error))?;
    let (new, path) = (directory.join(NEW_NAME), directory.join(FILE_NAME));
    let entry = |content: &Vec<u8>| SectionEntry {
        bytes: content.len() as u64,
        digest: *blake3::hash(content).as_bytes(),
    };
    let sections = contents.iter().map(entry).collect();
    let header = Header { version: VERSION, root, words, sections };
    write_synced(&new, &header, contents).map_err(|error| CorpusError::io(&new, error))?;
    let renamed = fs::rename(&new, &path).and_then(|()| File::open(directory)?.sync_all());
    renamed.map_err(|error| CorpusError::io(&path, error))
}

fn write_synced(path: &Path, header: &Header, contents: &Contents) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&header.to_file())?;
    contents.iter().try_for_each(|content| file.write_all(content))?;
    file.sync_all()
}

impl CorpusFile {
    /// Maps the file in `directory` and checks header, lengths and digests.
    pub fn open(directory: &Path) -> Result<Self, CorpusError> {
        let path = directory.join(FILE_NAME);
        let map = map(&path).map_err(|error| CorpusError::io(&path, error))?;
        let header = Header::from_file(&map).map_err(|fault| match fault {
            HeaderFault::Damaged => CorpusError::damaged(&path, "its header"),
            HeaderFault::Version(found) => {
                CorpusError::Version { file: path.clone(), found, expected: VERSION }
            }
        })?;
        let sections = ranges(&header, map.len())
            .ok_or_else(|| CorpusError::damaged(&path, "its length is not that of its header"))?;
        for ((range, entry), name) in sections.iter().zip(&header.sections).zip(SECTIONS) {
            if *blake3::hash(&map[range.clone()]).as_bytes() != entry.digest {
                return Err(CorpusError::damaged(&path, format!("section {name:?}")));
            }
        }
        Ok(Self { path, map, header, sections })
    }

    /// The content of a section.
    pub fn section(&self, section: Section) -> &[u8] {
        &self.map[self.sections[section as usize].clone()]
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }
}

#[expect(unsafe_code, reason = "mapping a file is unsafe where others may change it")]
fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: a corpus file is never changed in place, by this program or any that keeps
    // to its format: a new one is renamed over it, which leaves this mapping on the old.
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

    fn contents() -> Contents {
        std::array::from_fn(|i| vec![i as u8; 10 * i])
    }

    #[test]
    fn round_trip() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), Digest::of(b"root"), 7, &contents()).unwrap();
        let file = CorpusFile::open(directory.path()).unwrap();
        assert_eq!(file.section(Section::Documents), b"");
        assert_eq!(file.section(Section::Postings), [7; 70]);
        assert_eq!((file.header().root, file.header().words), (Digest::of(b"root"), 7));
        assert!(!directory.path().join(NEW_NAME).exists());
    }

    #[test]
    fn every_damaged_byte_is_found() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), Digest::of(b"root"), 7, &contents()).unwrap();
        let path = directory.path().join(FILE_NAME);
        let bytes = fs::read(&path).unwrap();
        let check = |damaged: &[u8], word: &str| {
            fs::write(&path, damaged).unwrap();
            let error = CorpusFile::open(directory.path()).unwrap_err();
            assert!(matches!(error, CorpusError::Damaged { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(word) && text.contains("corpus"), "{text}");
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
        assert!(CorpusFile::open(directory.path()).is_err());
    }

    #[test]
    fn a_left_over_of_a_crash_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), Digest::of(b"old"), 1, &contents()).unwrap();
        fs::write(directory.path().join(NEW_NAME), b"half a fi").unwrap();
        let old = CorpusFile::open(directory.path()).unwrap();
        assert_eq!(old.header().root, Digest::of(b"old"));
        write(directory.path(), Digest::of(b"new"), 2, &contents()).unwrap();
        // The old mapping stays readable, the next opening sees the new file.
        assert_eq!(old.section(Section::Postings), [7; 70]);
        let new = CorpusFile::open(directory.path()).unwrap();
        assert_eq!(new.header().root, Digest::of(b"new"));
    }
}
