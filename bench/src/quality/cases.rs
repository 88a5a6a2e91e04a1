//! Cases with known answers, made from real records by a seed: copies with words dropped,
//! replaced and moved, excerpts, records joined, records under a foreign header, new records.

use crate::trace::Random;
use std::fmt;

/// How many per cent of the words of copies are edited.
const EDITS: [u8; 9] = [0, 2, 5, 10, 15, 20, 30, 45, 60];
/// How many per cent of a record an excerpt is.
const EXCERPTS: [u8; 3] = [10, 30, 60];
/// Shortest record that excerpts are taken of, words.
const EXCERPT_OF_WORDS_MIN: usize = 2000;
/// What is put before a record of others.
const HEADER: &str = "This text is part of a collection that volunteers have prepared. It may be \
    read, copied and passed on by anybody who keeps this notice. The volunteers have compared it \
    with the printed edition as well as they could and ask readers to tell them what is wrong.\n\n";

/// What a case is made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A copy with so many per cent of its words dropped, replaced or moved.
    Edited(u8),
    /// So many per cent of a record, in one piece.
    Excerpt(u8),
    /// Two records after one another.
    Joined,
    /// A record under a header.
    Prefixed,
    /// A record that is not known.
    New,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited(edits) => write!(f, "recall, {edits} % of the words edited"),
            Self::Excerpt(part) => write!(f, "recall, excerpts of {part} %"),
            Self::Joined => write!(f, "recall, two records joined"),
            Self::Prefixed => write!(f, "recall, a header before it"),
            Self::New => write!(f, "new records"),
        }
    }
}

/// A text, and which records it is made of.
pub struct Case {
    /// How it was made.
    pub class: Class,
    /// The records whose copy it is.
    pub of: Vec<u32>,
    /// The text.
    pub text: String,
}

/// Every case: records with even numbers are known, the others are new.
pub fn all(records: &[String]) -> Vec<Case> {
    let mut random = Random(1);
    let mut cases = Vec::new();
    for (number, record) in (0_u32..).zip(records) {
        if number % 2 == 1 {
            cases.push(Case { class: Class::New, of: Vec::new(), text: record.clone() });
            continue;
        }
        let words: Vec<&str> = record.split_whitespace().collect();
        let mut case = |class, text| cases.push(Case { class, of: vec![number], text });
        for edits in EDITS {
            case(Class::Edited(edits), edited(&words, edits, &mut random));
        }
        case(Class::Prefixed, format!("{HEADER}{record}"));
        for part in EXCERPTS.into_iter().filter(|_| words.len() >= EXCERPT_OF_WORDS_MIN) {
            let length = words.len() * usize::from(part) / 100;
            let start = random.below(words.len() - length);
            case(Class::Excerpt(part), words[start..start + length].join(" "));
        }
        let other = random.below(records.len().div_ceil(2)) * 2;
        let text = format!("{record}\n\n{}", records[other]);
        cases.push(Case { class: Class::Joined, of: vec![number, other as u32], text });
    }
    cases
}

/// A copy: each word is edited with this probability, in one of three ways.
pub fn edited(words: &[&str], per_cent: u8, random: &mut Random) -> String {
    let mut copy: Vec<&str> = Vec::with_capacity(words.len());
    for word in words {
        if random.below(100) >= usize::from(per_cent) {
            copy.push(word);
            continue;
        }
        match random.below(3) {
            0 => {}
            1 => copy.push(words[random.below(words.len())]),
            _ => {
                let place = copy.len().saturating_sub(1 + random.below(3));
                copy.insert(place, word);
            }
        }
    }
    copy.join(" ")
}

/// A record in pieces of so many words.
pub fn cut(record: &str, words: usize) -> Vec<String> {
    let all: Vec<&str> = record.split_whitespace().collect();
    all.chunks(words).map(|piece| piece.join(" ")).collect()
}
