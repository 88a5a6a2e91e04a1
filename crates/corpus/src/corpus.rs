//! An open corpus: its records, and evidence found in them.

use crate::buckets::Buckets;
use crate::error::CorpusError;
use crate::file::{CorpusFile, Section};
use crate::integers::Integers;
use crate::record::{self, DocumentEntry};
use crate::retrieve::{self, Index, QUERY_BYTES_MAX};
use crate::suffixes::Suffixes;
use crate::terms::Terms;
use crate::trace::{self, Found};
use ambar_attribution::span::OUTPUT_BYTES_MAX;
use ambar_attribution::{
    Evidence, Occurrence, Passage, RetrievalEvidence, RetrievalParameters, Span, SpanEvidence,
    SpanParameters,
};
use ambar_base::{Digest, codec};
use std::collections::BTreeMap;
use std::path::Path;

/// Records on disk with their indices. Cheap to share between threads by reference: all
/// searches read only.
#[derive(Debug)]
pub struct Corpus {
    file: CorpusFile,
    entries: Vec<DocumentEntry>,
    /// First byte of each document in the whole text.
    starts: Vec<u32>,
}

impl Corpus {
    /// Opens the corpus in `directory` and checks every byte of it. A damaged corpus is
    /// cured by building it again from its records.
    pub fn open(directory: &Path) -> Result<Self, CorpusError> {
        let file = CorpusFile::open(directory)?;
        let damaged = |what| CorpusError::damaged(file.path(), what);
        let entries: Vec<DocumentEntry> = codec::decode(file.section(Section::Documents))
            .map_err(|_| damaged("section \"documents\""))?;
        if entries.is_empty() || record::root(&entries) != file.header().root {
            return Err(damaged("its root is not that of its documents"));
        }
        let starts = starts(&entries, file.section(Section::Text).len())
            .ok_or_else(|| damaged("its text is not as long as its documents"))?;
        if Buckets::open(file.section(Section::Buckets)).is_none() {
            return Err(damaged("section \"buckets\""));
        }
        Ok(Self { file, entries, starts })
    }

    /// What names these records in this order.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.file.header().root
    }

    /// The documents in order; evidence names them by their index here.
    #[must_use]
    pub fn documents(&self) -> &[DocumentEntry] {
        &self.entries
    }

    /// Bytes of all records.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| u64::from(entry.bytes)).sum()
    }

    /// Bytes of the file with text and indices.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// The text of a document from byte `start` to before byte `end`, both at the edges
    /// of characters.
    pub fn text(&self, document: u32, start: u32, end: u32) -> Result<&str, CorpusError> {
        let missing = CorpusError::NoSuchText { document, start, end };
        let whole = self.document_text(document).and_then(|text| std::str::from_utf8(text).ok());
        let part = whole.and_then(|text| text.get(start as usize..end as usize));
        part.ok_or(missing)
    }

    fn document_text(&self, document: u32) -> Option<&[u8]> {
        let (index, text) = (document as usize, self.file.section(Section::Text));
        let (start, entry) = (*self.starts.get(index)? as usize, self.entries.get(index)?);
        text.get(start..start + entry.bytes as usize)
    }

    /// Index of the document that holds byte `at` of the whole text.
    fn document_at(&self, at: u32) -> u32 {
        self.starts.partition_point(|start| *start <= at) as u32 - 1
    }

    fn contributor(&self, document: u32) -> u32 {
        self.entries[document as usize].contributor
    }

    /// The passages that answer `query` best, as evidence and as texts in the same order.
    ///
    /// `digest` stands for the question in the evidence: salt it, so that a short question
    /// cannot be guessed from the evidence root.
    pub fn retrieve(
        &self,
        query: &[u8],
        digest: Digest,
        parameters: &RetrievalParameters,
    ) -> Result<(RetrievalEvidence, Vec<&str>), CorpusError> {
        parameters.check()?;
        check_length("question", query, QUERY_BYTES_MAX)?;
        let ranked = self.index().ranked(query, parameters);
        let taken = retrieve::take(ranked, parameters, |at| self.document_at(at));
        let passages: Vec<Passage> = taken
            .into_iter()
            .map(|(document, found)| {
                let (first, contributor) =
                    (self.starts[document as usize], self.contributor(document));
                let (start, end) = (found.start - first, found.end - first);
                Passage { document, contributor, start, end, score: found.score }
            })
            .collect();
        let text = |passage: &Passage| self.text(passage.document, passage.start, passage.end);
        let texts = passages.iter().map(text).collect::<Result<_, _>>()?;
        let (corpus, parameters) = (self.root(), *parameters);
        Ok((RetrievalEvidence { corpus, query: digest, parameters, passages }, texts))
    }

    /// The maximal verbatim spans of `output`: see [`Span`]. Counts are exact; the first
    /// occurrence in each of the earliest documents is listed.
    ///
    /// `digest` stands for the answer in the evidence, as in [`Self::retrieve`].
    pub fn trace(
        &self,
        output: &[u8],
        digest: Digest,
        parameters: &SpanParameters,
    ) -> Result<SpanEvidence, CorpusError> {
        parameters.check()?;
        check_length("answer", output, OUTPUT_BYTES_MAX as usize)?;
        let suffixes = self.suffixes()?;
        let found = trace::maximal(&suffixes, output, parameters);
        let spans = trace::longest(found, parameters.spans_max)
            .into_iter()
            .map(|found| self.span(&suffixes, &found, parameters.occurrences_max))
            .collect();
        Ok(SpanEvidence {
            corpus: self.root(),
            corpus_bytes: self.text_bytes(),
            output: digest,
            parameters: *parameters,
            spans,
        })
    }

    fn span(&self, suffixes: &Suffixes<'_>, found: &Found, occurrences_max: u32) -> Span {
        let mut first = BTreeMap::<u32, u32>::new();
        for at in suffixes.positions(&found.matches) {
            let earliest = first.entry(self.document_at(at)).or_insert(at);
            *earliest = at.min(*earliest);
        }
        let occurrence = |(document, at): (u32, u32)| Occurrence {
            document,
            contributor: self.contributor(document),
            offset: at - self.starts[document as usize],
        };
        Span {
            start: found.start as u32,
            end: found.end as u32,
            count: found.matches.count() as u32,
            occurrences: first.into_iter().take(occurrences_max as usize).map(occurrence).collect(),
        }
    }

    /// Whether searching this corpus for `text` (the question or the answer) gives exactly
    /// `evidence`: what an auditor with the records asks.
    pub fn confirms(&self, evidence: &Evidence, text: &[u8]) -> Result<bool, CorpusError> {
        match evidence {
            Evidence::Retrieval(claimed) => {
                let (found, _) = self.retrieve(text, claimed.query, &claimed.parameters)?;
                Ok(found == *claimed)
            }
            Evidence::VerbatimSpan(claimed) => {
                Ok(self.trace(text, claimed.output, &claimed.parameters)? == *claimed)
            }
        }
    }

    fn index(&self) -> Index<'_> {
        let section = |section| self.file.section(section);
        Index {
            terms: Terms::open(
                section(Section::Terms),
                section(Section::TermTable),
                section(Section::Postings),
            ),
            passages: Integers::new(section(Section::Passages)),
            words: self.file.header().words,
        }
    }

    fn suffixes(&self) -> Result<Suffixes<'_>, CorpusError> {
        let buckets = Buckets::open(self.file.section(Section::Buckets))
            .ok_or_else(|| CorpusError::damaged(self.file.path(), "section \"buckets\""))?;
        Ok(Suffixes {
            text: self.file.section(Section::Text),
            positions: Integers::new(self.file.section(Section::Suffixes)),
            buckets,
        })
    }
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

fn check_length(what: &'static str, text: &[u8], bytes_max: usize) -> Result<(), CorpusError> {
    let bytes = text.len();
    let fits = bytes <= bytes_max;
    if fits { Ok(()) } else { Err(CorpusError::TextTooLong { what, bytes, bytes_max }) }
}

#[cfg(test)]
#[path = "corpus_tests.rs"]
mod tests;
