//! Cutting documents into passages: short enough that several fit a small model's
//! context, cut where a reader would pause.
//!
//! A passage ends at the first paragraph end after [`PARAGRAPH_WORDS_MIN`] words or the
//! first sentence end after [`PASSAGE_WORDS_TARGET`] words. If none comes before
//! [`PASSAGE_WORDS_MAX`] words, it ends at the last sentence end, else the last clause
//! end, after [`PASSAGE_WORDS_MIN`] words, else at the limit. A rest of a document that
//! is shorter than [`PARAGRAPH_WORDS_MIN`] words joins the passage before it.
//! Passages of a document cover it but for white space between them.

use crate::words::{Word, words};

/// Fewest words before a sentence or clause end that may be cut at.
pub const PASSAGE_WORDS_MIN: usize = 30;
/// Words after which the next sentence end is taken.
pub const PASSAGE_WORDS_TARGET: usize = 60;
/// Most words, but for a short rest of the document.
pub const PASSAGE_WORDS_MAX: usize = 80;
/// Words after which a paragraph end is taken.
const PARAGRAPH_WORDS_MIN: usize = 20;

/// A passage as a range of bytes of its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// How strongly the text pauses after a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pause {
    None,
    Clause,
    Sentence,
    Paragraph,
}

/// The passages of a document in order.
pub fn cut(text: &[u8]) -> Vec<Cut> {
    let words: Vec<Word> = words(text).collect();
    let (mut cuts, mut first) = (Vec::new(), 0);
    while first < words.len() {
        let mut next = first + passage_words(text, &words[first..]);
        if words.len() - next < PARAGRAPH_WORDS_MIN {
            next = words.len();
        }
        let start = cuts.last().map_or(0, |last: &Cut| last.end);
        cuts.push(trimmed(text, start, end_after(text, &words, next - 1)));
        first = next;
    }
    cuts
}

/// How many of `words` the next passage takes.
fn passage_words(text: &[u8], words: &[Word]) -> usize {
    let (mut best, mut best_pause) = (0, Pause::None);
    for count in PARAGRAPH_WORDS_MIN..=PASSAGE_WORDS_MAX {
        if count >= words.len() {
            return words.len();
        }
        let pause = pause(text, words[count - 1], words[count]);
        let enough =
            if pause == Pause::Paragraph { PARAGRAPH_WORDS_MIN } else { PASSAGE_WORDS_TARGET };
        if pause >= Pause::Sentence && count >= enough {
            return count;
        }
        if pause >= Pause::Clause && pause >= best_pause && count >= PASSAGE_WORDS_MIN {
            (best, best_pause) = (count, pause);
        }
    }
    if best > 0 { best } else { PASSAGE_WORDS_MAX }
}

fn pause(text: &[u8], before: Word, after: Word) -> Pause {
    let gap = &text[before.end..after.start];
    let holds = |bytes: &[u8]| gap.iter().any(|byte| bytes.contains(byte));
    if !gap.iter().any(u8::is_ascii_whitespace) {
        return Pause::None;
    }
    if has_blank_line(gap) {
        return Pause::Paragraph;
    }
    // A full stop after "Mr", "St" or an initial ends no sentence, nor does one before a
    // small letter.
    let abbreviated = before.end - before.start <= 2 && !holds(b"?!");
    if holds(b".?!") && !abbreviated && !text[after.start].is_ascii_lowercase() {
        return Pause::Sentence;
    }
    if holds(b";:") { Pause::Clause } else { Pause::None }
}

fn has_blank_line(gap: &[u8]) -> bool {
    let newlines = |space: &[u8]| space.iter().filter(|byte| **byte == b'\n').count();
    gap.split(|byte| !byte.is_ascii_whitespace()).any(|space| newlines(space) > 1)
}

/// Where a passage ends whose last word is `words[last]`: after the punctuation that
/// follows the word without space.
fn end_after(text: &[u8], words: &[Word], last: usize) -> usize {
    let end = words.get(last + 1).map_or(text.len(), |next| next.start);
    let gap = &text[words[last].end..end];
    let space = gap.iter().position(u8::is_ascii_whitespace);
    match space {
        Some(at) if last + 1 < words.len() => words[last].end + at,
        _ => end,
    }
}

fn trimmed(text: &[u8], start: usize, end: usize) -> Cut {
    let skipped = text[start..end].len() - text[start..end].trim_ascii_start().len();
    Cut { start: start + skipped, end: start + text[start..end].trim_ascii_end().len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lengths(text: &str) -> Vec<usize> {
        let count = |c: &Cut| words(&text.as_bytes()[c.start..c.end]).count();
        cut(text.as_bytes()).iter().map(count).collect()
    }

    #[test]
    fn cuts_where_a_reader_pauses() {
        let check = |text: &str, expect: &[usize]| assert_eq!(lengths(text), expect, "{text}");
        let sentence = |words: usize| format!("Word{}. ", " word".repeat(words - 1));
        check("", &[]);
        check("Few words.", &[2]);
        check(&sentence(25).repeat(6), &[75, 75]);
        check(&format!("{}{}", sentence(35), sentence(60)), &[35, 60]);
        check(&format!("{}\n\n{}", sentence(25), sentence(70)), &[25, 70]);
        check(&format!("{}; {}", "word ".repeat(40).trim(), sentence(90)), &[40, 90]);
        check(&"word ".repeat(200), &[80, 80, 40]);
        check(&format!("{}{}", sentence(70), sentence(19)), &[89]);
        // Neither "Mr." nor a stop before a small letter ends a sentence.
        let abbreviated = format!("{}Mr. Word {}", "word ".repeat(61), sentence(60));
        check(&abbreviated, &[80, 43]);
    }

    #[test]
    fn punctuation_stays_with_its_sentence() {
        let text = format!("{}end.\u{201d} {}", "word ".repeat(69), "Next ".repeat(30));
        let cuts = cut(text.as_bytes());
        assert!(text[cuts[0].start..cuts[0].end].ends_with("end.\u{201d}"));
        assert!(text[cuts[1].start..cuts[1].end].starts_with("Next"));
    }

    proptest! {
        #[test]
        fn passages_cover_every_word_once(parts in proptest::collection::vec("[a-zA-Zé]{1,9}[.;?! ’\n-]{1,3}", 0..400)) {
            let text = parts.concat();
            let cuts = cut(text.as_bytes());
            let mut last = 0;
            for cut in &cuts {
                prop_assert!(last <= cut.start && cut.start < cut.end);
                let passage = text.get(cut.start..cut.end);
                prop_assert!(passage.is_some_and(|p| p.trim() == p));
                prop_assert!(text[last..cut.start].trim().is_empty());
                last = cut.end;
            }
            prop_assert!(words(&text.as_bytes()[last..]).next().is_none());
            let most = PASSAGE_WORDS_MAX + PARAGRAPH_WORDS_MIN;
            prop_assert!(lengths(&text).into_iter().all(|count| 0 < count && count < most));
        }
    }
}
