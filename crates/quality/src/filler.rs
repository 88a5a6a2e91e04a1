//! Text that says little: the same again and again, long runs, dummy text, no words.

use crate::finding::FillerKind;
use crate::fold::Folded;
use crate::phrases::{Phrase, search};
use crate::rules::Rules;
use crate::shingles::Shingles;

/// Fewest shingles of which it is said that they repeat.
const SHINGLES_MIN: usize = 50;
/// Shortest text of which it is said that it has no words, bytes.
const WORDLESS_BYTES_MIN: usize = 100;
/// Fewest letters and digits of a thousand bytes.
const LETTERS_PER_MILLE_MIN: usize = 300;

const LOREM: [Phrase; 1] =
    [Phrase { name: "lorem ipsum", slots: &[&["loremipsum"], &["", "dolor"]] }];

/// What makes this text filler, with the byte where it begins.
pub fn filler(
    text: &str,
    folded: &Folded,
    shingles: &Shingles,
    rules: &Rules,
) -> Vec<(usize, FillerKind)> {
    let mut found = Vec::new();
    let distinct = shingles.distinct.len() * 1000 / shingles.total.max(1);
    if shingles.total >= SHINGLES_MIN && distinct < rules.filler_distinct as usize {
        found.push((0, FillerKind::Repetition(distinct as u32)));
    }
    let letters = folded.letters.len() * 1000 / text.len().max(1);
    if text.len() >= WORDLESS_BYTES_MIN && letters < LETTERS_PER_MILLE_MIN {
        found.push((0, FillerKind::NoWords(letters as u32)));
    }
    found.extend(run(text, rules.filler_run));
    let mut lorem = None;
    search(folded, &LOREM, |_, at| lorem = lorem.or(Some(at)));
    found.extend(lorem.map(|at| (at, FillerKind::LoremIpsum)));
    found
}

/// The longest run of one character, if it is long.
fn run(text: &str, least: u32) -> Option<(usize, FillerKind)> {
    let (mut longest, mut current, mut last) = ((0, 0), (0, 0_u32), None);
    for (at, c) in text.char_indices() {
        current = if last == Some(c) { (current.0, current.1 + 1) } else { (at, 1) };
        last = Some(c);
        if current.1 > longest.1 {
            longest = current;
        }
    }
    (longest.1 >= least).then_some((longest.0, FillerKind::Run(longest.1)))
}
