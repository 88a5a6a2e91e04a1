//! Which sequence numbers of a channel have settled: a bitmap over a bounded span.

use ambar_base::record;

/// How far ahead of the first unsettled number a number may settle.
pub const SEQUENCE_SPAN: u64 = 16 * 1024;

record! {
    /// Every number below `base` has settled, and those above whose bit is set.
    #[derive(Default)]
    pub struct Sequence {
        /// The first number that has not settled.
        pub base: u64,
        /// Bit i of word w stands for number `base - base % 64 + 64 w + i`.
        words: Vec<u64>,
    }
}

/// Why a sequence number cannot settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// It has settled before.
    #[error("sequence number {0} has settled before")]
    Replay(u64),
    /// It is too far ahead of the first number that has not settled.
    #[error("sequence number {0} is more than {SEQUENCE_SPAN} ahead of the first unsettled one")]
    Ahead(u64),
}

impl Sequence {
    /// Whether a number has settled.
    #[must_use]
    pub fn contains(&self, n: u64) -> bool {
        n < self.base || self.bit(n).is_some_and(|(word, bit)| self.has(word, bit))
    }

    /// The first number above all that have settled.
    #[must_use]
    pub fn end(&self) -> u64 {
        let start = self.base - self.base % 64;
        let last = self.words.iter().rposition(|word| *word != 0);
        let end =
            last.map(|at| start + 64 * at as u64 + 64 - u64::from(self.words[at].leading_zeros()));
        end.unwrap_or_default().max(self.base)
    }

    /// Settles a number.
    pub fn settle(&mut self, n: u64) -> Result<(), SequenceError> {
        if self.contains(n) {
            return Err(SequenceError::Replay(n));
        }
        if n - self.base >= SEQUENCE_SPAN {
            return Err(SequenceError::Ahead(n));
        }
        let (word, bit) = self.bit(n).expect("n is not below base");
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << bit;
        if n == self.base {
            self.advance();
        }
        Ok(())
    }

    fn bit(&self, n: u64) -> Option<(usize, u64)> {
        let from_word = n.checked_sub(self.base - self.base % 64)?;
        Some((usize::try_from(from_word / 64).ok()?, from_word % 64))
    }

    fn has(&self, word: usize, bit: u64) -> bool {
        self.words.get(word).is_some_and(|word| word >> bit & 1 == 1)
    }

    /// Moves the base over what has settled and drops whole words behind it.
    fn advance(&mut self) {
        let start = self.base - self.base % 64;
        let full = self.words.iter().take_while(|word| **word == u64::MAX).count();
        self.words.drain(..full);
        let partial = self.words.first().map_or(0, |word| word.trailing_ones());
        self.base = start + 64 * full as u64 + u64::from(partial);
        if partial == 0 && self.words.iter().all(|word| *word == 0) {
            self.words.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::{Encode, codec};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_set(numbers in proptest::collection::vec(0u64..300, 0..400)) {
            let (mut sequence, mut set) = (Sequence::default(), BTreeSet::new());
            for n in numbers {
                let fresh = set.insert(n);
                prop_assert_eq!(sequence.settle(n).is_ok(), fresh);
                let base = (0..).find(|n| !set.contains(n)).unwrap();
                prop_assert_eq!(sequence.base, base);
                prop_assert_eq!(sequence.end(), set.last().map_or(0, |last| last + 1));
                prop_assert!((0..310).all(|n| sequence.contains(n) == set.contains(&n)));
            }
            prop_assert_eq!(codec::decode(&sequence.to_bytes()), Ok(sequence));
        }
    }

    #[test]
    fn the_span_is_bounded_and_memory_small() {
        let mut sequence = Sequence::default();
        let ahead = SequenceError::Ahead(SEQUENCE_SPAN);
        assert_eq!(sequence.settle(SEQUENCE_SPAN), Err(ahead));
        (0..100_000).for_each(|n| sequence.settle(n).unwrap());
        assert!(sequence.to_bytes().len() < 20);
        assert_eq!(sequence.settle(5), Err(SequenceError::Replay(5)));
    }
}
