//! A segment as one corpus sees it: which of its documents live there, and as which.

use crate::alive::Alive;
use crate::integers::Integers;
use crate::record::DocumentEntry;
use crate::retrieve::PASSAGE_INTEGERS;
use crate::segment::Segment;
use std::sync::{Arc, OnceLock};

/// Stands for no document of the corpus.
pub const DEAD: u32 = u32::MAX;

/// A segment with the numbers of its documents in a corpus.
#[derive(Debug)]
pub struct Part {
    pub segment: Arc<Segment>,
    /// The index in the corpus of each document, or [`DEAD`].
    numbers: Vec<u32>,
    /// What lives, if not all does.
    thinned: Option<Thinned>,
    /// Which suffixes are of what lives, if not all are, once somebody asks.
    alive: OnceLock<Alive>,
}

/// What is left of a segment.
#[derive(Debug)]
struct Thinned {
    passages: Vec<bool>,
    passage_count: usize,
    words: u64,
}

impl Part {
    /// A segment whose documents have these numbers.
    pub fn new(segment: Arc<Segment>, numbers: Vec<u32>) -> Self {
        let mut part = Self { segment, numbers, thinned: None, alive: OnceLock::new() };
        if part.numbers.contains(&DEAD) {
            part.thinned = Some(part.thin());
        }
        part
    }

    fn thin(&self) -> Thinned {
        let (table, mut words) = (self.segment.passages(), 0u64);
        let at = |index: usize, column| table.at(PASSAGE_INTEGERS * index + column);
        let passages: Vec<bool> = (0..table.len() / PASSAGE_INTEGERS)
            .map(|index| {
                let lives = self.live_at(at(index, 0)).is_some();
                words += if lives { u64::from(at(index, 2)) } else { 0 };
                lives
            })
            .collect();
        let passage_count = passages.iter().filter(|lives| **lives).count();
        Thinned { passages, passage_count, words }
    }

    /// Whether a document of the segment is no document of the corpus.
    pub fn has_dead(&self) -> bool {
        self.thinned.is_some()
    }

    /// Which suffixes in this order are of live documents, unless all are. The first who asks
    /// waits until each has been looked at.
    pub fn alive(&self, suffixes: Integers<'_>) -> Option<&Alive> {
        let lives = |index| self.live_at(suffixes.at(index)).is_some();
        self.has_dead()
            .then(|| self.alive.get_or_init(|| Alive::of((0..suffixes.len()).map(lives))))
    }

    /// Whether a passage of the segment counts.
    pub fn passage_lives(&self, passage: u32) -> bool {
        self.thinned.as_ref().is_none_or(|thinned| thinned.passages[passage as usize])
    }

    /// Number of passages that count, and of their terms.
    pub fn counted(&self) -> (usize, u64) {
        match &self.thinned {
            Some(thinned) => (thinned.passage_count, thinned.words),
            None => (self.segment.passages().len() / PASSAGE_INTEGERS, self.segment.words()),
        }
    }

    /// The document of the corpus that holds byte `at` of the segment's text, and the byte
    /// within it.
    pub fn live_at(&self, at: u32) -> Option<(u32, u32)> {
        let (local, offset) = self.segment.document_at(at);
        let number = self.numbers[local];
        (number != DEAD).then_some((number, offset))
    }

    /// The documents that live here: index in the corpus, index in the segment, entry.
    pub fn live(&self) -> impl Iterator<Item = (u32, u32, &DocumentEntry)> {
        let numbered = (0..).zip(&self.numbers).zip(self.segment.entries());
        let live = numbered.filter(|((_, number), _)| **number != DEAD);
        live.map(|((local, number), entry)| (*number, local, entry))
    }

    /// Bytes of text of the documents that live here.
    pub fn live_bytes(&self) -> u64 {
        self.live().map(|(_, _, entry)| u64::from(entry.bytes)).sum()
    }

    /// Bytes of text of the others.
    pub fn dead_bytes(&self) -> u64 {
        let all: u64 = self.segment.entries().iter().map(|entry| u64::from(entry.bytes)).sum();
        all - self.live_bytes()
    }
}
