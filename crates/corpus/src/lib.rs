//! Datanet records on disk, with the searches that attribution rests on: passages for a
//! question, verbatim spans of an answer, and what stands behind the words before each word.
//!
//! A [`Corpus`] never changes; another set of records is another corpus with another root,
//! which takes over what it can of the earlier one: segments of records and their indices lie
//! in files of their own, and a manifest says which documents of which segments live. It knows
//! contributors as numbers, not as accounts, and decides nobody's share: it returns evidence,
//! and proofs of it for those who have only the root. It can also go on with a text by itself:
//! a [`Language`] model is the records and nothing else.
//!
//! **Invariant**: the records in order determine the root, and root, text and parameters
//! determine the evidence, byte for byte, on every machine and however the records are spread
//! over segments. All searches use integers only.

mod alive;
mod bm25;
mod buckets;
mod corpus;
mod disk;
mod error;
mod file;
mod header;
mod integers;
mod language;
mod manifest;
mod occurrences;
mod part;
mod passages;
mod progress;
mod random;
mod record;
mod replay;
mod retrieve;
mod segment;
mod suffixes;
mod terms;
mod tiers;
mod together;
mod trace;
mod update;
mod words;

pub use corpus::{Corpus, DocumentView, Said, Stretch};
pub use error::{CorpusError, RecordFault};
pub use language::{Choice, Distribution, Language, Next, Writing, last_words};
pub use passages::{PASSAGE_WORDS_MAX, PASSAGE_WORDS_MIN, PASSAGE_WORDS_TARGET};
pub use progress::{Progress, Stage};
pub use random::Random;
pub use record::{
    CORPUS_BYTES_MAX, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, Document, Listed, SEGMENT_BYTES_MAX,
    TITLE_BYTES_MAX,
};
pub use retrieve::{QUERY_BYTES_MAX, QUERY_TERMS_MAX};
pub use together::{CORPORA_MAX, Together};
pub use words::{STOP_WORDS, TERM_BYTES_MAX, count as count_words};
