//! An open corpus: its records, and evidence found in them.

use crate::disk::Disk;
use crate::error::CorpusError;
use crate::manifest::{self, Live, Manifest};
use crate::part::{DEAD, Part};
use crate::record::DocumentEntry;
use crate::retrieve::{self, QUERY_BYTES_MAX};
use crate::segment::{self, Segment};
use crate::together::Together;
use crate::trace::{self, Place};
use ambar_attribution::record::{self as leaves, RecordLeaf, chunks_tree};
use ambar_attribution::span::OUTPUT_BYTES_MAX;
use ambar_attribution::{
    CorpusModelEvidence, CorpusModelParameters, Evidence, Passage, RetrievalEvidence,
    RetrievalParameters, SpanEvidence, SpanParameters, SpanProof,
};
use ambar_base::Digest;
use ambar_base::tree::Tree;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Records on disk with their indices. It never changes: what is added, withdrawn or merged
/// makes another corpus, and whoever has this one reads on in its files. Cheap to share
/// between threads by reference.
#[derive(Debug)]
pub struct Corpus {
    pub(crate) disk: Disk,
    pub(crate) directory: PathBuf,
    root: Digest,
    pub(crate) parts: Vec<Part>,
    pub(crate) documents: Vec<Live>,
    text_bytes: u64,
    contributors: u32,
    tree: OnceLock<Tree>,
    mended: Vec<CorpusError>,
}

/// What a corpus knows about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentView<'a> {
    /// Path or title.
    pub title: &'a str,
    /// Index in the datanet's contributor table.
    pub contributor: u32,
    /// Length of the text in bytes.
    pub bytes: u32,
}

/// Bytes of a document that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Index of the document.
    pub document: u32,
    /// First byte within it.
    pub offset: u32,
    /// How many.
    pub bytes: u32,
}

impl Corpus {
    /// Opens the corpus in `directory` and checks every byte of it. An index that is damaged is
    /// made again from its records: see [`Self::mended`]. Damaged records are an error that
    /// names them: see [`Self::salvage`]. What a crash has left half-written is removed.
    pub fn open(directory: &Path) -> Result<Self, CorpusError> {
        Self::open_on(Disk::default(), directory)
    }

    pub(crate) fn open_on(disk: Disk, directory: &Path) -> Result<Self, CorpusError> {
        let manifest = Manifest::read(directory)?;
        let (mut segments, mut mended) = (Vec::new(), Vec::new());
        for id in &manifest.segments {
            let (segment, why) = Segment::open_or_mend(&disk, directory, id)?;
            segments.push(Arc::new(segment));
            mended.extend(why);
        }
        let damaged = |what| CorpusError::damaged(&manifest::path(directory), what);
        let corpus = Self::of(disk, directory, segments, manifest.live)
            .ok_or_else(|| damaged("it lists documents that are not there"))?;
        if corpus.root != manifest.root {
            return Err(damaged("its root is not that of its documents"));
        }
        corpus.clear()?;
        Ok(Self { mended, ..corpus })
    }

    /// What of a damaged corpus can be used when it is written anew: the documents of all
    /// segments whose records are whole. It names no root that anybody knows.
    pub fn salvage(directory: &Path) -> Result<Self, CorpusError> {
        let (disk, manifest) = (Disk::default(), Manifest::read(directory)?);
        let (mut segments, mut kept) = (Vec::new(), BTreeMap::new());
        for (index, id) in (0..).zip(&manifest.segments) {
            if let Ok((segment, _)) = Segment::open_or_mend(&disk, directory, id) {
                kept.insert(index, segments.len() as u32);
                segments.push(Arc::new(segment));
            }
        }
        let moved = |live: Live| Some(Live { segment: *kept.get(&live.segment)?, ..live });
        let live = manifest.live.into_iter().filter_map(moved).collect();
        Self::of(disk, directory, segments, live).ok_or_else(|| {
            CorpusError::damaged(&manifest::path(directory), "it lists what is not there")
        })
    }

    /// A corpus of these segments; nothing if a document is not in its segment or twice there.
    pub(crate) fn of(
        disk: Disk,
        directory: &Path,
        segments: Vec<Arc<Segment>>,
        documents: Vec<Live>,
    ) -> Option<Self> {
        let all_dead = |segment: &Arc<Segment>| vec![DEAD; segment.entries().len()];
        let mut numbers: Vec<Vec<u32>> = segments.iter().map(all_dead).collect();
        for (number, live) in (0..).zip(&documents) {
            let place = numbers.get_mut(live.segment as usize)?.get_mut(live.document as usize)?;
            if std::mem::replace(place, number) != DEAD {
                return None;
            }
        }
        let parts: Vec<Part> =
            segments.into_iter().zip(numbers).map(|(s, numbers)| Part::new(s, numbers)).collect();
        let contributors = documents.iter().map(|live| live.contributor).max();
        let mut corpus = Self {
            disk,
            directory: directory.to_owned(),
            root: Digest::ZERO,
            text_bytes: parts.iter().map(Part::live_bytes).sum(),
            contributors: contributors.map_or(0, |highest| highest.saturating_add(1)),
            parts,
            documents,
            tree: OnceLock::new(),
            mended: Vec::new(),
        };
        let count = corpus.documents.len() as u64;
        corpus.root = leaves::root(count, &leaves::records_tree(corpus.leaves()).root());
        Some(corpus)
    }

    /// Makes this the corpus of its directory.
    pub(crate) fn commit(self) -> Result<Self, CorpusError> {
        let ids = self.parts.iter().map(|part| part.segment.id()).collect();
        let manifest = Manifest::of(self.root, ids, self.documents.clone());
        manifest.commit(&self.disk, &self.directory)?;
        self.clear()?;
        Ok(self)
    }

    /// Removes what is not named by the manifest.
    fn clear(&self) -> Result<(), CorpusError> {
        let files = |part: &Part| segment::paths(&self.directory, &part.segment.id());
        let mut kept: Vec<PathBuf> = self.parts.iter().flat_map(files).collect();
        kept.push(manifest::path(&self.directory));
        self.disk.clear(&self.directory, &kept)
    }

    /// What was found damaged when this was opened, and has been made again.
    #[must_use]
    pub fn mended(&self) -> &[CorpusError] {
        &self.mended
    }

    /// Whether every index is, to the last bit, the one that follows from the records. Takes as
    /// long as building them.
    pub fn follows_from_its_records(&self) -> Result<bool, CorpusError> {
        let mut parts = self.parts.iter();
        parts.try_fold(true, |all, part| Ok(all && part.segment.follows()?))
    }

    /// What names these records in this order.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root
    }

    /// How many documents there are; evidence names them by their index.
    #[must_use]
    pub fn documents(&self) -> u32 {
        self.documents.len() as u32
    }

    /// A document by its index.
    #[must_use]
    pub fn document(&self, document: u32) -> Option<DocumentView<'_>> {
        let live = self.documents.get(document as usize)?;
        let DocumentEntry { title, bytes, .. } = self.entry(live);
        Some(DocumentView { title, contributor: live.contributor, bytes: *bytes })
    }

    fn entry(&self, live: &Live) -> &DocumentEntry {
        &self.parts[live.segment as usize].segment.entries()[live.document as usize]
    }

    fn leaves(&self) -> impl Iterator<Item = RecordLeaf> {
        self.documents.iter().map(|live| self.entry(live).leaf(live.contributor))
    }

    /// Bytes of all records.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// Bytes of the files with texts and indices.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.segment.file_bytes()).sum()
    }

    /// How many segments there are.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.parts.len()
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
        let live = self.documents.get(document as usize)?;
        Some(self.parts[live.segment as usize].segment.text(live.document))
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
        let ranked = retrieve::ranked(&self.parts, query, parameters);
        let passages: Vec<Passage> = retrieve::take(ranked, parameters)
            .into_iter()
            .map(|retrieve::Candidate { document, start, end, score }| {
                let contributor = self.contributor(document);
                Passage { document, contributor, start, end, score }
            })
            .collect();
        let text = |passage: &Passage| self.text(passage.document, passage.start, passage.end);
        let texts = passages.iter().map(text).collect::<Result<_, _>>()?;
        let (corpus, parameters) = (self.root(), *parameters);
        Ok((RetrievalEvidence { corpus, query: digest, parameters, passages }, texts))
    }

    fn contributor(&self, document: u32) -> u32 {
        self.documents[document as usize].contributor
    }

    /// The maximal verbatim spans of `output`: see [`ambar_attribution::Span`]. Counts are
    /// exact; the first occurrence in each of the earliest documents is listed.
    ///
    /// `digest` stands for the answer in the evidence, as in [`Self::retrieve`].
    pub fn trace(
        &self,
        output: &[u8],
        digest: Digest,
        parameters: &SpanParameters,
    ) -> Result<SpanEvidence, CorpusError> {
        Together::of(vec![self])?.trace(output, digest, parameters)
    }

    /// What the model over these records says of an answer: see [`Together::replay`].
    ///
    /// `digests` stand for question and answer in the evidence, as in [`Self::retrieve`].
    pub fn replay(
        &self,
        texts: (&str, &[u8]),
        digests: (Digest, Digest),
        parameters: &CorpusModelParameters,
    ) -> Result<CorpusModelEvidence, CorpusError> {
        let mut evidence = Together::of(vec![self])?.replay(texts, digests, parameters)?;
        Ok(evidence.pop().expect("there is evidence of each corpus"))
    }

    /// The segments as they are searched.
    pub(crate) fn places(&self) -> Result<Vec<Place<'_>>, CorpusError> {
        let place = |part| Ok(Place { part, suffixes: part.segment.suffixes()? });
        self.parts.iter().map(place).collect()
    }

    /// One more than the highest index of a contributor.
    pub(crate) fn contributors(&self) -> u32 {
        self.contributors
    }

    /// How often a stretch of whole words occurs as such.
    pub fn count(&self, span: &[u8]) -> Result<u64, CorpusError> {
        check_length("span", span, OUTPUT_BYTES_MAX as usize)?;
        if span.contains(&0) {
            return Ok(0);
        }
        Ok(trace::count(&self.places()?, span) as u64)
    }

    /// The proof that the bytes of a stretch stand in their document, for somebody who has
    /// those bytes and the root.
    pub fn prove(&self, stretch: Stretch) -> Result<SpanProof, CorpusError> {
        self.prove_with(stretch, &mut None)
    }

    /// The proofs of stretches, in their order. A document is hashed once, however many of them
    /// lie in it.
    pub fn prove_all(&self, stretches: &[Stretch]) -> Result<Vec<SpanProof>, CorpusError> {
        let mut order: Vec<usize> = (0..stretches.len()).collect();
        order.sort_by_key(|at| stretches[*at].document);
        let mut last = None;
        let prove = |at: usize| Ok((at, self.prove_with(stretches[at], &mut last)?));
        let proofs = order.into_iter().map(prove).collect::<Result<BTreeMap<_, _>, CorpusError>>();
        Ok(proofs?.into_values().collect())
    }

    /// Keeps the tree of the document's chunks in `last`.
    fn prove_with(
        &self,
        stretch: Stretch,
        last: &mut Option<(u32, Tree)>,
    ) -> Result<SpanProof, CorpusError> {
        let Stretch { document, offset, bytes } = stretch;
        let proof = self.documents.get(document as usize).and_then(|live| {
            let records = self.tree.get_or_init(|| leaves::records_tree(self.leaves()));
            let text = self.document_text(document)?;
            let kept = last.take().filter(|(of, _)| *of == document);
            let (_, chunks) = last.insert(kept.unwrap_or_else(|| (document, chunks_tree(text))));
            let place = (self.documents(), document);
            let span = offset as usize..(offset as usize).checked_add(bytes as usize)?;
            let leaf = self.entry(live).leaf(live.contributor);
            SpanProof::of((records, chunks), place, &leaf, text, span)
        });
        proof.ok_or(CorpusError::NoSuchSpan { document, offset, bytes })
    }

    /// Whether searching this corpus for what was said gives exactly `evidence`: what an auditor
    /// with the records asks. For the corpus model the corpus is all that the model draws from.
    pub fn confirms(&self, evidence: &Evidence, said: Said<'_>) -> Result<bool, CorpusError> {
        let Said { question, answer } = said;
        match evidence {
            Evidence::Retrieval(claimed) => {
                let found = self.retrieve(question.as_bytes(), claimed.query, &claimed.parameters);
                Ok(found?.0 == *claimed)
            }
            Evidence::VerbatimSpan(claimed) => {
                Ok(self.trace(answer, claimed.output, &claimed.parameters)? == *claimed)
            }
            Evidence::CorpusModel(claimed) => {
                let digests = (claimed.prompt, claimed.output);
                Ok(self.replay((question, answer), digests, &claimed.parameters)? == *claimed)
            }
            // A draw is no search: its own numbers decide.
            Evidence::CommonFloor(claimed) => Ok(claimed.check().is_ok()),
        }
    }
}

/// What was said in a call.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What was asked last, or the text to continue.
    pub question: &'a str,
    /// The answer.
    pub answer: &'a [u8],
}

pub(crate) fn check_length(
    what: &'static str,
    text: &[u8],
    bytes_max: usize,
) -> Result<(), CorpusError> {
    let bytes = text.len();
    let fits = bytes <= bytes_max;
    if fits { Ok(()) } else { Err(CorpusError::TextTooLong { what, bytes, bytes_max }) }
}

#[cfg(test)]
#[path = "corpus_tests.rs"]
mod tests;
