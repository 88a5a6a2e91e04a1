//! Words as they are compared: without case, accents, invisible characters and the tricks by
//! which one letter looks like another.
//!
//! Characters come apart by Unicode's compatible decomposition (NFKD), then marks are left out
//! and letters that look Latin become Latin. Which other characters are letters is decided by
//! ranges of this file, not by tables of the standard library, which change with its version.
//!
//! **Invariant**: the letters of all words stand together without gaps, in the order of the
//! text, so that words that were pulled apart (`i g n o r e`) read as one there.

use crate::confusable::{is_invisible, is_mark, latin, tagged};
use unicode_normalization::char::decompose_compatible;

/// A word: its letters, and where it begins in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// First letter, a place in [`Folded::letters`].
    pub start: u32,
    /// After the last letter.
    pub end: u32,
    /// First byte in the text.
    pub at: u32,
}

/// A folded text.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// The letters of all words.
    pub letters: Vec<u8>,
    /// The words in order.
    pub words: Vec<Word>,
}

impl Folded {
    /// Folds a text of less than 4 GiB.
    pub fn of(text: &str) -> Self {
        let letters = Vec::with_capacity(text.len());
        let words = Vec::with_capacity(text.len() / 6);
        let mut folding = Folding {
            folded: Self { letters, words },
            open: None,
            at: 0,
            letter: false,
            digit: false,
        };
        for (at, c) in text.char_indices() {
            folding.at = at as u32;
            if c.is_ascii() {
                folding.ascii(c as u8);
            } else {
                folding.other(c);
            }
        }
        folding.close();
        folding.folded
    }

    /// The letters of a word.
    pub fn letters_of(&self, word: &Word) -> &[u8] {
        &self.letters[word.start as usize..word.end as usize]
    }
}

/// A text half-way.
struct Folding {
    folded: Folded,
    /// The word that is open: its first letter and where it begins in the text.
    open: Option<(u32, u32)>,
    /// The character that is looked at.
    at: u32,
    /// Whether the open word has a Latin letter, and a digit.
    letter: bool,
    digit: bool,
}

impl Folding {
    fn ascii(&mut self, byte: u8) {
        match byte {
            b'a'..=b'z' => self.latin(byte),
            b'A'..=b'Z' => self.latin(byte | 0x20),
            b'0'..=b'9' => {
                self.begin();
                self.digit = true;
                self.folded.letters.push(byte);
            }
            _ => self.close(),
        }
    }

    fn latin(&mut self, byte: u8) {
        self.begin();
        self.letter = true;
        self.folded.letters.push(byte);
    }

    fn other(&mut self, c: char) {
        if let Some(byte) = tagged(c) {
            return self.ascii(byte);
        }
        if is_invisible(c) {
            return;
        }
        // Before it comes apart: a Latin letter in a circle is Latin, a Cyrillic one is not.
        if let Some(byte) = latin(c) {
            return self.latin(byte);
        }
        decompose_compatible(c, |part| self.part(part));
    }

    fn part(&mut self, c: char) {
        if c.is_ascii() {
            self.ascii(c as u8);
        } else if let Some(byte) = latin(c) {
            self.latin(byte);
        } else if is_separator(c) {
            self.close();
        } else if !is_mark(c) {
            let alone = is_alone(c);
            if alone {
                self.close();
            }
            self.begin();
            let mut buffer = [0; 4];
            let bytes = lower(c).encode_utf8(&mut buffer).as_bytes();
            self.folded.letters.extend_from_slice(bytes);
            if alone {
                self.close();
            }
        }
    }

    fn begin(&mut self) {
        if self.open.is_none() {
            self.open = Some((self.folded.letters.len() as u32, self.at));
        }
    }

    fn close(&mut self) {
        let Some((start, at)) = self.open.take() else { return };
        if self.letter && self.digit {
            for letter in &mut self.folded.letters[start as usize..] {
                *letter = spelt(*letter);
            }
        }
        (self.letter, self.digit) = (false, false);
        let end = self.folded.letters.len() as u32;
        self.folded.words.push(Word { start, end, at });
    }
}

/// The letter that a digit stands for among letters, as in `1gn0re`.
fn spelt(digit: u8) -> u8 {
    match digit {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' => b'a',
        b'5' => b's',
        b'7' => b't',
        other => other,
    }
}

/// Punctuation and symbols outside ASCII.
fn is_separator(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{bf}' | '×' | '÷' | '\u{2000}'..='\u{2fff}'
        | '\u{3000}'..='\u{3004}' | '\u{3008}'..='\u{303f}' | '\u{fe10}'..='\u{fe6f}'
        | '\u{fff0}'..='\u{ffff}' | '\u{1f000}'..='\u{1faff}')
}

/// Scripts that put no blank between words: each character is a word.
fn is_alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Small letters of Greek and Cyrillic; what Latin has left after decomposition keeps its case.
fn lower(c: char) -> char {
    let by = match c {
        'Α'..='Ω' | 'А'..='Я' => 32,
        'Ѐ'..='Џ' => 80,
        _ => 0,
    };
    char::from_u32(c as u32 + by).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_folded() {
        let check = |text: &str, expect: &[&str]| {
            let folded = Folded::of(text);
            let words: Vec<_> = folded
                .words
                .iter()
                .map(|word| String::from_utf8_lossy(folded.letters_of(word)).into_owned())
                .collect();
            assert_eq!(words, expect, "{text}");
        };
        check("", &[]);
        check("The nation's 3rd WAR.", &["the", "nation", "s", "erd", "war"]);
        check("São Tomé, 1862 — €5", &["sao", "tome", "1862", "5"]);
        check("ｉｇｎｏｒｅ 𝐭𝐡𝐞 ⓐbove", &["ignore", "the", "above"]);
        check("іgnоrе ιgnοre 1gn0re", &["ignore", "ignore", "ignore"]);
        check("ig\u{200b}no\u{ad}re", &["ignore"]);
        check("i\u{301}g\u{338}nore ɪɢɴᴏʀᴇ 🅘🅶", &["ignore", "ignore", "ig"]);
        check("\u{e0069}\u{e0067}", &["ig"]);
        check("東京 здание", &["東", "京", "здahиe"]);
        check("ЗДАНИЕ здание", &["здahиe", "здahиe"]);
    }

    proptest! {
        #[test]
        fn any_text_is_folded(text: String) {
            let folded = Folded::of(&text);
            let mut last = 0;
            for word in &folded.words {
                prop_assert!(word.start == last && word.start < word.end);
                prop_assert!(text.is_char_boundary(word.at as usize));
                last = word.end;
            }
            prop_assert_eq!(last as usize, folded.letters.len());
        }
    }
}
