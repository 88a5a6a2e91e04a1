//! Building a corpus from its records: check, append, sort, index, write.

use crate::buckets;
use crate::corpus::Corpus;
use crate::error::{CorpusError, RecordFault};
use crate::file::{self, Contents};
use crate::integers::to_bytes;
use crate::passages::cut;
use crate::record::{self, Document, DocumentEntry, Records};
use crate::suffixes;
use crate::terms;
use ambar_base::codec::Encode;
use std::collections::BTreeSet;
use std::path::Path;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Records are read and checked.
    Records,
    /// The suffix array is computed.
    Suffixes,
    /// Passages are cut and their terms indexed.
    Passages,
    /// The file is written and synced.
    Writing,
}

/// How far a build has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Documents done in this stage, with those that are only begun left out.
    pub documents: u32,
    /// Bytes of text done in this stage.
    pub bytes: u64,
}

/// Passages of one document after which progress is told again.
const PASSAGES_PER_CALL: u32 = 4096;

/// Called at the start of each stage, after each document, and within long ones.
type Callback<'a> = &'a mut dyn FnMut(Progress);

impl Corpus {
    /// Builds a corpus in `directory` from documents in order, replacing what is there
    /// once all is written and synced. Takes about six bytes of memory per byte of text.
    pub fn build(
        directory: &Path,
        documents: impl IntoIterator<Item = Document>,
        progress: Callback<'_>,
    ) -> Result<Self, CorpusError> {
        let records = collect(documents, progress)?;
        let at = |stage| Progress { stage, documents: 0, bytes: 0 };
        progress(at(Stage::Suffixes));
        let order = suffixes::build(&records.text)?;
        let buckets = buckets::build(&records.text, &order);
        let order = to_bytes(&order);
        progress(at(Stage::Passages));
        let passages = index_passages(&records, progress);
        progress(at(Stage::Writing));
        let (root, entries) = (record::root(&records.entries), records.entries.to_bytes());
        let terms::Sections { terms, table, postings } = passages.terms;
        let contents: Contents =
            [entries, records.text, order, buckets, passages.table, terms, table, postings];
        file::write(directory, root, passages.words, &contents)?;
        drop(contents);
        Self::open(directory)
    }
}

fn collect(
    documents: impl IntoIterator<Item = Document>,
    progress: Callback<'_>,
) -> Result<Records, CorpusError> {
    let (mut records, mut titles) = (Records::default(), BTreeSet::new());
    for document in documents {
        let fresh = titles.insert(document.title.clone());
        let repeats = if fresh { Ok(()) } else { Err(RecordFault::TitleRepeats) };
        document.check().and(repeats).map_err(|fault| {
            let title = document.title.clone();
            CorpusError::Record { title, fault }
        })?;
        records.push(document)?;
        let (documents, bytes) = (records.entries.len() as u32, records.text.len() as u64);
        progress(Progress { stage: Stage::Records, documents, bytes });
    }
    if records.entries.is_empty() { Err(CorpusError::Empty) } else { Ok(records) }
}

struct IndexedPassages {
    table: Vec<u8>,
    terms: terms::Sections,
    words: u64,
}

fn index_passages(records: &Records, progress: Callback<'_>) -> IndexedPassages {
    let (mut table, mut builder, mut words) = (Vec::new(), terms::Builder::default(), 0u64);
    let (mut start, mut passages) = (0, 0u32);
    for (number, DocumentEntry { bytes, title, .. }) in records.entries.iter().enumerate() {
        let text = &records.text[start..start + *bytes as usize];
        for cut in cut(text) {
            let counted = builder.add(passages, title.as_bytes())
                + builder.add(passages, &text[cut.start..cut.end]);
            table.extend([(start + cut.start) as u32, (start + cut.end) as u32, counted]);
            words += u64::from(counted);
            passages += 1;
            if passages.is_multiple_of(PASSAGES_PER_CALL) {
                let (documents, bytes) = (number as u32, (start + cut.end) as u64);
                progress(Progress { stage: Stage::Passages, documents, bytes });
            }
        }
        start += text.len() + 1;
        let (documents, bytes) = (number as u32 + 1, start as u64);
        progress(Progress { stage: Stage::Passages, documents, bytes });
    }
    IndexedPassages { table: to_bytes(&table), terms: builder.finish(), words }
}
