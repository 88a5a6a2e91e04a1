//! What a word is: the one rule behind spans, passages and terms.
//!
//! ASCII letters and digits and all other characters are part of words, except those
//! from U+2000 to U+2FFF (typographic quotes and dashes, currency signs, arrows and
//! other symbols), whose UTF-8 begins with 0xE2. No Unicode table is consulted, because
//! tables change with their version and evidence must not. The price: other
//! punctuation (such as «») sticks to its word, only ASCII letters fold their case, and
//! a script without spaces is one long word.

/// Longest term that is indexed, bytes; longer words are not.
pub const TERM_BYTES_MAX: usize = 64;

/// Words too common in English to tell passages apart, sorted. They do not count in
/// retrieval; in verbatim spans they do.
pub const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because",
    "been", "before", "being", "but", "by", "can", "could", "did", "do", "does", "for", "from",
    "had", "has", "have", "he", "her", "here", "him", "his", "how", "i", "if", "in", "into", "is",
    "it", "its", "may", "me", "more", "most", "much", "must", "my", "no", "nor", "not", "of", "on",
    "or", "other", "our", "out", "over", "s", "said", "say", "shall", "she", "should", "so",
    "some", "such", "t", "than", "that", "the", "their", "them", "then", "there", "these", "they",
    "this", "those", "to", "under", "up", "upon", "us", "very", "was", "we", "were", "what",
    "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "would",
    "you", "your",
];

/// Longest stop word, bytes.
const STOP_WORD_BYTES_MAX: usize = 7;

/// The first byte of characters from U+2000 to U+2FFF.
const SYMBOL_LEAD: u8 = 0xe2;

/// A word as a range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// Whether a word ends before a character that begins with `byte`.
pub fn ends_word(byte: u8) -> bool {
    byte == SYMBOL_LEAD || (byte.is_ascii() && !byte.is_ascii_alphanumeric())
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// The words of `text` in order. Bytes that are not UTF-8 are taken as parts of words.
pub fn words(text: &[u8]) -> impl Iterator<Item = Word> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() && ends_word(text[at]) {
            at = character_end(text, at);
        }
        let start = at;
        while at < text.len() && !ends_word(text[at]) {
            at += 1;
        }
        (start < at).then_some(Word { start, end: at })
    })
}

/// Number of words in a text.
#[must_use]
pub fn count(text: &str) -> u64 {
    words(text.as_bytes()).count() as u64
}

/// The byte after the separating character at `at`: a symbol has up to two more bytes.
fn character_end(text: &[u8], at: usize) -> usize {
    let more = if text[at] == SYMBOL_LEAD { 2 } else { 0 };
    let follows = text[at + 1..].iter().take(more).take_while(|byte| is_continuation(**byte));
    at + 1 + follows.count()
}

/// The indexed form of a word, written into `term`; false if it is not indexed. Endings
/// stay: folding plurals (Harman's S stemmer) made no clear difference to whom the
/// questions of `examples/presidents` find.
pub fn term(word: &[u8], term: &mut Vec<u8>) -> bool {
    term.clear();
    if word.len() > TERM_BYTES_MAX {
        return false;
    }
    term.extend(word.iter().map(u8::to_ascii_lowercase));
    term.len() > STOP_WORD_BYTES_MAX
        || STOP_WORDS.binary_search_by(|stop| stop.as_bytes().cmp(term)).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_end_at_spaces_punctuation_and_symbols() {
        let check = |text: &str, expect: &[&str]| {
            let found: Vec<_> = words(text.as_bytes()).map(|w| &text[w.start..w.end]).collect();
            assert_eq!(found, expect, "{text}");
        };
        check("", &[]);
        check(" -- ", &[]);
        check("The nation's 3rd war.", &["The", "nation", "s", "3rd", "war"]);
        check("\u{201c}Freedom\u{201d}\u{2014}now\u{2026}", &["Freedom", "now"]);
        check("São Tomé, \u{20ac}5", &["São", "Tomé", "5"]);
    }

    #[test]
    fn terms_fold_case() {
        let check = |word: &str, expect: Option<&str>| {
            let mut folded = Vec::new();
            let found = term(word.as_bytes(), &mut folded).then_some(folded);
            assert_eq!(found.as_deref(), expect.map(str::as_bytes), "{word}");
        };
        check("Banks", Some("banks"));
        check("São", Some("são"));
        check("1862", Some("1862"));
        check("The", None);
        check(&"x".repeat(65), None);
    }

    #[test]
    fn stop_words_are_sorted() {
        assert!(STOP_WORDS.is_sorted_by(|a, b| a < b));
        assert_eq!(STOP_WORDS.iter().map(|stop| stop.len()).max(), Some(STOP_WORD_BYTES_MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_have_words_in_order(text: Vec<u8>) {
            let mut last = 0;
            for word in words(&text) {
                prop_assert!(last <= word.start && word.start < word.end && word.end <= text.len());
                prop_assert!(text[word.start..word.end].iter().all(|byte| !ends_word(*byte)));
                prop_assert!(text.get(word.end).is_none_or(|byte| ends_word(*byte)));
                last = word.end;
            }
        }
    }
}
