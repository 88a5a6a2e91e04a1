//! The verbatim spans of an answer, over any number of segments.
//!
//! A span begins and ends at a word, in the answer and in the record, so that a
//! fragment of a word is no evidence. It is *maximal*: no longer stretch of the answer
//! around it stands in a live document. Punctuation and space within it match byte for byte.
//! Its count is the sum over segments of its occurrences in live documents, so how documents
//! are spread over segments, and over corpora that are searched together, changes nothing.
//!
//! The end of the longest match never moves back from one word to the next, because a
//! match of more words is a match of its last ones; so one pass suffices, and a span too
//! frequent or too short hides nothing, because all within it are more so.

use crate::part::Part;
use crate::suffixes::{Matches, Suffixes};
use crate::words::{Word, words};
use ambar_attribution::SpanParameters;

/// A part of a corpus as it is searched.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub part: &'a Part,
    pub suffixes: Suffixes<'a>,
}

impl Place<'_> {
    fn longest(&self, pattern: &[u8], bytes_min: usize) -> usize {
        let live = self.part.has_dead().then_some(|at| self.part.live_at(at).is_some());
        self.suffixes.longest(pattern, bytes_min, live)
    }

    /// Occurrences in live documents.
    fn count(&self, matches: &Matches) -> usize {
        if !self.part.has_dead() {
            return matches.count();
        }
        self.suffixes.positions(matches).filter(|at| self.part.live_at(*at).is_some()).count()
    }
}

/// A maximal span and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub start: usize,
    pub end: usize,
    /// Occurrences in live documents.
    pub count: usize,
    /// The matches in each place.
    pub matches: Vec<Matches>,
}

/// How often whole words occur in live documents.
pub fn count(places: &[Place<'_>], span: &[u8]) -> usize {
    places.iter().map(|place| place.count(&place.suffixes.matches(span))).sum()
}

/// The maximal spans of `output` within the parameters, in order, without the limit on
/// their number.
pub fn maximal(places: &[Place<'_>], output: &[u8], parameters: &SpanParameters) -> Vec<Found> {
    let words: Vec<Word> = words(output).collect();
    let (mut found, mut reached) = (Vec::new(), 0);
    for index in 0..words.len() {
        let bytes_min = parameters.span_bytes_min as usize;
        let Some(span) = extend(places, output, &words[index..], reached, bytes_min) else {
            continue;
        };
        reached = span.end;
        let long = span.end - span.start >= bytes_min;
        if long && span.count <= parameters.count_max as usize {
            found.push(span);
        }
    }
    found
}

/// The span with the furthest end beyond `reached` that begins at the first of `words`.
fn extend(
    places: &[Place<'_>],
    output: &[u8],
    words: &[Word],
    reached: usize,
    bytes_min: usize,
) -> Option<Found> {
    let start = words.first()?.start;
    let rest = &output[start..];
    // A zero byte separates documents, so no match goes beyond one.
    let pattern = &rest[..rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len())];
    let longest = places.iter().map(|place| place.longest(pattern, bytes_min)).max()?;
    let limit = start + longest;
    let ended = words.partition_point(|word| word.end <= limit);
    // If the match ends with the word, the record may continue the word ("state" in
    // "states"); at the word before it the record has the answer's own next byte.
    words[..ended].iter().rev().take(2).map(|word| word.end).find_map(|end| {
        if end <= reached {
            return None;
        }
        let find = |place: &Place<'_>| place.suffixes.matches(&output[start..end]);
        let matches: Vec<Matches> = places.iter().map(find).collect();
        let count = places.iter().zip(&matches).map(|(place, found)| place.count(found)).sum();
        (count > 0).then_some(Found { start, end, count, matches })
    })
}

/// The longest `spans_max` of the spans (the earliest of equal ones), in order.
pub fn longest(mut found: Vec<Found>, spans_max: u32) -> Vec<Found> {
    if found.len() > spans_max as usize {
        found.sort_by_key(|span| (std::cmp::Reverse(span.end - span.start), span.start));
        found.truncate(spans_max as usize);
        found.sort_by_key(|span| span.start);
    }
    found
}
