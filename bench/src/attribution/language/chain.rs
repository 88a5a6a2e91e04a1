//! A model that is the records: it looks for the longest end of what was said so far that stands
//! in them, and goes on as one of these places does (Liu and others, "Infini-gram",
//! arXiv 2401.17377). Where each word comes from is known exactly.
//!
//! A token is a word with the white space before it. This is the bench's own and simplest form:
//! all places sorted by the tokens that follow.

use super::super::library::text;
use crate::trace::Random;
use ambar_corpus::Document;
use std::collections::{BTreeMap, HashMap};

/// Most words of a context.
pub const CONTEXT_WORDS: usize = 4;
/// A longer context is left for a shorter one if it stands in fewer places.
pub const COUNT_MIN: usize = 2;
/// Ends every record.
const STOP: u32 = 0;
/// Tokens by which places are sorted.
const KEY: usize = CONTEXT_WORDS + 1;

/// The records as tokens.
pub struct Chain<'a> {
    names: Vec<&'a str>,
    tokens: Vec<u32>,
    /// Whose each token is.
    owners: Vec<u32>,
    /// Places of tokens, sorted by what stands there.
    order: Vec<u32>,
}

/// A text that was made, and whose places each of its words could have been drawn from.
pub struct Made {
    /// Without what it goes on from.
    pub text: String,
    /// By contributor, a part of each word; together the number of words.
    pub from: BTreeMap<u32, f64>,
    /// How many words.
    pub words: usize,
}

impl<'a> Chain<'a> {
    /// Of these records.
    pub fn of(documents: &'a [Document]) -> Self {
        let mut chain =
            Self { names: vec![""], tokens: Vec::new(), owners: Vec::new(), order: Vec::new() };
        let mut known = HashMap::new();
        for document in documents {
            for name in tokens(text(document)) {
                let next = chain.names.len() as u32;
                let number = *known.entry(name).or_insert(next);
                if number == next {
                    chain.names.push(name);
                }
                chain.tokens.push(number);
                chain.owners.push(document.contributor);
            }
            chain.tokens.push(STOP);
            chain.owners.push(document.contributor);
        }
        let mut order: Vec<u32> = (0..chain.tokens.len() as u32).collect();
        order.sort_by_cached_key(|at| (chain.key(*at as usize), *at));
        chain.order = order;
        chain
    }

    /// What stands at a place, up to the end of its record.
    fn key(&self, at: usize) -> [u32; KEY] {
        let mut key = [STOP; KEY];
        for (to, from) in key.iter_mut().zip(&self.tokens[at..]) {
            *to = *from;
            if *from == STOP {
                break;
            }
        }
        key
    }

    /// The places of a few tokens after one another.
    fn places(&self, wanted: &[u32]) -> &[u32] {
        let start = |at: u32| {
            let key = self.key(at as usize);
            let mut start = [STOP; KEY];
            start[..wanted.len()].copy_from_slice(&key[..wanted.len()]);
            start
        };
        let mut least = [STOP; KEY];
        least[..wanted.len()].copy_from_slice(wanted);
        let from = self.order.partition_point(|at| start(*at) < least);
        let to = self.order.partition_point(|at| start(*at) <= least);
        &self.order[from..to]
    }

    /// Goes on from some tokens of a record by at most so many words.
    pub fn made(&self, prompt: &[u32], words_max: usize, random: &mut Random) -> Made {
        let (mut said, mut made) = (prompt.to_vec(), Vec::new());
        let mut from = BTreeMap::<u32, f64>::new();
        while made.len() < words_max {
            let context = self.context(&said);
            let places = self.places(context);
            let place = places[random.below(places.len())] as usize;
            let next = self.tokens[place + context.len()];
            if next == STOP {
                break;
            }
            let could = self.places(&[context, &[next]].concat());
            for place in could {
                let owner = self.owners[*place as usize];
                *from.entry(owner).or_default() += 1.0 / could.len() as f64;
            }
            said.push(next);
            made.push(next);
        }
        let text = made.iter().map(|token| self.names[*token as usize]).collect();
        Made { text, from, words: made.len() }
    }

    /// The longest end of what was said that stands in enough places.
    fn context<'s>(&self, said: &'s [u32]) -> &'s [u32] {
        let longest = said.len().min(CONTEXT_WORDS);
        let ends = (1..=longest).rev().map(|words| &said[said.len() - words..]);
        let mut good = ends.filter(|end| self.places(end).len() >= COUNT_MIN);
        good.next().unwrap_or(&[])
    }

    /// Some tokens of a record drawn by chance, and as text.
    pub fn prompt(&self, words: usize, random: &mut Random) -> (Vec<u32>, String) {
        loop {
            let start = random.below(self.tokens.len() - words);
            let tokens = &self.tokens[start..start + words];
            if !tokens.contains(&STOP) {
                let text = tokens.iter().map(|token| self.names[*token as usize]).collect();
                return (tokens.to_vec(), text);
            }
        }
    }
}

/// Words, each with the white space before it.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut end = 0;
    text.split_whitespace().map(move |word| {
        let start = end;
        end = word.as_ptr() as usize - text.as_ptr() as usize + word.len();
        &text[start..end]
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::library::record;
    use super::*;

    #[test]
    fn words_go_on_as_the_records_do() {
        let documents = [
            record("a", 0, "in the old mill by the sea"),
            record("b", 1, "in the old mill by the river"),
            record("c", 2, "nothing like it"),
        ];
        let chain = Chain::of(&documents);
        let prompt: Vec<u32> = (0..2).map(|at| chain.tokens[at]).collect();
        let (mut ends, mut random) = (BTreeMap::<String, usize>::new(), Random(1));
        for _ in 0..200 {
            // Seven words would be the whole record; two are given.
            let made = chain.made(&prompt, 5, &mut random);
            assert_eq!(made.words, 5);
            let sum: f64 = made.from.values().sum();
            assert!((sum - 5.0).abs() < 1e-9, "each word is somebody's: {:?}", made.from);
            assert_eq!(made.from.get(&2), None);
            // Four words are both records', the last is that of one.
            let most = made.from.values().copied().fold(0.0, f64::max);
            assert!((most - 3.0).abs() < 1e-9, "{:?}", made.from);
            *ends.entry(made.text).or_default() += 1;
        }
        let ends: Vec<(&str, usize)> = ends.iter().map(|(text, n)| (text.as_str(), *n)).collect();
        assert_eq!(ends.len(), 2, "{ends:?}");
        assert!(ends.iter().all(|(text, n)| text.starts_with(" old mill by the") && *n > 60));
    }
}
