//! Records as documents of a corpus: what is accepted, and how they lie in a segment.

use crate::error::{CorpusError, RecordFault};
use ambar_attribution::record::{RecordLeaf, chunks_root};
use ambar_base::{Digest, record};

/// Text of one segment, bytes: making it takes about six times as much memory. A longer
/// document has a segment of its own.
pub const SEGMENT_BYTES_MAX: usize = 256 << 20;
/// Most bytes of all documents of one corpus.
pub const CORPUS_BYTES_MAX: u64 = 1 << 38;
/// Longest document, bytes: positions are signed 32-bit integers in the suffix array.
pub const DOCUMENT_BYTES_MAX: usize = 256 << 20;
/// Most documents of one corpus.
pub const DOCUMENTS_MAX: usize = 1 << 24;
/// Longest title, bytes.
pub const TITLE_BYTES_MAX: usize = 1024;
/// Follows every document. No record holds it, so no match crosses documents.
pub(crate) const SEPARATOR: u8 = 0;

/// A record as it is listed before its text is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Path or title, unique in its corpus.
    pub title: String,
    /// Index in the datanet's contributor table.
    pub contributor: u32,
    /// Names the text: two records of the same title and source have the same text.
    pub source: Digest,
}

impl Listed {
    /// Refuses a title that cannot be part of a corpus. Whether it is unique is for the whole
    /// to say.
    pub(crate) fn check(&self) -> Result<(), RecordFault> {
        let fits = !self.title.is_empty() && self.title.len() <= TITLE_BYTES_MAX;
        if fits { Ok(()) } else { Err(RecordFault::Title { bytes_max: TITLE_BYTES_MAX }) }
    }
}

/// A record with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path or title, unique in its corpus.
    pub title: String,
    /// Index in the datanet's contributor table.
    pub contributor: u32,
    /// UTF-8 text without zero bytes.
    pub text: Vec<u8>,
}

/// Refuses a text that cannot be part of a corpus.
pub(crate) fn check_text(text: &[u8]) -> Result<(), RecordFault> {
    let bytes = text.len();
    if bytes > DOCUMENT_BYTES_MAX {
        return Err(RecordFault::TooLarge { bytes, bytes_max: DOCUMENT_BYTES_MAX });
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(RecordFault::Empty);
    }
    if let Some(offset) = text.iter().position(|byte| *byte == SEPARATOR) {
        return Err(RecordFault::ZeroByte { offset });
    }
    std::str::from_utf8(text)
        .map_err(|error| RecordFault::NotUtf8 { offset: error.valid_up_to() })?;
    Ok(())
}

record! {
    /// What a segment knows about a document. Whose it is stands in the manifest: the tables of
    /// two versions may number contributors differently.
    pub struct DocumentEntry {
        /// Path or title.
        pub title: String,
        /// Length of the text in bytes.
        pub bytes: u32,
        /// Root over the chunks of the text.
        pub chunks: Digest,
        /// What named the text when it was read.
        pub source: Digest,
    }
}

impl DocumentEntry {
    /// Its leaf in the tree of a datanet.
    pub fn leaf(&self, contributor: u32) -> RecordLeaf {
        let title = Digest::of(self.title.as_bytes());
        RecordLeaf { contributor, title, bytes: self.bytes, chunks: self.chunks }
    }
}

/// The documents of one segment as one text.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub entries: Vec<DocumentEntry>,
    pub text: Vec<u8>,
}

impl Records {
    /// Whether a text of so many bytes still goes into the same segment.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.entries.is_empty() || self.text.len() + bytes < SEGMENT_BYTES_MAX
    }

    /// Appends a document; refuses a text that no corpus holds.
    pub fn push(&mut self, listed: &Listed, text: &[u8]) -> Result<(), CorpusError> {
        let refused = |fault| CorpusError::Record { title: listed.title.clone(), fault };
        check_text(text).map_err(refused)?;
        let (title, source) = (listed.title.clone(), listed.source);
        self.take(
            DocumentEntry { title, bytes: text.len() as u32, chunks: chunks_root(text), source },
            text,
        );
        Ok(())
    }

    /// Appends a document that a segment had already.
    pub fn take(&mut self, entry: DocumentEntry, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.text.push(SEPARATOR);
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_checked() {
        let check = |title: &str, text: &[u8], expect: Result<(), RecordFault>| {
            let listed = Listed { title: title.into(), contributor: 7, source: Digest::ZERO };
            assert_eq!(listed.check().and_then(|()| check_text(text)), expect, "{title}");
        };
        check("a", b"text", Ok(()));
        check("a", b"", Err(RecordFault::Empty));
        check("a", b" \n\t", Err(RecordFault::Empty));
        check("a", b"ab\xffcd", Err(RecordFault::NotUtf8 { offset: 2 }));
        check("a", b"ab\0cd", Err(RecordFault::ZeroByte { offset: 2 }));
        let title = Err(RecordFault::Title { bytes_max: TITLE_BYTES_MAX });
        check("", b"text", title);
        check(&"x".repeat(TITLE_BYTES_MAX + 1), b"text", title);
    }

    #[test]
    fn documents_lie_one_behind_the_other() {
        let mut records = Records::default();
        assert!(records.has_room(usize::MAX));
        let listed = Listed { title: "one".into(), contributor: 7, source: Digest::of(b"s") };
        records.push(&listed, b"first text").unwrap();
        records.push(&listed, b"second").unwrap();
        assert!(records.push(&listed, b"\0").is_err());
        assert_eq!(records.text, b"first text\0second\0");
        let entry = &records.entries[0];
        assert_eq!((entry.bytes, entry.source), (10, Digest::of(b"s")));
        assert_eq!(entry.leaf(7).contributor, 7);
        assert!(records.has_room(SEGMENT_BYTES_MAX - 19) && !records.has_room(SEGMENT_BYTES_MAX));
    }
}
