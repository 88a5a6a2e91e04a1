//! A language model that is the records: it has no weights, and says nothing that they do not.
//!
//! An ∞-gram model (Liu et al., "Infini-gram", 2024) over words. What comes next is drawn from the
//! places where the last words of the text stand in live documents: as many last words, up to
//! `context_words_max`, as stand there at least `count_min` times, and none if even the last one
//! does not. Each of those places is as likely as any other.
//!
//! A *word* is one of [`words`](crate::words), with all that separates it from the word before it:
//! spaces, line ends, punctuation. Behind no context it comes with one space, and with nothing
//! where the answer begins. Where a place is the end of a document, what separates stands there
//! last, and the answer ends. A context begins and ends at words, and all within it agrees byte
//! for byte; what separates the end of a prompt from nothing is not part of it.
//!
//! **Invariant**: root, prompt, parameters and seed determine the answer, on every machine and
//! however documents are spread over segments.

use crate::error::CorpusError;
use crate::occurrences::{Key, Occurrences, keys, nth};
use crate::random::Random;
use crate::together::Together;
use crate::trace::Place;
use crate::words::{Word, words};
use ambar_attribution::CorpusModelParameters;
use ambar_attribution::corpus_model::CONTEXT_WORDS_MAX;
use std::collections::BTreeMap;

/// The model over some corpora.
#[derive(Debug)]
pub struct Language<'a> {
    pub(crate) places: Vec<Place<'a>>,
    /// Which corpus each place is of.
    pub(crate) owners: Vec<usize>,
    parameters: CorpusModelParameters,
}

/// The text before the next word, as far as it matters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// Ends with a word, or is empty.
    bytes: Vec<u8>,
    /// Where its words begin.
    starts: Vec<usize>,
}

/// What the model has found for a text.
pub(crate) struct Found<'a> {
    /// The context.
    pub context: Vec<u8>,
    /// Its words.
    pub words: usize,
    /// Where it stands, in each place.
    pub occurrences: Vec<Occurrences<'a>>,
    /// How often.
    pub count: usize,
}

/// How the next word is chosen.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Any of the places, by numbers drawn from a seed.
    Drawn(Random),
    /// The most frequent, and of several the first by its bytes.
    MostFrequent,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Next {
    /// A word, with what separates it from the one before.
    Word(String),
    /// The end of a document, and what stands there behind its last word.
    End(String),
}

/// What may come next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Words of the context that was found.
    pub context_words: usize,
    /// Places where it stands.
    pub count: u64,
    /// What stands behind it, and in how many of these places.
    pub next: BTreeMap<Next, u64>,
}

/// An answer that is being written.
#[derive(Debug)]
pub struct Writing<'a> {
    language: &'a Language<'a>,
    before: Before,
    choice: Choice,
    begun: bool,
}

/// All of a prompt that any model looks at: its last [`CONTEXT_WORDS_MAX`] words.
#[must_use]
pub fn last_words(prompt: &str) -> &str {
    let begin = prompt.rfind('\0').map_or(0, |zero| zero + 1);
    let all: Vec<Word> = words(&prompt.as_bytes()[begin..]).collect();
    let last = &all[all.len().saturating_sub(CONTEXT_WORDS_MAX as usize)..];
    let range = last.first().zip(last.last()).map(|(first, end)| first.start..end.end);
    range.and_then(|range| prompt[begin..].get(range)).unwrap_or_default()
}

impl Before {
    /// The end of a prompt.
    pub fn of(prompt: &str) -> Self {
        let bytes = last_words(prompt).as_bytes().to_vec();
        let starts = words(&bytes).map(|word| word.start).collect();
        Self { bytes, starts }
    }

    /// Whether a word can go on with this text: not where nothing separates the two, which is so
    /// between a prompt and an answer only, nor past a zero byte, which no record has.
    pub fn goes_on(gap: &[u8]) -> bool {
        !gap.is_empty() && !gap.contains(&0)
    }

    /// The text is over; another begins.
    pub fn clear(&mut self) {
        (self.bytes, self.starts) = (Vec::new(), Vec::new());
    }

    /// Adds a word and what separates it from the one before.
    pub fn push(&mut self, gap: &[u8], word: &[u8]) {
        if !Self::goes_on(gap) {
            self.clear();
        }
        if !self.bytes.is_empty() {
            self.bytes.extend_from_slice(gap);
        }
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(word);
    }

    /// The last words.
    fn last(&self, words: usize) -> &[u8] {
        let start = self.starts.len().checked_sub(words).and_then(|at| self.starts.get(at));
        start.map_or(&[], |start| &self.bytes[*start..])
    }
}

impl Next {
    fn of(key: Key<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let before = &key[..key.len().saturating_sub(1)];
        match words(before).next() {
            Some(_) => Self::Word(text(before)),
            None => Self::End(text(before)),
        }
    }

    /// The order in which equally frequent ones come: by bytes, of which the end has a zero.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Word(text) => text.clone().into_bytes(),
            Self::End(text) => [text.as_bytes(), &[0]].concat(),
        }
    }
}

impl Distribution {
    /// The most frequent, and of several the first by its bytes.
    fn most(self) -> Option<Next> {
        let most = *self.next.values().max()?;
        let all = self.next.into_iter().filter(|(_, count)| *count == most);
        all.map(|(next, _)| next).min_by_key(Next::bytes)
    }
}

impl Found<'_> {
    fn distribution(&self) -> Distribution {
        let mut next = BTreeMap::<Next, u64>::new();
        for (key, count) in keys(&self.occurrences) {
            *next.entry(Next::of(key)).or_default() += count as u64;
        }
        Distribution { context_words: self.words, count: self.count as u64, next }
    }
}

impl<'a> Language<'a> {
    /// The model that draws from these corpora. If documents of theirs are dead, which places
    /// live is worked out here, once for each corpus.
    pub fn of(
        corpora: &Together<'a>,
        parameters: CorpusModelParameters,
    ) -> Result<Self, CorpusError> {
        parameters.check()?;
        let (places, owners) = corpora.places()?;
        for place in &places {
            place.part.alive(place.suffixes.positions);
        }
        Ok(Self { places, owners, parameters })
    }

    /// Begins to write what comes after a prompt.
    #[must_use]
    pub fn write(&'a self, prompt: &str, choice: Choice) -> Writing<'a> {
        let before = Before::of(prompt);
        Writing { language: self, before, choice, begun: false }
    }

    /// What may come after a text.
    #[must_use]
    pub fn distribution(&self, text: &str) -> Distribution {
        self.find(&Before::of(text)).distribution()
    }

    /// Where a context stands, and how often.
    pub(crate) fn occurrences(&self, context: &[u8]) -> (Vec<Occurrences<'a>>, usize) {
        let all: Vec<_> = self.places.iter().map(|place| Occurrences::of(place, context)).collect();
        let count = all.iter().map(Occurrences::count).sum();
        (all, count)
    }

    /// The longest context that stands there often enough.
    pub(crate) fn find(&self, before: &Before) -> Found<'a> {
        let CorpusModelParameters { context_words_max, count_min } = self.parameters;
        let longest = before.starts.len().min(context_words_max as usize);
        for words in (1..=longest).rev() {
            let context = before.last(words);
            let (occurrences, count) = self.occurrences(context);
            if count >= count_min as usize {
                return Found { context: context.to_vec(), words, occurrences, count };
            }
        }
        let (occurrences, count) = self.occurrences(&[]);
        Found { context: Vec::new(), words: 0, occurrences, count }
    }
}

impl Writing<'_> {
    /// The next word, or the end; nothing if the records have no word at all.
    fn choose(&mut self, found: &Found<'_>) -> Option<Next> {
        match &mut self.choice {
            _ if found.count == 0 => None,
            Choice::Drawn(random) => {
                let n = random.below(found.count as u64);
                Some(Next::of(nth(&found.occurrences, n as usize)))
            }
            Choice::MostFrequent => found.distribution().most(),
        }
    }
}

/// Words as they come; the last of all is [`Next::End`], if one comes.
impl Iterator for Writing<'_> {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        let found = self.language.find(&self.before);
        let next = self.choose(&found)?;
        let Next::Word(text) = next else { return Some(next) };
        let gap = if self.begun { " " } else { "" };
        let text = if found.words == 0 { format!("{gap}{text}") } else { text };
        self.begun = true;
        let word = words(text.as_bytes()).next().map_or(0, |word| word.start);
        self.before.push(&text.as_bytes()[..word], &text.as_bytes()[word..]);
        Some(Next::Word(text))
    }
}

#[cfg(test)]
#[path = "language_tests.rs"]
mod tests;
