//! Which sequence numbers of a channel have settled: a bitmap over a bounded span.
//!
//! **Invariant**: a sequence has one form, in which the number `base` has not settled and
//! no number lies further ahead of it than the span. Decoding refuses any other.

use ambar_base::codec::{Decode, DecodeError, Encode, Reader, Writer};

/// How far ahead of the first unsettled number a number may settle.
pub const SEQUENCE_SPAN: u64 = 16 * 1024;

/// Every number below `base` has settled, and those above whose bit is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// The first number that has not settled.
    pub base: u64,
    /// Bit i of word w stands for number `base - base % 64 + 64 w + i`.
    words: Vec<u64>,
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

    /// Whether this is the form that settling gives.
    fn is_sound(&self) -> bool {
        // Also keeps `end` below within 64 bits.
        let bits = 64 * self.words.len() as u64;
        let fits = bits <= 2 * SEQUENCE_SPAN && self.base <= u64::MAX - 2 * SEQUENCE_SPAN;
        let below = self.words.first().map_or(0, |word| u64::from(word.trailing_ones()));
        let whole = self.words.last().is_none_or(|word| *word != 0);
        fits && whole && below == self.base % 64 && self.end() - self.base <= SEQUENCE_SPAN
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

impl Encode for Sequence {
    fn encode(&self, writer: &mut Writer) {
        self.base.encode(writer);
        self.words.encode(writer);
    }
}

impl Decode for Sequence {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let sequence = Self { base: Decode::decode(reader)?, words: Decode::decode(reader)? };
        let rule = DecodeError::Rule("a sequence has the form that settling gives");
        if sequence.is_sound() { Ok(sequence) } else { Err(rule) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::codec;
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

    /// Found by the fuzz target `state`: other forms said that their base had settled, or
    /// had an end past 64 bits.
    #[test]
    fn only_the_form_that_settling_gives_is_read() {
        let check = |base: u64, words: &[u64], good: bool| {
            let bytes = [base.to_bytes(), words.to_vec().to_bytes()].concat();
            assert_eq!(codec::decode::<Sequence>(&bytes).is_ok(), good, "{base} {words:?}");
        };
        check(0, &[], true);
        check(64, &[], true);
        check(3, &[0b1_0111], true);
        check(3, &[], false);
        check(3, &[0b1111], false);
        check(0, &[0], false);
        check(0, &[2, 0], false);
        check(0, &[u64::MAX], false);
        let mut far = vec![0; SEQUENCE_SPAN as usize / 64 - 1];
        far.push(1 << 63);
        check(0, &far, true);
        check(64, &[&far[..], &[1]].concat(), false);
        check(u64::MAX - 63, &[], false);
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
