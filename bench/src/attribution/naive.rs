//! What spans and shares have to be, by looking everywhere: every word of the answer against
//! every word of every record, every byte of the answer against every span. Written apart from
//! what it judges, from the rules in `docs/book/attribution.md`; only the table of logarithms,
//! which is a definition, is shared.

use super::money::{Rule, call, datanet};
use ambar_attribution::logarithm::log2;
use ambar_attribution::{Method, MethodShares, RetrievalEvidence, SpanParameters};
use ambar_base::{Digest, Domain};
use ambar_corpus::Document;
use std::collections::{BTreeMap, BTreeSet};

/// A span: first byte, byte after the last, occurrences, and record, contributor and place of
/// those that are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub count: usize,
    pub listed: Vec<(u32, u32, u32)>,
}

fn separates(byte: u8) -> bool {
    byte == 0xe2 || (byte < 0x80 && !byte.is_ascii_alphanumeric())
}

/// Whether a word begins at a byte: what a symbol of three bytes leaves behind is none.
fn begins(text: &[u8], at: usize) -> bool {
    let of_symbol = |back: usize| {
        at >= back
            && text[at - back] == 0xe2
            && text[at - back + 1..=at].iter().all(|b| b & 0xc0 == 0x80)
    };
    let inside = of_symbol(1) || of_symbol(2);
    let after = at == 0 || separates(text[at - 1]) || of_symbol_end(text, at);
    !separates(text[at]) && !inside && after
}

/// Whether the byte before is the last of a symbol of three bytes.
fn of_symbol_end(text: &[u8], at: usize) -> bool {
    at >= 3 && text[at - 3] == 0xe2 && text[at - 2..at].iter().all(|byte| byte & 0xc0 == 0x80)
}

fn ends(text: &[u8], end: usize) -> bool {
    text.get(end).is_none_or(|byte| separates(*byte))
}

/// The records with the places at which words begin, looked up once.
pub struct Naive<'a> {
    documents: &'a [Document],
    starts: Vec<Vec<usize>>,
}

impl<'a> Naive<'a> {
    /// Of these records.
    pub fn of(documents: &'a [Document]) -> Self {
        let starts = |document: &Document| {
            (0..document.text.len()).filter(|at| begins(&document.text, *at)).collect()
        };
        Self { documents, starts: documents.iter().map(starts).collect() }
    }

    /// Bytes of all records.
    fn bytes(&self) -> u64 {
        self.documents.iter().map(|document| document.text.len() as u64).sum()
    }

    /// The spans of an answer by these parameters, in order.
    pub fn spans(&self, answer: &[u8], parameters: &SpanParameters) -> Vec<Span> {
        let (mut spans, mut reached) = (Vec::new(), 0);
        for start in (0..answer.len()).filter(|at| begins(answer, *at)) {
            let Some(end) = self.furthest(answer, start).filter(|end| *end > reached) else {
                continue;
            };
            reached = end;
            let places = self.places(&answer[start..end]);
            let long = end - start >= parameters.span_bytes_min as usize;
            if long && places.len() <= parameters.count_max as usize {
                let listed = self.listed(&places, parameters.occurrences_max as usize);
                spans.push(Span { start, end, count: places.len(), listed });
            }
        }
        let mut order: Vec<usize> = (0..spans.len()).collect();
        order.sort_by_key(|at| (std::cmp::Reverse(spans[*at].end - spans[*at].start), *at));
        let kept: BTreeSet<usize> = order.into_iter().take(parameters.spans_max as usize).collect();
        let all = spans.into_iter().enumerate();
        all.filter(|(at, _)| kept.contains(at)).map(|(_, span)| span).collect()
    }

    /// The furthest end of a stretch of whole words that begins there and stands in a record.
    fn furthest(&self, answer: &[u8], start: usize) -> Option<usize> {
        let mut furthest = None;
        for (document, starts) in self.documents.iter().zip(&self.starts) {
            for at in starts {
                let (mut here, text) = (0, &document.text[*at..]);
                while start + here < answer.len() && text.get(here) == Some(&answer[start + here]) {
                    here += 1;
                    let end = start + here;
                    let whole =
                        !separates(answer[end - 1]) && ends(answer, end) && ends(text, here);
                    if whole && !of_symbol_end(answer, end) {
                        furthest = furthest.max(Some(end));
                    }
                }
            }
        }
        furthest
    }

    /// Record and place of every occurrence.
    fn places(&self, span: &[u8]) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for (number, document) in self.documents.iter().enumerate() {
            for at in &self.starts[number] {
                let text = &document.text[*at..];
                if text.starts_with(span) && ends(text, span.len()) {
                    places.push((number, *at));
                }
            }
        }
        places
    }

    /// The first place in each of the first records.
    fn listed(&self, places: &[(usize, usize)], most: usize) -> Vec<(u32, u32, u32)> {
        let mut first = BTreeMap::new();
        for (document, at) in places {
            first.entry(*document).or_insert(*at);
        }
        let row = |(document, at): (usize, usize)| {
            (document as u32, self.documents[document].contributor, at as u32)
        };
        first.into_iter().take(most).map(row).collect()
    }

    /// What each contributor claims by the spans: each byte goes to the longest span over it,
    /// of equals to the rarer, then the earlier; what a span has is divided over its records.
    fn span_claims(&self, answer: &[u8], spans: &[Span]) -> BTreeMap<u32, u128> {
        let mut bytes = vec![0_u128; spans.len()];
        for byte in 0..answer.len() {
            let over =
                (0..spans.len()).filter(|at| (spans[*at].start..spans[*at].end).contains(&byte));
            let rank = |at: &usize| {
                let span = &spans[*at];
                (usize::MAX - (span.end - span.start), span.count, span.start)
            };
            over.min_by_key(rank).into_iter().for_each(|at| bytes[at] += 1);
        }
        let mut claims = BTreeMap::new();
        for (span, bytes) in spans.iter().zip(bytes) {
            let rarity = log2(self.bytes()).saturating_sub(log2(span.count as u64));
            let each = ((bytes * u128::from(rarity)) << 16) / span.listed.len() as u128;
            for (_, contributor, _) in &span.listed {
                *claims.entry(*contributor).or_default() += each;
            }
        }
        claims
    }

    /// Method, contributor and weight of all shares of a call.
    pub fn shares(
        &self,
        answer: &[u8],
        retrieved: &RetrievalEvidence,
        number: u64,
        rule: &Rule,
    ) -> Vec<(Method, u32, u32)> {
        let mut claims = BTreeMap::<Method, BTreeMap<u32, u128>>::new();
        let spans = self.spans(answer, &rule.spans);
        claims.insert(Method::VerbatimSpan, self.span_claims(answer, &spans));
        let by_passage = claims.entry(Method::Retrieval).or_default();
        for passage in &retrieved.passages {
            *by_passage.entry(passage.contributor).or_default() += u128::from(passage.score);
        }
        let mut found: Vec<(Method, u128)> =
            rule.mix.iter().map(|(method, part)| (*method, u128::from(part.0))).collect();
        found.retain(|(method, _)| claims[method].values().any(|claim| *claim > 0));
        found.sort_by_key(|(method, _)| method.number());
        let tie = |method: &Method| tie(number, &[method.number()]);
        let parts = divided(1_000_000_000, &found, tie);
        let of_method = |(method, part): (Method, u128)| {
            let wanted: Vec<(u32, u128)> = claims[&method].clone().into_iter().collect();
            let given = divided(part, &wanted, |contributor| tie_of(number, *contributor));
            given.into_iter().map(move |(who, weight)| (method, who, weight as u32))
        };
        let all = parts.into_iter().flat_map(of_method);
        all.filter(|(.., weight)| *weight > 0).collect()
    }
}

fn tie(number: u64, last: &[u8]) -> Digest {
    Domain::Remainder.digest(&[&call(number).0[..], &datanet().0.0, last].concat())
}

fn tie_of(number: u64, contributor: u32) -> Digest {
    tie(number, &contributor.to_be_bytes())
}

/// Divides a whole by claims: all whole units first, then one unit more at a time to whoever is
/// furthest below what is theirs.
fn divided<T: Copy>(
    whole: u128,
    claims: &[(T, u128)],
    tie: impl Fn(&T) -> Digest,
) -> Vec<(T, u128)> {
    let sum: u128 = claims.iter().map(|(_, claim)| claim).sum();
    let mut given: Vec<(T, u128)> =
        claims.iter().map(|(who, claim)| (*who, whole * claim / sum.max(1))).collect();
    let mut served = BTreeSet::new();
    while given.iter().map(|(_, units)| units).sum::<u128>() < whole && sum > 0 {
        let waiting = (0..claims.len()).filter(|at| claims[*at].1 > 0 && !served.contains(at));
        let missing = |at: &usize| whole * claims[*at].1 - given[*at].1 * sum;
        let next = waiting.max_by_key(|at| (missing(at), std::cmp::Reverse(tie(&claims[*at].0))));
        let Some(next) = next else { break };
        given[next].1 += 1;
        served.insert(next);
    }
    given
}

/// The shares that the house gives, in the form of the naive ones.
pub fn listed(methods: &[MethodShares]) -> Vec<(Method, u32, u32)> {
    let rows = methods.iter().flat_map(|shares| {
        shares.weights.iter().map(|(who, weight)| (shares.method, *who, weight.0))
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::super::library::record;
    use super::*;

    #[test]
    fn spans_are_maximal_counted_and_listed() {
        let documents = [
            record("a", 3, "the old mill by the river"),
            record("b", 5, "an old mill by the riverside; old mill"),
        ];
        let naive = Naive::of(&documents);
        let parameters = SpanParameters { span_bytes_min: 5, ..SpanParameters::default() };
        let check = |answer: &str, expect: &[(usize, usize, usize)]| {
            let found = naive.spans(answer.as_bytes(), &parameters);
            let found: Vec<_> =
                found.iter().map(|span| (span.start, span.end, span.count)).collect();
            assert_eq!(found, expect, "{answer}");
        };
        check("old mill by the river", &[(0, 21, 1)]);
        check("cold mill by the rivers", &[(5, 16, 2)]);
        check("an old mill", &[(0, 11, 1)]);
        check("old mill", &[(0, 8, 3)]);
        let found = naive.spans(b"old mill", &parameters);
        assert_eq!(found[0].listed, [(0, 3, 4), (1, 5, 3)]);
    }

    #[test]
    fn units_that_are_left_go_to_the_largest_remainders() {
        let by_number = |who: &u32| tie_of(1, *who);
        let given = divided(10, &[(1, 1), (2, 1), (3, 1), (4, 0)], by_number);
        let mut units: Vec<u128> = given.iter().map(|(_, units)| *units).collect();
        assert_eq!((units.iter().sum::<u128>(), units.pop()), (10, Some(0)));
        units.sort_unstable();
        assert_eq!(units, [3, 3, 4]);
        assert_eq!(divided(7, &[(1_u32, 2), (2, 5)], by_number), [(1, 2), (2, 5)]);
    }
}
