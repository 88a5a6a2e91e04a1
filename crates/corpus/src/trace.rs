//! The verbatim spans of an answer.
//!
//! A span begins and ends at a word, in the answer and in the record, so that a
//! fragment of a word is no evidence. It is *maximal*: no longer stretch of the answer
//! around it stands in the corpus. Punctuation and space within it match byte for byte.
//!
//! The end of the longest match never moves back from one word to the next, because a
//! match of more words is a match of its last ones; so one pass suffices, and a span too
//! frequent or too short hides nothing, because all within it are more so.

use crate::suffixes::{Matches, Suffixes};
use crate::words::{Word, words};
use ambar_attribution::SpanParameters;

/// A maximal span and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub start: usize,
    pub end: usize,
    pub matches: Matches,
}

/// The maximal spans of `output` within the parameters, in order, without the limit on
/// their number.
pub fn maximal(suffixes: &Suffixes<'_>, output: &[u8], parameters: &SpanParameters) -> Vec<Found> {
    let words: Vec<Word> = words(output).collect();
    let bytes_min = parameters.span_bytes_min as usize;
    let (mut found, mut reached) = (Vec::new(), 0);
    for (index, word) in words.iter().enumerate() {
        let Some((end, matches)) = extend(suffixes, output, &words[index..], reached, bytes_min)
        else {
            continue;
        };
        reached = end;
        let long = end - word.start >= bytes_min;
        if long && matches.count() <= parameters.count_max as usize {
            found.push(Found { start: word.start, end, matches });
        }
    }
    found
}

/// The furthest end beyond `reached` of a span that begins at the first of `words`.
fn extend(
    suffixes: &Suffixes<'_>,
    output: &[u8],
    words: &[Word],
    reached: usize,
    bytes_min: usize,
) -> Option<(usize, Matches)> {
    let start = words.first()?.start;
    let rest = &output[start..];
    // A zero byte separates documents, so no match goes beyond one.
    let pattern = &rest[..rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len())];
    let limit = start + suffixes.longest(pattern, bytes_min);
    let ended = words.partition_point(|word| word.end <= limit);
    // If the match ends with the word, the record may continue the word ("state" in
    // "states"); at the word before it the record has the answer's own next byte.
    words[..ended].iter().rev().take(2).map(|word| word.end).find_map(|end| {
        let matches = (end > reached).then(|| suffixes.matches(&output[start..end]))?;
        (matches.count() > 0).then_some((end, matches))
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
