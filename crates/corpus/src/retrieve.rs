//! The passages that answer a question best.
//!
//! Passages are scored by BM25 over the distinct terms of the question. The words of a
//! document's title count as words of each of its passages: who asks what Lincoln said
//! finds it, though a speech does not name its speaker. Passages are taken best first
//! (equal scores by position), at most so many from one document, skipping one that the
//! context has no room for, down to a part of the best score.

use crate::bm25::Bm25;
use crate::integers::Integers;
use crate::terms::Terms;
use crate::words;
use ambar_attribution::RetrievalParameters;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Longest question, bytes.
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// Most distinct terms of a question that count; the first ones.
pub const QUERY_TERMS_MAX: usize = 64;
/// Integers per passage: start, end, terms counted.
pub const PASSAGE_INTEGERS: usize = 3;
const THOUSAND: u64 = 1_000;

/// What a search reads.
#[derive(Clone, Copy, Debug)]
pub struct Index<'a> {
    pub terms: Terms<'a>,
    pub passages: Integers<'a>,
    /// Terms counted in all passages.
    pub words: u64,
}

/// A passage as bytes of the whole text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub start: u32,
    pub end: u32,
    pub score: u64,
}

impl Index<'_> {
    fn passage(&self, index: usize, column: usize) -> u32 {
        self.passages.at(PASSAGE_INTEGERS * index + column)
    }

    /// Passages with a score above zero and the floor, best first.
    pub fn ranked(&self, query: &[u8], parameters: &RetrievalParameters) -> Vec<Candidate> {
        let scores = self.scores(query, parameters);
        let best = scores.iter().copied().max().unwrap_or(0);
        let floor = (best * u64::from(parameters.floor_thousandths)).div_ceil(THOUSAND).max(1);
        let mut found: Vec<(Reverse<u64>, usize)> = scores
            .into_iter()
            .enumerate()
            .filter(|(_, score)| *score >= floor)
            .map(|(index, score)| (Reverse(score), index))
            .collect();
        found.sort_unstable();
        let candidate = |(Reverse(score), index)| Candidate {
            start: self.passage(index, 0),
            end: self.passage(index, 1),
            score,
        };
        found.into_iter().map(candidate).collect()
    }

    fn scores(&self, query: &[u8], parameters: &RetrievalParameters) -> Vec<u64> {
        let count = self.passages.len() / PASSAGE_INTEGERS;
        let bm25 = Bm25::new(count, self.words, parameters);
        let mut scores = vec![0u64; count];
        for term in distinct_terms(query) {
            let Some(postings) = self.terms.find(&term) else { continue };
            let idf = bm25.idf(postings.len());
            for (passage, count) in postings.iter() {
                let norm = bm25.norm(self.passage(passage as usize, 2));
                scores[passage as usize] += bm25.term(idf, count, norm);
            }
        }
        scores
    }
}

/// The first distinct terms of a question.
fn distinct_terms(query: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut terms = BTreeSet::new();
    for word in words::words(query) {
        let mut term = Vec::new();
        if words::term(&query[word.start..word.end], &mut term) && terms.len() < QUERY_TERMS_MAX {
            terms.insert(term);
        }
    }
    terms
}

/// The candidates that are taken, in order; `document` tells where one stands.
pub fn take(
    ranked: Vec<Candidate>,
    parameters: &RetrievalParameters,
    document: impl Fn(u32) -> u32,
) -> Vec<(u32, Candidate)> {
    let (mut taken, mut room) = (Vec::new(), parameters.context_bytes_max);
    let mut per_document = BTreeMap::<u32, u32>::new();
    for candidate in ranked {
        if taken.len() == parameters.passages_max as usize {
            break;
        }
        let (bytes, at) = (candidate.end - candidate.start, document(candidate.start));
        let from_it = per_document.entry(at).or_default();
        if bytes <= room && *from_it < parameters.per_document_max {
            *from_it += 1;
            room -= bytes;
            taken.push((at, candidate));
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(start: u32, bytes: u32, score: u64) -> Candidate {
        Candidate { start, end: start + bytes, score }
    }

    #[test]
    fn takes_the_best_that_fit() {
        let ranked = vec![
            candidate(100, 50, 9),
            candidate(110, 30, 8),
            candidate(200, 70, 7),
            candidate(300, 50, 6),
            candidate(400, 1, 5),
        ];
        let check = |passages_max, per_document_max, context_bytes_max, expect: &[u32]| {
            let parameters = RetrievalParameters {
                passages_max,
                per_document_max,
                context_bytes_max,
                ..Default::default()
            };
            let taken = take(ranked.clone(), &parameters, |start| start / 100);
            let starts: Vec<u32> = taken.iter().map(|(_, taken)| taken.start).collect();
            assert_eq!(starts, expect);
        };
        check(9, 9, 1_000, &[100, 110, 200, 300, 400]);
        check(9, 1, 1_000, &[100, 200, 300, 400]);
        check(2, 1, 1_000, &[100, 200]);
        check(9, 1, 101, &[100, 300, 400]);
        check(9, 1, 0, &[]);
    }

    #[test]
    fn a_question_has_so_many_terms() {
        let words: String = (0..99).map(|i| format!("word{i} ")).collect();
        assert_eq!(distinct_terms(words.as_bytes()).len(), QUERY_TERMS_MAX);
        assert_eq!(distinct_terms(b"war War WAR the").len(), 1);
    }
}
