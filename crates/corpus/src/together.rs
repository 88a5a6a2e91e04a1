//! Several corpora searched as one: their documents and contributors are numbered through, in
//! the order of the corpora.
//!
//! A span is maximal among all of them, and its count is the sum of its counts. Money is not
//! divided so: each datanet of a call has evidence of its own. One corpus together with no other
//! is that corpus.

use crate::corpus::{Corpus, check_length};
use crate::error::CorpusError;
use crate::trace::{self, Found, Place};
use ambar_attribution::span::OUTPUT_BYTES_MAX;
use ambar_attribution::{Occurrence, Span, SpanEvidence, SpanParameters};
use ambar_base::{Digest, tree};
use std::collections::BTreeMap;

/// Most corpora that are searched together.
pub const CORPORA_MAX: usize = 16;

/// Corpora in order.
#[derive(Debug)]
pub struct Together<'a> {
    corpora: Vec<&'a Corpus>,
    /// Numbers of the first document and contributor of each.
    firsts: Vec<(u32, u32)>,
}

impl<'a> Together<'a> {
    /// These corpora, of which there are not too many.
    pub fn of(corpora: Vec<&'a Corpus>) -> Result<Self, CorpusError> {
        if corpora.len() > CORPORA_MAX {
            let (what, max) = ("the number of datanets searched together", CORPORA_MAX as u64);
            return Err(CorpusError::TooLarge { what, max });
        }
        let too_many = CorpusError::TooLarge { what: "the number of documents", max: 1 << 32 };
        let (mut firsts, mut next) = (Vec::with_capacity(corpora.len()), Some((0u32, 0u32)));
        for corpus in &corpora {
            let Some((document, contributor)) = next else { return Err(too_many) };
            firsts.push((document, contributor));
            let documents = document.checked_add(corpus.documents());
            next = documents.zip(contributor.checked_add(corpus.contributors()));
        }
        Ok(Self { corpora, firsts })
    }

    /// Which corpus a document is of, and as which.
    #[must_use]
    pub fn document(&self, number: u32) -> Option<(usize, u32)> {
        let index = self.firsts.partition_point(|(first, _)| *first <= number).checked_sub(1)?;
        let document = number - self.firsts[index].0;
        (document < self.corpora[index].documents()).then_some((index, document))
    }

    /// Which corpus a contributor is of, and as which.
    #[must_use]
    pub fn contributor(&self, number: u32) -> Option<(usize, u32)> {
        let index = self.firsts.partition_point(|(_, first)| *first <= number).checked_sub(1)?;
        let contributor = number - self.firsts[index].1;
        (contributor < self.corpora[index].contributors()).then_some((index, contributor))
    }

    /// The root of one corpus, or the root over those of several.
    #[must_use]
    pub fn root(&self) -> Digest {
        tree::root_of(self.corpora.iter().map(|corpus| corpus.root()).collect())
    }

    /// The corpora in order.
    pub(crate) fn corpora(&self) -> &[&'a Corpus] {
        &self.corpora
    }

    /// Bytes of all records.
    pub(crate) fn text_bytes(&self) -> u64 {
        self.corpora.iter().map(|corpus| corpus.text_bytes()).sum()
    }

    /// The segments as they are searched, and of which corpus each is.
    pub(crate) fn places(&self) -> Result<(Vec<Place<'a>>, Vec<usize>), CorpusError> {
        let (mut places, mut owners) = (Vec::new(), Vec::new());
        for (index, corpus) in self.corpora.iter().enumerate() {
            places.extend(corpus.places()?);
            owners.resize(places.len(), index);
        }
        Ok((places, owners))
    }

    /// As [`Corpus::trace`].
    pub fn trace(
        &self,
        output: &[u8],
        digest: Digest,
        parameters: &SpanParameters,
    ) -> Result<SpanEvidence, CorpusError> {
        parameters.check()?;
        check_length("answer", output, OUTPUT_BYTES_MAX as usize)?;
        let (places, owners) = self.places()?;
        let found = trace::maximal(&places, output, parameters);
        let spans = trace::longest(found, parameters.spans_max)
            .into_iter()
            .map(|found| self.span(&places, &owners, &found, parameters.occurrences_max))
            .collect();
        let corpus_bytes = self.text_bytes();
        let (corpus, output, parameters) = (self.root(), digest, *parameters);
        Ok(SpanEvidence { corpus, corpus_bytes, output, parameters, spans })
    }

    fn span(
        &self,
        places: &[Place<'_>],
        owners: &[usize],
        found: &Found,
        occurrences_max: u32,
    ) -> Span {
        let mut first = BTreeMap::<u32, u32>::new();
        for ((place, owner), matches) in places.iter().zip(owners).zip(&found.matches) {
            let live = |at| place.part.live_at(at);
            for (document, offset) in place.suffixes.positions(matches).filter_map(live) {
                let earliest = first.entry(self.firsts[*owner].0 + document).or_insert(offset);
                *earliest = offset.min(*earliest);
            }
        }
        let occurrence = |(document, offset): (u32, u32)| {
            let (owner, within) = self.document(document)?;
            let own = self.corpora[owner].document(within)?.contributor;
            let contributor = self.firsts[owner].1 + own;
            Some(Occurrence { document, contributor, offset })
        };
        let listed = first.into_iter().take(occurrences_max as usize);
        Span {
            start: found.start as u32,
            end: found.end as u32,
            count: found.count as u32,
            occurrences: listed.filter_map(occurrence).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Document;
    use tempfile::TempDir;

    fn built(texts: &[(u32, &str)]) -> (TempDir, Corpus) {
        let document = |(at, (contributor, text)): (usize, &(u32, &str))| Document {
            title: at.to_string(),
            contributor: *contributor,
            text: text.as_bytes().to_vec(),
        };
        let place = tempfile::tempdir().unwrap();
        let documents = texts.iter().enumerate().map(document);
        let corpus = Corpus::build(place.path(), documents, &mut |_| ()).unwrap();
        (place, corpus)
    }

    #[test]
    fn several_are_as_one_with_all_their_documents() {
        let texts = [
            (0, "the old mill by the river"),
            (2, "a mill by the road"),
            (1, "old mill by the sea"),
        ];
        let moved = [texts[0], texts[1], (3 + 1, texts[2].1)];
        let (_one, one) = built(&texts[..2]);
        let (_two, two) = built(&texts[2..]);
        let (_all, all) = built(&moved);
        let together = Together::of(vec![&one, &two]).unwrap();
        let parameters = SpanParameters { span_bytes_min: 4, ..Default::default() };
        for output in ["an old mill by the road", "old mill by the river and the sea", "none"] {
            let found = together.trace(output.as_bytes(), Digest::ZERO, &parameters).unwrap();
            let expect = all.trace(output.as_bytes(), Digest::ZERO, &parameters).unwrap();
            assert_eq!(found, SpanEvidence { corpus: together.root(), ..expect }, "{output}");
            assert_eq!(found.check(), Ok(()));
        }
        assert_eq!((together.document(1), together.document(2)), (Some((0, 1)), Some((1, 0))));
        assert_eq!((together.document(3), together.contributor(5)), (None, None));
        assert_eq!(together.contributor(4), Some((1, 1)));
        assert_eq!(Together::of(vec![&one]).unwrap().root(), one.root());
        let error = Together::of(vec![&one; CORPORA_MAX + 1]).unwrap_err();
        assert!(matches!(error, CorpusError::TooLarge { .. }), "{error}");
    }
}
