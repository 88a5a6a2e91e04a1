//! Datanet records on disk, with the two searches that attribution rests on: passages
//! for a question and verbatim spans of an answer.
//!
//! A [`Corpus`] is built once from records in order and never changed; a new set of
//! records is a new corpus with a new root. It knows contributors as numbers, not as
//! accounts, and decides nobody's share: it returns evidence.
//!
//! **Invariant**: the records in order determine the root, and root, text and parameters
//! determine the evidence, byte for byte, on every machine. Both searches use integers
//! only.

mod bm25;
mod buckets;
mod build;
mod corpus;
mod error;
mod file;
mod header;
mod integers;
mod passages;
mod record;
mod retrieve;
mod suffixes;
mod terms;
mod trace;
mod words;

pub use build::{Progress, Stage};
pub use corpus::Corpus;
pub use error::{CorpusError, RecordFault};
pub use passages::{PASSAGE_WORDS_MAX, PASSAGE_WORDS_MIN, PASSAGE_WORDS_TARGET};
pub use record::{
    CORPUS_BYTES_MAX, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, Document, DocumentEntry, TITLE_BYTES_MAX,
};
pub use retrieve::{QUERY_BYTES_MAX, QUERY_TERMS_MAX};
pub use words::{STOP_WORDS, TERM_BYTES_MAX};
