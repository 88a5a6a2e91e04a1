//! A segment: some documents that never change, and what finds things in them.
//!
//! It is two files. The records are what must not be lost; the index follows from them byte
//! for byte, and is made again from them if it is damaged or missing. A segment is named by
//! the digest of its records' header, so that the same documents in the same order are the
//! same files wherever they are made.

use crate::buckets::{self, Buckets};
use crate::disk::Disk;
use crate::error::CorpusError;
use crate::file::{self, SectionFile};
use crate::header::{INDEX, Kind, RECORDS};
use crate::integers::{Integers, to_bytes};
use crate::passages::cut;
use crate::progress::Tell;
use crate::record::{DocumentEntry, Records};
use crate::retrieve::PASSAGE_INTEGERS;
use crate::suffixes::{self, Suffixes};
use crate::terms::{self, Terms};
use ambar_base::Digest;
use ambar_base::codec::{self, Encode};
use std::path::{Path, PathBuf};

/// Sections of the records.
const DOCUMENTS: usize = 0;
const TEXT: usize = 1;
/// Sections of the index.
const SUFFIXES: usize = 0;
const BUCKETS: usize = 1;
const PASSAGES: usize = 2;
const TERMS: usize = 3;
const TERM_TABLE: usize = 4;
const POSTINGS: usize = 5;
/// Digits of a segment's name.
const NAME_DIGITS: usize = 32;

/// An open segment.
#[derive(Debug)]
pub struct Segment {
    records: SectionFile,
    index: SectionFile,
    entries: Vec<DocumentEntry>,
    /// First byte of each document in the text.
    starts: Vec<u32>,
    /// The document that holds the first byte of each block of text.
    blocks: Vec<u32>,
}

/// Bits of a place within a block of text: so few documents begin in one that finding the
/// document of a place hardly searches.
const BLOCK_BITS: u32 = 12;

/// Where a file of a segment lies.
fn path(directory: &Path, id: &Digest, kind: &Kind) -> PathBuf {
    directory.join(format!("{}.{}", &id.to_string()[..NAME_DIGITS], kind.suffix))
}

/// Both files of a segment.
pub fn paths(directory: &Path, id: &Digest) -> [PathBuf; 2] {
    [path(directory, id, &RECORDS), path(directory, id, &INDEX)]
}

impl Segment {
    /// Writes a segment and opens it. Its names are durable when the directory is.
    pub fn build(
        disk: &Disk,
        directory: &Path,
        records: Records,
        tell: &mut Tell<'_>,
    ) -> Result<Self, CorpusError> {
        let Records { entries, text } = records;
        let documents = entries.to_bytes();
        let named = |id: &Digest| path(directory, id, &RECORDS);
        let contents: [&[u8]; 2] = [&documents, &text];
        let (id, _) = file::write(disk, named, &RECORDS, (Digest::ZERO, 0), &contents)?;
        write_index(disk, directory, &id, (&entries, &text), tell)?;
        drop(text);
        Self::open(directory, &id)
    }

    /// Opens a segment and checks every byte of it.
    pub fn open(directory: &Path, id: &Digest) -> Result<Self, CorpusError> {
        let (records, entries, starts) = open_records(directory, id)?;
        let index = SectionFile::open(&path(directory, id, &INDEX), &INDEX)?;
        if index.header().of != *id {
            return Err(CorpusError::damaged(index.path(), "it is of other records"));
        }
        if Buckets::open(index.section(BUCKETS)).is_none() {
            return Err(CorpusError::damaged(index.path(), "section \"buckets\""));
        }
        let blocks = blocks(&starts, records.section(TEXT).len());
        Ok(Self { records, index, entries, starts, blocks })
    }

    /// Opens a segment whose index is made again if it is damaged, missing or of another
    /// format; also yields why.
    pub fn open_or_mend(
        disk: &Disk,
        directory: &Path,
        id: &Digest,
    ) -> Result<(Self, Option<CorpusError>), CorpusError> {
        let error = match Self::open(directory, id) {
            Ok(segment) => return Ok((segment, None)),
            Err(error) => error,
        };
        let (records, entries, _) = open_records(directory, id)?;
        let text = records.section(TEXT);
        write_index(disk, directory, id, (&entries, text), &mut Tell::of(&mut |_| ()))?;
        disk.sync_directory(directory)?;
        Ok((Self::open(directory, id)?, Some(error)))
    }

    /// Gives the segment's files names in another directory, or copies where that is not
    /// possible.
    pub fn put_into(&self, disk: &Disk, directory: &Path) -> Result<(), CorpusError> {
        let files = [&self.records, &self.index];
        for (file, path) in files.into_iter().zip(paths(directory, &self.id())) {
            if file.path() != path && !disk.link(file.path(), &path)? {
                disk.put(&path, &[file.bytes()])?;
            }
        }
        Ok(())
    }

    /// Whether the index that follows from the records is this one, to the last bit.
    pub fn follows(&self) -> Result<bool, CorpusError> {
        let text = self.records.section(TEXT);
        let derived = derive(&self.entries, text, &mut Tell::of(&mut |_| ()))?;
        let same = |(at, content): (usize, &Vec<u8>)| self.index.section(at) == content;
        Ok(derived.words == self.index.header().words
            && derived.contents.iter().enumerate().all(same))
    }

    /// What names the segment.
    pub fn id(&self) -> Digest {
        self.records.id()
    }

    /// The documents in order.
    pub fn entries(&self) -> &[DocumentEntry] {
        &self.entries
    }

    /// The document that holds byte `at` of the text, and the byte within it.
    pub fn document_at(&self, at: u32) -> (usize, u32) {
        let block = (at >> BLOCK_BITS) as usize;
        let first = self.blocks[block] as usize;
        let last = self.blocks.get(block + 1).map_or(self.starts.len(), |next| *next as usize + 1);
        let local = first + self.starts[first..last].partition_point(|start| *start <= at) - 1;
        (local, at - self.starts[local])
    }

    /// The text of a document of this segment.
    pub fn text(&self, document: u32) -> &[u8] {
        let start = self.starts[document as usize] as usize;
        let bytes = self.entries[document as usize].bytes as usize;
        &self.records.section(TEXT)[start..start + bytes]
    }

    /// Bytes of both files.
    pub fn file_bytes(&self) -> u64 {
        (self.records.bytes().len() + self.index.bytes().len()) as u64
    }

    /// Terms counted in all passages.
    pub fn words(&self) -> u64 {
        self.index.header().words
    }

    /// The table of passages.
    pub fn passages(&self) -> Integers<'_> {
        Integers::new(self.index.section(PASSAGES))
    }

    /// The inverted index.
    pub fn terms(&self) -> Terms<'_> {
        let section = |section| self.index.section(section);
        Terms::open(section(TERMS), section(TERM_TABLE), section(POSTINGS))
    }

    /// The suffix array.
    pub fn suffixes(&self) -> Result<Suffixes<'_>, CorpusError> {
        let buckets = Buckets::open(self.index.section(BUCKETS))
            .ok_or_else(|| CorpusError::damaged(self.index.path(), "section \"buckets\""))?;
        Ok(Suffixes {
            text: self.records.section(TEXT),
            positions: Integers::new(self.index.section(SUFFIXES)),
            buckets,
        })
    }
}

type OpenRecords = (SectionFile, Vec<DocumentEntry>, Vec<u32>);

fn open_records(directory: &Path, id: &Digest) -> Result<OpenRecords, CorpusError> {
    let records = SectionFile::open(&path(directory, id, &RECORDS), &RECORDS)?;
    let damaged = |what| CorpusError::damaged(records.path(), what);
    if records.id() != *id {
        return Err(damaged("it has other records than its name says"));
    }
    let entries: Vec<DocumentEntry> =
        codec::decode(records.section(DOCUMENTS)).map_err(|_| damaged("section \"documents\""))?;
    let starts = starts(&entries, records.section(TEXT).len())
        .ok_or_else(|| damaged("its text is not as long as its documents"))?;
    Ok((records, entries, starts))
}

/// Where documents start in a text of `text_bytes`; nothing if they do not fill it, each
/// with its separator.
fn starts(entries: &[DocumentEntry], text_bytes: usize) -> Option<Vec<u32>> {
    let mut at = 0u64;
    let mut starts = Vec::with_capacity(entries.len());
    for entry in entries {
        starts.push(u32::try_from(at).ok()?);
        at += u64::from(entry.bytes) + 1;
    }
    (at == text_bytes as u64).then_some(starts)
}

/// The document that holds the first byte of each block.
fn blocks(starts: &[u32], text_bytes: usize) -> Vec<u32> {
    let holds = |block: usize| {
        let first = (block << BLOCK_BITS) as u64;
        starts.partition_point(|start| u64::from(*start) <= first) as u32 - 1
    };
    (0..text_bytes.div_ceil(1 << BLOCK_BITS)).map(holds).collect()
}

fn write_index(
    disk: &Disk,
    directory: &Path,
    id: &Digest,
    (entries, text): (&[DocumentEntry], &[u8]),
    tell: &mut Tell<'_>,
) -> Result<(), CorpusError> {
    let Derived { contents, words } = derive(entries, text, tell)?;
    tell.writing();
    let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
    let named = |_: &Digest| path(directory, id, &INDEX);
    file::write(disk, named, &INDEX, (*id, words), &contents)?;
    Ok(())
}

/// What follows from records.
struct Derived {
    contents: [Vec<u8>; INDEX.sections.len()],
    words: u64,
}

/// The suffix array and its buckets, as bytes.
fn sorted(text: &[u8]) -> Result<(Vec<u8>, Vec<u8>), CorpusError> {
    let order = suffixes::build(text)?;
    Ok((to_bytes(&order), buckets::build(text, &order)))
}

fn derive(
    entries: &[DocumentEntry],
    text: &[u8],
    tell: &mut Tell<'_>,
) -> Result<Derived, CorpusError> {
    tell.suffixes();
    let (order, buckets) = sorted(text)?;
    let (mut table, mut builder, mut words) = (Vec::new(), terms::Builder::default(), 0u64);
    let (mut start, mut passages) = (0, 0u32);
    for DocumentEntry { bytes, title, .. } in entries {
        let document = &text[start..start + *bytes as usize];
        for cut in cut(document) {
            let counted = builder.add(passages, title.as_bytes())
                + builder.add(passages, &document[cut.start..cut.end]);
            table.extend([(start + cut.start) as u32, (start + cut.end) as u32, counted]);
            words += u64::from(counted);
            passages += 1;
            tell.passage((start + cut.end) as u64);
        }
        start += document.len() + 1;
        tell.indexed(start as u64);
    }
    debug_assert_eq!(table.len(), PASSAGE_INTEGERS * passages as usize);
    let terms::Sections { terms, table: term_table, postings } = builder.finish();
    let contents = [order, buckets, to_bytes(&table), terms, term_table, postings];
    Ok(Derived { contents, words })
}
