//! Where suffixes with the same first bytes lie in the suffix array, so that a search
//! begins in a small range.
//!
//! Bytes are numbered by the order of those that occur, so that a table over three bytes
//! is small for ordinary text. It takes at most as many entries as there are suffixes;
//! otherwise two bytes are used.

use crate::integers::{Integers, to_bytes};

/// Numbers of the 256 bytes come first: 0 for a byte that does not occur.
const NUMBERS: usize = 256;

/// A table in bytes: numbers of bytes, then for each prefix the index of its first
/// suffix, then the number of suffixes.
#[derive(Clone, Copy, Debug)]
pub struct Buckets<'a> {
    numbers: Integers<'a>,
    starts: Integers<'a>,
    base: usize,
    depth: usize,
}

/// The table for suffixes in order, in bytes.
pub fn build(text: &[u8], suffixes: &[u32]) -> Vec<u8> {
    let (numbers, distinct) = number_bytes(text);
    let base = distinct + 1;
    let depth = if base.pow(3) <= suffixes.len() { 3 } else { 2 };
    let mut starts = vec![0u32; base.pow(depth as u32) + 1];
    for suffix in suffixes {
        starts[key(&numbers, base, depth, &text[*suffix as usize..]) + 1] += 1;
    }
    for index in 1..starts.len() {
        starts[index] += starts[index - 1];
    }
    let mut bytes = to_bytes(&numbers);
    bytes.extend(to_bytes(&starts));
    bytes
}

fn number_bytes(text: &[u8]) -> (Vec<u32>, usize) {
    let mut numbers = vec![0u32; NUMBERS];
    text.iter().for_each(|byte| numbers[usize::from(*byte)] = 1);
    let mut distinct = 0;
    for number in numbers.iter_mut().filter(|number| **number == 1) {
        distinct += 1;
        *number = distinct;
    }
    (numbers, distinct as usize)
}

/// The number of a prefix; what lies behind the end of the text counts as nothing, which
/// sorts first.
fn key(numbers: &[u32], base: usize, depth: usize, suffix: &[u8]) -> usize {
    let number = |at: usize| suffix.get(at).map_or(0, |byte| numbers[usize::from(*byte)]);
    (0..depth).fold(0, |key, at| key * base + number(at) as usize)
}

impl<'a> Buckets<'a> {
    /// The table in `bytes`, or nothing if its size fits no table.
    pub fn open(bytes: &'a [u8]) -> Option<Self> {
        let (numbers, starts) = bytes.split_at_checked(NUMBERS * Integers::BYTES)?;
        let (numbers, starts) = (Integers::new(numbers), Integers::new(starts));
        let base = (0..NUMBERS).map(|byte| numbers.at(byte)).max()? as usize + 1;
        let depth = [2, 3].into_iter().find(|depth| starts.len() == base.pow(*depth) + 1)?;
        Some(Self { numbers, starts, base, depth: depth as usize })
    }

    /// How many bytes of a pattern choose its range.
    pub fn depth(self) -> usize {
        self.depth
    }

    /// The range of suffixes that begin like `pattern`, which has at least
    /// [`Self::depth`] bytes.
    pub fn range(self, pattern: &[u8]) -> (usize, usize) {
        let mut key = 0;
        for byte in &pattern[..self.depth] {
            match self.numbers.at(usize::from(*byte)) as usize {
                0 => return (0, 0),
                number => key = key * self.base + number,
            }
        }
        (self.starts.at(key) as usize, self.starts.at(key + 1) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], depth: usize) {
        let mut suffixes: Vec<u32> = (0..text.len() as u32).collect();
        suffixes.sort_by_key(|at| &text[*at as usize..]);
        let bytes = build(text, &suffixes);
        let buckets = Buckets::open(&bytes).unwrap();
        assert_eq!(buckets.depth(), depth);
        for window in text.windows(depth) {
            let fits = |at: &u32| text[*at as usize..].starts_with(window);
            let first = suffixes.iter().position(fits).unwrap();
            let count = suffixes.iter().filter(|at| fits(at)).count();
            assert_eq!(buckets.range(window), (first, first + count));
        }
        assert_eq!(buckets.range(b"zzz"), (0, 0));
        assert!(Buckets::open(&bytes[..bytes.len() - 4]).is_none());
    }

    #[test]
    fn ranges_hold_exactly_the_suffixes_with_a_prefix() {
        check(b"ab ba\0", 2);
        check(b"abracadabra and then abracadabra again, and a bar\0".repeat(200).as_slice(), 3);
    }
}
