//! Phrases looked for in the letters of a text without the gaps between its words, so that
//! `i g n o r e`, `ig-nore` and `ignore` are one. A match begins and ends where words do.

use crate::fold::Folded;

/// A pattern: for each place its words, folded; the empty word means that it may be left out.
pub struct Phrase {
    /// What people read of it.
    pub name: &'static str,
    /// The places in order. The first has no empty word.
    pub slots: &'static [&'static [&'static str]],
}

/// Calls `found` with each phrase and the byte where it begins. Of one phrase the next is looked
/// for after the word where it began.
pub fn search(folded: &Folded, phrases: &[Phrase], mut found: impl FnMut(&'static str, usize)) {
    let mut by_letter = [const { Vec::new() }; 256];
    for phrase in phrases {
        let mut firsts: Vec<u8> =
            phrase.slots[0].iter().filter_map(|word| word.bytes().next()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        firsts.iter().for_each(|first| by_letter[usize::from(*first)].push(phrase));
    }
    for (place, word) in folded.words.iter().enumerate() {
        let (start, first) = (word.start as usize, folded.letters[word.start as usize]);
        for phrase in &by_letter[usize::from(first)] {
            let ends = |end: usize| {
                let later = &folded.words[place..];
                later
                    .iter()
                    .map(|word| word.end as usize)
                    .take_while(|at| *at <= end)
                    .any(|at| at == end)
            };
            if fits(&folded.letters, start, phrase.slots, &ends) {
                found(phrase.name, word.at as usize);
            }
        }
    }
}

fn fits(letters: &[u8], at: usize, slots: &[&[&str]], ends: &dyn Fn(usize) -> bool) -> bool {
    let Some((words, rest)) = slots.split_first() else { return ends(at) };
    words.iter().any(|word| {
        letters[at..].starts_with(word.as_bytes()) && fits(letters, at + word.len(), rest, ends)
    })
}
