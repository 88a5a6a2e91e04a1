//! Records as documents of a corpus: what is accepted, and the root that names them.

use crate::error::{CorpusError, RecordFault};
use ambar_base::codec::Encode;
use ambar_base::{Digest, record, tree};

/// Most bytes of all documents with their separators: positions are signed 32-bit
/// integers in the suffix array.
pub const CORPUS_BYTES_MAX: usize = i32::MAX as usize - 1024;
/// Longest document, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most documents of one corpus.
pub const DOCUMENTS_MAX: usize = 1 << 24;
/// Longest title, bytes.
pub const TITLE_BYTES_MAX: usize = 1024;
/// Follows every document. No record holds it, so no match crosses documents.
pub(crate) const SEPARATOR: u8 = 0;

/// A record to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path or title, unique in its corpus.
    pub title: String,
    /// Index in the datanet's contributor table.
    pub contributor: u32,
    /// UTF-8 text without zero bytes.
    pub text: Vec<u8>,
}

impl Document {
    /// Refuses what cannot be part of a corpus. Whether the title is unique is for the
    /// whole to say.
    pub(crate) fn check(&self) -> Result<(), RecordFault> {
        let bytes = self.text.len();
        if self.title.is_empty() || self.title.len() > TITLE_BYTES_MAX {
            return Err(RecordFault::Title { bytes_max: TITLE_BYTES_MAX });
        }
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(RecordFault::TooLarge { bytes, bytes_max: DOCUMENT_BYTES_MAX });
        }
        if self.text.iter().all(u8::is_ascii_whitespace) {
            return Err(RecordFault::Empty);
        }
        if let Some(offset) = self.text.iter().position(|byte| *byte == SEPARATOR) {
            return Err(RecordFault::ZeroByte { offset });
        }
        std::str::from_utf8(&self.text)
            .map_err(|error| RecordFault::NotUtf8 { offset: error.valid_up_to() })?;
        Ok(())
    }
}

record! {
    /// What a corpus knows about a document, and, encoded, its leaf in the tree.
    pub struct DocumentEntry {
        /// Index in the datanet's contributor table.
        pub contributor: u32,
        /// Path or title.
        pub title: String,
        /// Length of the text in bytes.
        pub bytes: u32,
        /// SHA-256 of the text.
        pub digest: Digest,
    }
}

/// The root of a corpus: the tree of RFC 9162 over its documents in order.
pub(crate) fn root(entries: &[DocumentEntry]) -> Digest {
    tree::root_of(entries.iter().map(|entry| tree::leaf_hash(&entry.to_bytes())).collect())
}

/// All documents as one text.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub entries: Vec<DocumentEntry>,
    pub text: Vec<u8>,
}

impl Records {
    /// Appends a document that has been checked.
    pub fn push(&mut self, document: Document) -> Result<(), CorpusError> {
        let too_large = |what, max| CorpusError::TooLarge { what, max: max as u64 };
        if self.entries.len() == DOCUMENTS_MAX {
            return Err(too_large("the number of documents", DOCUMENTS_MAX));
        }
        if self.text.len() + document.text.len() >= CORPUS_BYTES_MAX {
            return Err(too_large("the number of bytes", CORPUS_BYTES_MAX));
        }
        self.text.extend_from_slice(&document.text);
        self.text.push(SEPARATOR);
        self.entries.push(DocumentEntry {
            contributor: document.contributor,
            title: document.title,
            bytes: document.text.len() as u32,
            digest: Digest::of(&document.text),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(title: &str, text: &[u8]) -> Document {
        Document { title: title.into(), contributor: 7, text: text.to_vec() }
    }

    #[test]
    fn records_are_checked() {
        let check = |title: &str, text: &[u8], expect| {
            assert_eq!(document(title, text).check(), expect, "{title}");
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

    /// The root is on the ledger: a change here makes every datanet another one.
    #[test]
    fn the_root_is_pinned() {
        let mut records = Records::default();
        records.push(document("one", b"first text")).unwrap();
        records.push(document("two", b"second text")).unwrap();
        assert_eq!(records.text, b"first text\0second text\0");
        let pinned = "82c48fcb7b41596b248e0bdbcca331fc0b2160a28effec9e5b96702e7e28adeb";
        assert_eq!(root(&records.entries).to_string(), pinned);
    }

    #[test]
    fn everything_about_a_record_is_in_the_root() {
        let with = |change: &dyn Fn(&mut Document)| {
            let mut changed = document("one", b"first text");
            change(&mut changed);
            let mut records = Records::default();
            records.push(changed).unwrap();
            root(&records.entries)
        };
        let plain = with(&|_| {});
        assert_ne!(plain, with(&|d| d.title.push('x')));
        assert_ne!(plain, with(&|d| d.contributor = 8));
        assert_ne!(plain, with(&|d| d.text[0] = b'F'));
    }
}
