//! Where a context stands, in the order of what follows there.
//!
//! What follows is known by its *key*: the bytes up to the end of the next word and the one behind
//! it, or up to the end of the document. Keys ascend along a suffix array, because none begins
//! another; so the n-th of all occurrences, over any number of segments, is found by halving, and
//! what its key is does not depend on how documents are spread over segments.

use crate::alive::Alive;
use crate::suffixes::Matches;
use crate::trace::Place;
use crate::words::words;

/// Occurrences of a context in the live documents of one segment.
#[derive(Clone, Debug)]
pub struct Occurrences<'a> {
    place: Place<'a>,
    matches: Matches,
    alive: Option<&'a Alive>,
    /// How many there are.
    live: usize,
    /// Bytes of the context.
    skip: usize,
}

/// What follows an occurrence, and one byte more.
pub type Key<'a> = &'a [u8];

impl<'a> Occurrences<'a> {
    /// Of a context of whole words; of none: all words, each behind nothing.
    pub fn of(place: &Place<'a>, context: &[u8]) -> Self {
        let suffixes = &place.suffixes;
        let matches =
            if context.is_empty() { suffixes.everywhere() } else { suffixes.matches(context) };
        let alive = place.part.alive(suffixes.positions);
        let lives = |(low, high): &(usize, usize)| match alive {
            Some(alive) => alive.rank(*high) - alive.rank(*low),
            None => high - low,
        };
        let live = matches.ranges().iter().map(lives).sum();
        Self { place: *place, matches, alive, live, skip: context.len() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.live
    }

    /// Where the n-th stands in the text of its segment.
    fn position(&self, mut n: usize) -> u32 {
        for (low, high) in self.matches.ranges() {
            let (index, count) = match self.alive {
                None => (low + n, high - low),
                Some(alive) => {
                    let before = alive.rank(*low);
                    let count = alive.rank(*high) - before;
                    (if n < count { alive.select(before + n) } else { 0 }, count)
                }
            };
            if n < count {
                return self.place.suffixes.positions.at(index);
            }
            n -= count;
        }
        unreachable!("whoever asks knows how many there are")
    }

    /// What follows the n-th.
    pub fn key(&self, n: usize) -> Key<'a> {
        let rest = &self.place.suffixes.text[self.position(n) as usize + self.skip..];
        // Every document ends with a zero byte, which is no part of any word.
        let word = words(rest).next().map_or(0..rest.len(), |word| word.start..word.end);
        match rest[..word.start].iter().position(|byte| *byte == 0) {
            Some(end) => &rest[..=end],
            None => &rest[..=word.end.min(rest.len() - 1)],
        }
    }

    /// Documents in which they stand, once for each.
    pub fn documents(&self) -> impl Iterator<Item = u32> {
        let positions = self.place.suffixes.positions(&self.matches);
        positions.filter_map(|at| self.place.part.live_at(at)).map(|(document, _)| document)
    }

    /// The first from `low` to before `high` whose key is not `before`; those that are come first.
    fn partition(
        &self,
        mut low: usize,
        mut high: usize,
        before: impl Fn(Key<'a>) -> bool,
    ) -> usize {
        while low < high {
            let middle = low.midpoint(high);
            if before(self.key(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The first from `low` on whose key is above `key`. Mostly there are few: steps double.
    fn behind(&self, low: usize, key: Key<'a>) -> usize {
        let (mut from, mut step) = (low, 1);
        while from + step < self.live && self.key(from + step - 1) <= key {
            from += step;
            step *= 2;
        }
        self.partition(from, self.live.min(from + step), |other| other <= key)
    }
}

/// What follows the n-th of all occurrences, which are more than `n`.
pub fn nth<'a>(all: &[Occurrences<'a>], n: usize) -> Key<'a> {
    let mut windows: Vec<(usize, usize)> = all.iter().map(|one| (0, one.live)).collect();
    loop {
        let width = |index: &usize| windows[*index].1 - windows[*index].0;
        let widest = (0..all.len()).max_by_key(width).expect("there is an occurrence");
        let (low, high) = windows[widest];
        let key = all[widest].key(low.midpoint(high));
        // Of each: how many come before the key, and how many before what comes after it.
        let split = |(one, window): (&Occurrences<'a>, &(usize, usize))| {
            let before = one.partition(window.0, window.1, |other| other < key);
            (before, one.partition(before, window.1, |other| other <= key))
        };
        let splits: Vec<(usize, usize)> = all.iter().zip(&windows).map(split).collect();
        let before: usize = splits.iter().map(|split| split.0).sum();
        let through: usize = splits.iter().map(|split| split.1).sum();
        for (window, split) in windows.iter_mut().zip(&splits) {
            if n < before {
                window.1 = split.0;
            } else {
                window.0 = split.1;
            }
        }
        if (before..through).contains(&n) {
            return key;
        }
    }
}

/// The keys in order, each with the number of its occurrences.
pub fn keys<'a>(all: &[Occurrences<'a>]) -> impl Iterator<Item = (Key<'a>, usize)> {
    let mut heads = vec![0; all.len()];
    std::iter::from_fn(move || {
        let left = all.iter().zip(&heads).filter(|(one, head)| **head < one.live);
        let key = left.map(|(one, head)| one.key(*head)).min()?;
        let mut count = 0;
        for (one, head) in all.iter().zip(&mut heads) {
            if *head < one.live && one.key(*head) == key {
                let next = one.behind(*head, key);
                count += next - *head;
                *head = next;
            }
        }
        Some((key, count))
    })
}
