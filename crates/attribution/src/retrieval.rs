//! Evidence by retrieval: the passages that were put before the model, with their scores.
//!
//! Claims are proportional to scores. Whether the model looked at a passage is not known
//! here; that it was given the passage is.
//!
//! A rule for duplicates changes nothing here. Two passages of one text were both given to the
//! model, each with a title of its own, and a copy with one letter changed is another text: a
//! rule that only a clumsy copy meets would protect nobody. A copied span is different, because
//! a changed letter ends the span.

use crate::evidence::EvidenceError;
use crate::method::{Attributor, Claim, Method};
use ambar_base::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most passages of one call.
pub const PASSAGES_MAX: u32 = 32;
/// Longest context, bytes.
pub const CONTEXT_BYTES_MAX: u32 = 64 * 1024;
/// Largest k₁ of BM25, thousandths.
pub const K1_THOUSANDTHS_MAX: u32 = 10_000;
/// Largest score of one passage: the sum of [`PASSAGES_MAX`] of them fits a claim.
pub const SCORE_MAX: u64 = 1 << 48;

/// How passages were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalParameters {
    /// Most passages taken.
    pub passages_max: u32,
    /// Most passages taken from one document.
    pub per_document_max: u32,
    /// Most bytes of all passages together.
    pub context_bytes_max: u32,
    /// A passage below this part of the best score is not taken, thousandths.
    pub floor_thousandths: u32,
    /// k₁ of BM25: how fast a repeated word saturates, thousandths.
    pub k1_thousandths: u32,
    /// b of BM25: how much long passages are held back, thousandths.
    pub b_thousandths: u32,
}

impl Default for RetrievalParameters {
    /// k₁ = 1.2 and b = 0.75 are the usual values (Robertson and Zaragoza, "The
    /// Probabilistic Relevance Framework: BM25 and Beyond", 2009).
    fn default() -> Self {
        Self {
            passages_max: 4,
            per_document_max: 1,
            context_bytes_max: 2_000,
            floor_thousandths: 300,
            k1_thousandths: 1_200,
            b_thousandths: 750,
        }
    }
}

impl RetrievalParameters {
    /// Refuses values beyond the limits.
    pub fn check(&self) -> Result<(), EvidenceError> {
        let rule = |holds: bool, rule| if holds { Ok(()) } else { Err(EvidenceError::Rule(rule)) };
        rule((1..=PASSAGES_MAX).contains(&self.passages_max), "passages_max is 1 to 32")?;
        rule((1..=PASSAGES_MAX).contains(&self.per_document_max), "per_document_max is 1 to 32")?;
        rule(self.context_bytes_max <= CONTEXT_BYTES_MAX, "context_bytes_max is at most 65536")?;
        rule(self.floor_thousandths <= 1_000, "floor_thousandths is at most 1000")?;
        rule(self.k1_thousandths <= K1_THOUSANDTHS_MAX, "k1_thousandths is at most 10000")?;
        rule(self.b_thousandths <= 1_000, "b_thousandths is at most 1000")
    }
}

/// A stretch of a record that was given to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    /// Index of the document in the corpus.
    pub document: u32,
    /// Index of its contributor.
    pub contributor: u32,
    /// First byte within the document.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// BM25 score in units of 2⁻¹⁶ bits.
    pub score: u64,
}

/// The passages of one call, best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalEvidence {
    /// Root of the corpus searched.
    pub corpus: Digest,
    /// Digest of the question, salted by whoever asks, so that the evidence root on a
    /// public ledger does not give a short question away.
    pub query: Digest,
    /// How passages were chosen.
    pub parameters: RetrievalParameters,
    /// What was given to the model, by descending score, then ascending position.
    pub passages: Vec<Passage>,
}

impl RetrievalEvidence {
    /// Refuses evidence that no search gives.
    pub fn check(&self) -> Result<(), EvidenceError> {
        self.parameters.check()?;
        let (rule, parameters) = (EvidenceError::Rule, &self.parameters);
        if self.passages.len() > parameters.passages_max as usize {
            return Err(rule("at most passages_max passages"));
        }
        if self.passages.iter().any(|p| p.start >= p.end || p.score == 0 || p.score > SCORE_MAX) {
            return Err(rule("a passage has bytes and a score within the limit"));
        }
        let bytes: u64 = self.passages.iter().map(|p| u64::from(p.end - p.start)).sum();
        if bytes > u64::from(parameters.context_bytes_max) {
            return Err(rule("passages fit context_bytes_max"));
        }
        let order = |p: &Passage| (std::cmp::Reverse(p.score), p.document, p.start);
        if !self.passages.is_sorted_by(|a, b| order(a) < order(b)) {
            return Err(rule("passages descend by score, then ascend by position"));
        }
        let mut places: Vec<_> = self.passages.iter().map(|p| (p.document, p.start)).collect();
        places.sort_unstable();
        if places.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(rule("a passage is given once"));
        }
        Ok(())
    }
}

impl Attributor for RetrievalEvidence {
    fn method(&self) -> Method {
        Method::Retrieval
    }

    /// The sum of the scores of a contributor's passages.
    fn claims(&self) -> Vec<Claim> {
        let mut sums = BTreeMap::<u32, u128>::new();
        for passage in &self.passages {
            *sums.entry(passage.contributor).or_default() += u128::from(passage.score);
        }
        sums.into_iter().map(|(contributor, raw)| Claim { contributor, raw }).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> RetrievalEvidence {
        let passage = |document, contributor, start, score| {
            let end = start + 400;
            Passage { document, contributor, start, end, score }
        };
        RetrievalEvidence {
            corpus: Digest::of(b"corpus"),
            query: Digest::of(b"query"),
            parameters: RetrievalParameters::default(),
            passages: vec![passage(7, 2, 0, 900), passage(3, 5, 10, 500), passage(4, 2, 0, 100)],
        }
    }

    #[test]
    fn claims_follow_scores() {
        let claim = |contributor, raw| Claim { contributor, raw };
        assert_eq!(sample().claims(), [claim(2, 1000), claim(5, 500)]);
        assert_eq!(sample().check(), Ok(()));
    }

    #[test]
    fn refuses_what_no_search_gives() {
        let check = |change: &dyn Fn(&mut RetrievalEvidence), word: &str| {
            let mut evidence = sample();
            change(&mut evidence);
            let error = evidence.check().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        };
        check(&|e| e.passages.swap(0, 1), "descend");
        check(&|e| e.passages[1].end = 10, "has bytes");
        check(&|e| e.passages[0].score = SCORE_MAX + 1, "score");
        check(&|e| e.passages[2].end = 5_000, "context_bytes_max");
        check(&|e| e.parameters.passages_max = 2, "at most passages_max");
        check(&|e| e.parameters.passages_max = 33, "1 to 32");
        check(&|e| e.parameters.b_thousandths = 1_001, "b_thousandths");
        check(&|e| (e.passages[2].document, e.passages[2].start) = (7, 0), "once");
    }
}
