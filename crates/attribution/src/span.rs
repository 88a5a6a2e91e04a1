//! Evidence by verbatim spans: stretches of the answer that stand word for word in the
//! corpus.
//!
//! A span is worth its length times its rarity, log₂(corpus bytes / count). Where spans
//! overlap each byte of the answer is paid once, to the longest span covering it (then
//! the rarer, then the earlier). The worth is split over the distinct documents in which the
//! span was found, equally unless the datanet has another rule. Co-occurrence is all that this proves: a common phrase
//! is little evidence, and a paraphrase leaves none.

use crate::evidence::EvidenceError;
use crate::logarithm::log2;
use crate::method::{Attributor, Claim, Method};
use crate::sharing::Duplicates;
use ambar_base::Digest;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Longest answer that is traced, bytes.
pub const OUTPUT_BYTES_MAX: u32 = 64 * 1024;
/// Most spans in one evidence.
pub const SPANS_MAX: u32 = 512;
/// Most occurrences listed for one span.
pub const OCCURRENCES_MAX: u32 = 16;
/// Largest number of occurrences at which a span is still evidence.
pub const COUNT_MAX: u32 = 100_000;
/// A span's worth is multiplied by 2¹⁶ before it is split, so that splitting it among
/// at most [`OCCURRENCES_MAX`] documents loses less than 2⁻¹⁶ bit·bytes.
const SPLIT_BITS: u32 = 16;

/// How spans were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanParameters {
    /// Shortest span, bytes.
    pub span_bytes_min: u32,
    /// A span that occurs more often is boilerplate, and no evidence.
    pub count_max: u32,
    /// Most documents listed for a span, the earliest in the corpus first.
    pub occurrences_max: u32,
    /// Most spans listed, the longest (then the earliest) first choice.
    pub spans_max: u32,
}

impl Default for SpanParameters {
    fn default() -> Self {
        Self { span_bytes_min: 24, count_max: 1_000, occurrences_max: 8, spans_max: 256 }
    }
}

impl SpanParameters {
    /// Refuses values beyond the limits.
    pub fn check(&self) -> Result<(), EvidenceError> {
        let rule = |holds: bool, rule| if holds { Ok(()) } else { Err(EvidenceError::Rule(rule)) };
        rule(
            (1..=OUTPUT_BYTES_MAX).contains(&self.span_bytes_min),
            "span_bytes_min is 1 to 65536",
        )?;
        rule((1..=COUNT_MAX).contains(&self.count_max), "count_max is 1 to 100000")?;
        rule((1..=OCCURRENCES_MAX).contains(&self.occurrences_max), "occurrences_max is 1 to 16")?;
        rule((1..=SPANS_MAX).contains(&self.spans_max), "spans_max is 1 to 512")
    }
}

/// Where a span stands in one document for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, u32, u32)", into = "(u32, u32, u32)")]
pub struct Occurrence {
    /// Index of the document in the corpus.
    pub document: u32,
    /// Index of its contributor.
    pub contributor: u32,
    /// First byte within the document.
    pub offset: u32,
}

impl From<(u32, u32, u32)> for Occurrence {
    fn from((document, contributor, offset): (u32, u32, u32)) -> Self {
        Self { document, contributor, offset }
    }
}

impl From<Occurrence> for (u32, u32, u32) {
    fn from(occurrence: Occurrence) -> Self {
        (occurrence.document, occurrence.contributor, occurrence.offset)
    }
}

/// A stretch of the answer that stands in the corpus and is part of no longer one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First byte within the answer.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    /// Occurrences in the whole corpus.
    pub count: u32,
    /// The first occurrence in each of the earliest documents, ascending by document.
    pub occurrences: Vec<Occurrence>,
}

impl Span {
    /// Length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        self.end - self.start
    }

    /// Which of two overlapping spans is paid: the smaller key.
    fn precedence(&self) -> (Reverse<u32>, u32, u32) {
        (Reverse(self.bytes()), self.count, self.start)
    }
}

/// The maximal verbatim spans of one answer, in the order of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpanEvidence {
    /// Root of the corpus searched.
    pub corpus: Digest,
    /// Bytes of all its records.
    pub corpus_bytes: u64,
    /// Digest of the answer, salted by whoever asks.
    pub output: Digest,
    /// How spans were chosen.
    pub parameters: SpanParameters,
    /// Starts and ends ascend strictly: no span lies within another.
    pub spans: Vec<Span>,
}

impl SpanEvidence {
    /// Refuses evidence that no trace gives.
    pub fn check(&self) -> Result<(), EvidenceError> {
        self.parameters.check()?;
        let rule = EvidenceError::Rule;
        if self.spans.len() > self.parameters.spans_max as usize {
            return Err(rule("at most spans_max spans"));
        }
        if !self.spans.is_sorted_by(|a, b| a.start < b.start && a.end < b.end) {
            return Err(rule("spans ascend, none within another"));
        }
        self.spans.iter().try_for_each(|span| self.check_span(span))
    }

    fn check_span(&self, span: &Span) -> Result<(), EvidenceError> {
        let (rule, parameters) = (EvidenceError::Rule, &self.parameters);
        if span.start >= span.end || span.end > OUTPUT_BYTES_MAX {
            return Err(rule("a span has bytes within the longest answer"));
        }
        if span.bytes() < parameters.span_bytes_min {
            return Err(rule("a span has at least span_bytes_min bytes"));
        }
        let (listed, count) = (span.occurrences.len(), span.count);
        let listed_max = parameters.occurrences_max.min(count) as usize;
        if count > parameters.count_max || !(1..=listed_max).contains(&listed) {
            return Err(rule("a span counts and lists its occurrences within the limits"));
        }
        if u64::from(count) > self.corpus_bytes {
            return Err(rule("a span occurs at most once per byte of the corpus"));
        }
        if !span.occurrences.is_sorted_by(|a, b| a.document < b.document) {
            return Err(rule("occurrences ascend strictly by document"));
        }
        Ok(())
    }

    /// Bytes of the answer that each span is paid for, in the order of the spans.
    #[must_use]
    pub fn paid_bytes(&self) -> Vec<u32> {
        let mut cuts: Vec<u32> =
            self.spans.iter().flat_map(|span| [span.start, span.end]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut paid = vec![0; self.spans.len()];
        for piece in cuts.windows(2) {
            let covers = |span: &Span| span.start <= piece[0] && piece[1] <= span.end;
            let covering = (0..self.spans.len()).filter(|i| covers(&self.spans[*i]));
            if let Some(best) = covering.min_by_key(|i| self.spans[*i].precedence()) {
                paid[best] += piece[1] - piece[0];
            }
        }
        paid
    }

    /// log₂(corpus bytes / count) in units of 2⁻¹⁶.
    fn rarity(&self, span: &Span) -> u64 {
        log2(self.corpus_bytes).saturating_sub(log2(u64::from(span.count)))
    }
}

impl Attributor for SpanEvidence {
    fn method(&self) -> Method {
        Method::VerbatimSpan
    }

    /// The sum over spans of paid bytes × rarity / distinct documents.
    fn claims(&self) -> Vec<Claim> {
        self.claims_by(Duplicates::Equal)
    }

    fn claims_by(&self, rule: Duplicates) -> Vec<Claim> {
        let mut sums = BTreeMap::<u32, u128>::new();
        for (span, bytes) in self.spans.iter().zip(self.paid_bytes()) {
            let worth = (u128::from(bytes) * u128::from(self.rarity(span))) << SPLIT_BITS;
            let contributors: Vec<u32> =
                span.occurrences.iter().map(|occurrence| occurrence.contributor).collect();
            for (contributor, part) in rule.divide(worth, &contributors) {
                *sums.entry(contributor).or_default() += part;
            }
        }
        let claim = |(contributor, raw)| Claim { contributor, raw };
        sums.into_iter().filter(|(_, raw)| *raw > 0).map(claim).collect()
    }
}

#[cfg(test)]
#[path = "span_tests.rs"]
pub(crate) mod tests;
