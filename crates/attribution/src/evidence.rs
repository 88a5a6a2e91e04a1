//! Evidence as a document: canonical bytes, an id of its own, and nothing accepted that
//! no method gives.

use crate::corpus_model::CorpusModelEvidence;
use crate::floor::FloorEvidence;
use crate::method::{Attributor, Claim, Method};
use crate::retrieval::RetrievalEvidence;
use crate::sharing::Duplicates;
use crate::span::SpanEvidence;
use ambar_base::document::{self, DocumentError};
use ambar_base::{Coded, Digest, Domain, ErrorCode};
use serde::{Deserialize, Serialize};

/// Longest evidence document, bytes: the most spans with the most occurrences fit.
pub const EVIDENCE_BYTES_MAX: usize = 256 * 1024;

/// Why bytes are not evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not a canonical document of this shape and size.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A rule of the method is broken.
    #[error("evidence breaks a rule of its method: {0}")]
    Rule(&'static str),
}

impl Coded for EvidenceError {
    fn code(&self) -> ErrorCode {
        ErrorCode::DocumentInvalid
    }
}

/// What one method found for one call in one datanet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Passages given to the model.
    Retrieval(RetrievalEvidence),
    /// Stretches of the answer found word for word.
    VerbatimSpan(SpanEvidence),
    /// Words of the answer behind the words before them.
    CorpusModel(CorpusModelEvidence),
    /// Who was drawn by the rules of sharing.
    CommonFloor(FloorEvidence),
}

impl Evidence {
    /// The canonical bytes: a dag-cbor map with the method's name as its only key.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        document::encode(self)
    }

    /// Reads evidence and checks every rule that does not need the corpus.
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let evidence: Self = document::decode(bytes, EVIDENCE_BYTES_MAX)?;
        evidence.check()?;
        Ok(evidence)
    }

    /// Refuses evidence that its method never gives.
    pub fn check(&self) -> Result<(), EvidenceError> {
        match self {
            Self::Retrieval(evidence) => evidence.check(),
            Self::VerbatimSpan(evidence) => evidence.check(),
            Self::CorpusModel(evidence) => evidence.check(),
            Self::CommonFloor(evidence) => evidence.check(),
        }
    }

    /// What a receipt commits to: the digest of the canonical bytes.
    #[must_use]
    pub fn root(&self) -> Digest {
        Domain::Evidence.digest(&self.encode())
    }

    /// Root of the corpus that was searched, if one was.
    #[must_use]
    pub fn corpus(&self) -> Option<Digest> {
        match self {
            Self::Retrieval(evidence) => Some(evidence.corpus),
            Self::VerbatimSpan(evidence) => Some(evidence.corpus),
            Self::CorpusModel(evidence) => Some(evidence.corpus),
            Self::CommonFloor(_) => None,
        }
    }

    fn attributor(&self) -> &dyn Attributor {
        match self {
            Self::Retrieval(evidence) => evidence,
            Self::VerbatimSpan(evidence) => evidence,
            Self::CorpusModel(evidence) => evidence,
            Self::CommonFloor(evidence) => evidence,
        }
    }
}

impl Attributor for Evidence {
    fn method(&self) -> Method {
        self.attributor().method()
    }

    fn claims(&self) -> Vec<Claim> {
        self.attributor().claims()
    }

    fn claims_by(&self, rule: Duplicates) -> Vec<Claim> {
        self.attributor().claims_by(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{OCCURRENCES_MAX, OUTPUT_BYTES_MAX, Occurrence, SPANS_MAX, Span};
    use crate::{corpus_model, floor, retrieval, span};

    fn samples() -> [Evidence; 4] {
        [
            Evidence::Retrieval(retrieval::tests::sample()),
            Evidence::VerbatimSpan(span::tests::sample()),
            Evidence::CorpusModel(corpus_model::tests::sample()),
            Evidence::CommonFloor(floor::tests::sample()),
        ]
    }

    #[test]
    fn round_trip_and_key_of_the_method() {
        for evidence in samples() {
            let bytes = evidence.encode();
            assert_eq!(Evidence::decode(&bytes), Ok(evidence.clone()));
            let name = evidence.method().name();
            assert_eq!(&bytes[2..2 + name.len()], name.as_bytes());
            assert_eq!(evidence.root(), Domain::Evidence.digest(&bytes));
        }
    }

    /// The bytes are signed into receipts: a change here is a new version of the method.
    #[test]
    fn roots_are_pinned() {
        let expect = [
            "8b517e066d57a4951431b95c2603f9794d63700b18582cb376be05ea3636c2d5",
            "ca3ccd2a4959391ce80b450cbb0ec3001a0108c182df993cda45ef8584673166",
            "46ac785eaa5b7bfe1ef93982b5cad11952f79cbc8c95d3d6e2d9785e003031fb",
            "3f78d5f89d86be2f864f119bfda71c5acf7e1d443fcced4f5b3b5fc899fb8278",
        ];
        assert_eq!(samples().map(|evidence| evidence.root().to_string()), expect);
    }

    #[test]
    fn refuses_damage_and_broken_rules() {
        for evidence in samples() {
            let bytes = evidence.encode();
            assert!(Evidence::decode(&bytes[..bytes.len() - 1]).is_err());
            assert!(Evidence::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
        let Evidence::Retrieval(mut broken) = samples()[0].clone() else { unreachable!() };
        broken.passages.reverse();
        let bytes = Evidence::Retrieval(broken).encode();
        assert!(matches!(Evidence::decode(&bytes), Err(EvidenceError::Rule(_))));
    }

    #[test]
    fn the_largest_evidence_fits() {
        let Evidence::VerbatimSpan(mut largest) = samples()[1].clone() else { unreachable!() };
        largest.parameters.spans_max = SPANS_MAX;
        largest.parameters.occurrences_max = OCCURRENCES_MAX;
        let at = |document| Occurrence { document, contributor: u32::MAX, offset: u32::MAX };
        let occurrences: Vec<_> = (0..OCCURRENCES_MAX).map(|i| at(u32::MAX - 99 + i)).collect();
        let span = |i| Span {
            start: 300 + i,
            end: OUTPUT_BYTES_MAX - SPANS_MAX + i,
            count: 999,
            occurrences: occurrences.clone(),
        };
        largest.spans = (0..SPANS_MAX).map(span).collect();
        let bytes = Evidence::VerbatimSpan(largest).encode();
        assert!(Evidence::decode(&bytes).is_ok(), "{} bytes", bytes.len());
    }

    #[test]
    fn the_largest_evidence_of_the_corpus_model_fits() {
        use crate::corpus_model::{CONTRIBUTORS_MAX, STEPS_MAX, Step, TOKEN, Tally};
        let Evidence::CorpusModel(mut largest) = samples()[2].clone() else { unreachable!() };
        largest.corpus_bytes = u64::MAX;
        let (context_count, word_count) = (u64::MAX, u64::MAX);
        largest.steps =
            vec![Step { context_words: 0, context_count, word_count }; STEPS_MAX as usize];
        let last = u32::MAX - CONTRIBUTORS_MAX;
        let tally = |i| Tally { contributor: last + i, credit: TOKEN };
        largest.tallies = (0..CONTRIBUTORS_MAX).map(tally).collect();
        (largest.unlisted, largest.elsewhere) = (TOKEN * 4_000, TOKEN * 96);
        let bytes = Evidence::CorpusModel(largest).encode();
        assert!(Evidence::decode(&bytes).is_ok(), "{} bytes", bytes.len());
    }
}
