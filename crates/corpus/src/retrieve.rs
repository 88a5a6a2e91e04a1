//! The passages that answer a question best.
//!
//! Passages are scored by BM25 over the distinct terms of the question. The words of a
//! document's title count as words of each of its passages: who asks what Lincoln said
//! finds it, though a speech does not name its speaker. Passages are taken best first
//! (equal scores by position), at most so many from one document, skipping one that the
//! context has no room for, down to a part of the best score.

use crate::bm25::Bm25;
use crate::part::Part;
use crate::terms::Postings;
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

/// A passage that may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Index of its document in the corpus.
    pub document: u32,
    /// First byte within the document.
    pub start: u32,
    /// Byte after the last.
    pub end: u32,
    pub score: u64,
}

/// Passages of all parts with a score above zero and the floor, best first. Numbers of
/// passages and terms are those of what lives, so that scores do not depend on how documents
/// are spread over segments.
pub fn ranked(parts: &[Part], query: &[u8], parameters: &RetrievalParameters) -> Vec<Candidate> {
    let counted = parts.iter().map(Part::counted);
    let (passages, words) = counted.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let bm25 = Bm25::new(passages, words, parameters);
    let scores = scores(parts, &bm25, query);
    let best = scores.iter().flatten().copied().max().unwrap_or(0);
    let floor = (best * u64::from(parameters.floor_thousandths)).div_ceil(THOUSAND).max(1);
    let mut found = Vec::new();
    for (part, scores) in parts.iter().zip(scores) {
        let good = scores.into_iter().enumerate().filter(|(_, score)| *score >= floor);
        found.extend(good.filter_map(|(index, score)| candidate(part, index, score)));
    }
    found.sort_unstable_by_key(|found| (Reverse(found.score), found.document, found.start));
    found
}

fn candidate(part: &Part, index: usize, score: u64) -> Option<Candidate> {
    let table = part.segment.passages();
    let at = |column| table.at(PASSAGE_INTEGERS * index + column);
    let (document, start) = part.live_at(at(0))?;
    Some(Candidate { document, start, end: start + at(1) - at(0), score })
}

/// The score of every passage of every part.
fn scores(parts: &[Part], bm25: &Bm25, query: &[u8]) -> Vec<Vec<u64>> {
    let empty = |part: &Part| vec![0u64; part.segment.passages().len() / PASSAGE_INTEGERS];
    let mut scores: Vec<Vec<u64>> = parts.iter().map(empty).collect();
    for term in distinct_terms(query) {
        let postings: Vec<_> = parts.iter().map(|part| part.segment.terms().find(&term)).collect();
        let holding = parts.iter().zip(&postings).map(|(part, postings)| match postings {
            None => 0,
            Some(all) if !part.has_dead() => all.len(),
            Some(all) => all.iter().filter(|(passage, _)| part.passage_lives(*passage)).count(),
        });
        let idf = bm25.idf(holding.sum());
        for ((part, scores), postings) in parts.iter().zip(&mut scores).zip(&postings) {
            let table = part.segment.passages();
            for (passage, count) in postings.iter().flat_map(Postings::iter) {
                if part.passage_lives(passage) {
                    let length = table.at(PASSAGE_INTEGERS * passage as usize + 2);
                    scores[passage as usize] += bm25.term(idf, count, bm25.norm(length));
                }
            }
        }
    }
    scores
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

/// The candidates that are taken, in order.
pub fn take(ranked: Vec<Candidate>, parameters: &RetrievalParameters) -> Vec<Candidate> {
    let (mut taken, mut room) = (Vec::new(), parameters.context_bytes_max);
    let mut per_document = BTreeMap::<u32, u32>::new();
    for candidate in ranked {
        if taken.len() == parameters.passages_max as usize {
            break;
        }
        let bytes = candidate.end - candidate.start;
        let from_it = per_document.entry(candidate.document).or_default();
        if bytes <= room && *from_it < parameters.per_document_max {
            *from_it += 1;
            room -= bytes;
            taken.push(candidate);
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(start: u32, bytes: u32, score: u64) -> Candidate {
        Candidate { document: start / 100, start, end: start + bytes, score }
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
            let taken = take(ranked.clone(), &parameters);
            let starts: Vec<u32> = taken.iter().map(|taken| taken.start).collect();
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
