//! That a span stands in a record of a datanet, shown to somebody who has only the datanet's
//! root and the words of the span.
//!
//! The chunks that the span touches are the span itself and what stands before and behind it
//! in its first and last chunk: together less than 2 KiB, however long the span is. Their
//! common path leads to the root over the record's chunks, and the record's path to the root
//! of the datanet. Whoever has the answer has the words of its spans, so they are not carried.
//!
//! It shows that the record holds the words, and whose it is. It does not show that no other
//! record holds them, and not how often they occur: that takes the records.
//!
//! **Invariant**: a proof that holds for a root and a span holds for no other root, record,
//! contributor, offset or words, unless SHA-256 is broken.

use crate::record::{CHUNK_BYTES, RecordLeaf, chunk_hashes, root};
use crate::span::OUTPUT_BYTES_MAX;
use ambar_base::document::{self, DocumentError};
use ambar_base::tree::{PATH_HASHES_MAX, Tree, root_of_run};
use ambar_base::{Coded, Digest, ErrorCode};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Most hashes of both paths together.
const HASHES_MAX: usize = 3 * PATH_HASHES_MAX;
/// Longest proof, bytes: what stands around the span, both paths, and the names and numbers.
pub const PROOF_BYTES_MAX: usize = 2 * CHUNK_BYTES + 40 * HASHES_MAX + 512;

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not a canonical document of this shape and size.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A span that no trace gives, or that does not lie in its record.
    #[error("the span does not lie in the record")]
    Outside,
    /// More or less text around the span than its chunks have.
    #[error("what stands around the span is not what its chunks have")]
    Surroundings,
    /// The chunks are not those of the record.
    #[error("the words do not stand there in the record")]
    Chunks,
    /// The record is not in the datanet.
    #[error("the record is not one of the datanet")]
    Record,
}

impl Coded for ProofError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }
}

/// Shows that a span stands in a record of a datanet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanProof {
    /// Number of records of the datanet.
    pub documents: u32,
    /// Index of the record among them.
    pub document: u32,
    /// Index of its contributor.
    pub contributor: u32,
    /// SHA-256 of its path or title.
    pub title: Digest,
    /// Length of its text, bytes.
    pub bytes: u32,
    /// First byte of the span within it.
    pub offset: u32,
    /// The text before the span in the chunk where it begins.
    #[serde(with = "serde_bytes")]
    pub before: Vec<u8>,
    /// The text behind the span in the chunk where it ends.
    #[serde(with = "serde_bytes")]
    pub after: Vec<u8>,
    /// From the span's chunks to the root over the record's chunks.
    pub chunk_path: Vec<Digest>,
    /// From the record to the root over all records.
    pub document_path: Vec<Digest>,
}

/// What a proof has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Index of the record.
    pub document: u32,
    /// Index of its contributor.
    pub contributor: u32,
    /// First byte of the span within it.
    pub offset: u32,
}

impl SpanProof {
    /// The proof that `text`, the record that `leaf` stands for, holds what lies at `span`.
    /// The trees are those of all records and of the record's chunks. Nothing if the span is
    /// empty, too long or not within it, or if there is no such record.
    #[must_use]
    pub fn of(
        (records, chunks): (&Tree, &Tree),
        (documents, document): (u32, u32),
        leaf: &RecordLeaf,
        text: &[u8],
        span: Range<usize>,
    ) -> Option<Self> {
        let inside = span.start < span.end && span.end <= text.len() && document < documents;
        if !inside || span.len() > OUTPUT_BYTES_MAX as usize {
            return None;
        }
        let run = span.start / CHUNK_BYTES..span.end.div_ceil(CHUNK_BYTES);
        let end = text.len().min(run.end * CHUNK_BYTES);
        Some(Self {
            documents,
            document,
            contributor: leaf.contributor,
            title: leaf.title,
            bytes: leaf.bytes,
            offset: u32::try_from(span.start).ok()?,
            before: text[run.start * CHUNK_BYTES..span.start].to_vec(),
            after: text[span.end..end].to_vec(),
            chunk_path: chunks.run_path(run),
            document_path: records.path(document as usize),
        })
    }

    /// The canonical bytes: dag-cbor.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// Reads a proof; whether it holds is for [`Self::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        Ok(document::decode(bytes, PROOF_BYTES_MAX)?)
    }

    /// Checks that the words `span` stand where the proof says in the datanet of this root.
    pub fn verify(&self, corpus: &Digest, span: &[u8]) -> Result<Proven, ProofError> {
        let (start, length) = (self.offset as usize, span.len());
        let end = start.checked_add(length).ok_or(ProofError::Outside)?;
        let fits = (1..=OUTPUT_BYTES_MAX as usize).contains(&length) && end <= self.bytes as usize;
        if !fits {
            return Err(ProofError::Outside);
        }
        let last = (end.div_ceil(CHUNK_BYTES) * CHUNK_BYTES).min(self.bytes as usize);
        if self.before.len() != start % CHUNK_BYTES || self.after.len() != last - end {
            return Err(ProofError::Surroundings);
        }
        let run = chunk_hashes(&[&self.before[..], span, &self.after].concat());
        let mut leaf = RecordLeaf {
            contributor: self.contributor,
            title: self.title,
            bytes: self.bytes,
            chunks: Digest::ZERO,
        };
        let first = (start / CHUNK_BYTES) as u64;
        leaf.chunks = root_of_run(&run, first, leaf.chunk_count(), &self.chunk_path)
            .ok_or(ProofError::Chunks)?;
        self.verify_record(corpus, &leaf)?;
        let Self { document, contributor, offset, .. } = *self;
        Ok(Proven { document, contributor, offset })
    }

    /// The tree's root is not carried: the only one that fits is that which the path leads to.
    fn verify_record(&self, corpus: &Digest, leaf: &RecordLeaf) -> Result<(), ProofError> {
        let (index, count) = (u64::from(self.document), u64::from(self.documents));
        let tree = root_of_run(&[leaf.hash()], index, count, &self.document_path)
            .ok_or(ProofError::Record)?;
        if root(count, &tree) == *corpus { Ok(()) } else { Err(ProofError::Record) }
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
