//! The sorted array of suffixes that begin at a word, and searches in it.
//!
//! Only word starts are kept: a span begins at a word, so no other suffix can be
//! evidence, and the array is six times smaller on English. The order is that of the
//! full suffix array, computed by libsais (SA-IS: Nong, Zhang and Chan, 2009).

use crate::buckets::Buckets;
use crate::error::CorpusError;
use crate::integers::Integers;
use crate::words::words;
use libsais::SuffixArrayConstruction;

/// Word starts are marked in words of so many bits.
const BITS: usize = u64::BITS as usize;

/// First bytes that separate words, as ranges: see [`crate::words::ends_word`].
const SEPARATING: [(u8, u8); 5] =
    [(0, b'0'), (b'9' + 1, b'A'), (b'Z' + 1, b'a'), (b'z' + 1, 0x80), (0xe2, 0xe3)];

/// The positions of word starts in the order of their suffixes.
pub fn build(text: &[u8]) -> Result<Vec<u32>, CorpusError> {
    let all: Vec<i32> = SuffixArrayConstruction::for_text(text)
        .in_owned_buffer32()
        .single_threaded()
        .run()
        .map_err(|error| CorpusError::SuffixArray(format!("{error:?}")))?
        .into_vec();
    let mut begins = vec![0u64; text.len().div_ceil(BITS)];
    words(text).for_each(|word| begins[word.start / BITS] |= 1 << (word.start % BITS));
    let kept = |at: &u32| begins[*at as usize / BITS] >> (*at as usize % BITS) & 1 == 1;
    // The place of the whole array is used again, and what is too much of it given back.
    let mut order: Vec<u32> = all.into_iter().map(|at| at as u32).filter(kept).collect();
    order.shrink_to_fit();
    Ok(order)
}

/// Sorted suffixes over their text.
#[derive(Clone, Copy, Debug)]
pub struct Suffixes<'a> {
    pub text: &'a [u8],
    pub positions: Integers<'a>,
    pub buckets: Buckets<'a>,
}

/// Where the suffixes that begin with a span of whole words lie: up to one range per
/// class of separating bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    ranges: [(usize, usize); SEPARATING.len()],
}

impl Matches {
    /// Number of occurrences.
    pub fn count(&self) -> usize {
        self.ranges.iter().map(|(low, high)| high - low).sum()
    }

    /// Indices in the suffix array, ascending.
    pub fn ranges(&self) -> &[(usize, usize)] {
        &self.ranges
    }
}

impl<'a> Suffixes<'a> {
    /// Length of the longest prefix of `pattern` that begins a suffix which is `live`, if that
    /// is at least `bytes_min`; otherwise some shorter length or zero.
    pub fn longest(
        &self,
        pattern: &[u8],
        bytes_min: usize,
        live: Option<impl Fn(u32) -> bool>,
    ) -> usize {
        let (mut low, mut high) = (0, self.positions.len());
        if bytes_min >= self.buckets.depth() {
            if pattern.len() < bytes_min {
                return 0;
            }
            (low, high) = self.buckets.range(pattern);
        }
        let (place, length) = self.insertion(pattern, low, high);
        let Some(live) = live.filter(|_| length >= bytes_min) else { return length };
        // The further from the place, the shorter the common prefix: on each side the nearest
        // live suffix has the longest.
        let mut nearest = [
            (low..place).rev().map(|index| self.positions.at(index)).find(|at| live(*at)),
            (place..high).map(|index| self.positions.at(index)).find(|at| live(*at)),
        ];
        let common =
            |at: &mut Option<u32>| at.take().map(|at| common_bytes(self.suffix(at), pattern));
        nearest.iter_mut().filter_map(common).max().unwrap_or(0)
    }

    /// Where `pattern` would be inserted in `low..high`, and the length of the longest
    /// match beside that place. Bytes that both bounds share with the pattern are not
    /// compared again (Manber and Myers, "Suffix arrays", 1993, section 2).
    fn insertion(&self, pattern: &[u8], mut low: usize, mut high: usize) -> (usize, usize) {
        let (mut common_low, mut common_high) = (0, 0);
        while low < high {
            let middle = low.midpoint(high);
            let suffix = &self.text[self.positions.at(middle) as usize..];
            let known = common_low.min(common_high);
            let common = known + common_bytes(&suffix[known..], &pattern[known..]);
            if common < pattern.len() && suffix.get(common) < pattern.get(common) {
                (low, common_low) = (middle + 1, common);
            } else {
                (high, common_high) = (middle, common);
            }
        }
        (low, common_low.max(common_high))
    }

    /// The occurrences of `span`, a stretch of whole words without zero bytes, as whole
    /// words.
    pub fn matches(&self, span: &[u8]) -> Matches {
        let (mut low, mut high) = (0, self.positions.len());
        if span.len() >= self.buckets.depth() {
            (low, high) = self.buckets.range(span);
        }
        let (low, _) = self.insertion(span, low, high);
        let high = self.behind(span, low, high);
        if low == high {
            return Matches::default();
        }
        // Every document ends with a zero byte, so a byte follows each occurrence.
        let next = |at: u32| self.text[at as usize + span.len()];
        let ends = |index: usize| next(self.positions.at(index));
        // What follows ascends: mostly it is of one class, or there is little of it.
        let (first, last) = (ends(low), ends(high - 1));
        let mut ranges = SEPARATING.map(|_| (0, 0));
        for (range, (from, end)) in ranges.iter_mut().zip(SEPARATING) {
            if from <= first && last < end {
                *range = (low, high);
            } else if first < end && from <= last {
                let place = |byte| self.positions.partition(low, high, |at| next(at) < byte);
                *range = (place(from), place(end));
            }
        }
        Matches { ranges }
    }

    /// All suffixes: what stands behind no word at all.
    pub fn everywhere(&self) -> Matches {
        let mut ranges = SEPARATING.map(|_| (0, 0));
        ranges[0] = (0, self.positions.len());
        Matches { ranges }
    }

    /// The first index from `low` on whose suffix does not begin with `span`, all those before
    /// it do. Most spans stand in few places: the steps double from the first.
    fn behind(&self, span: &[u8], low: usize, high: usize) -> usize {
        let begins = |at: u32| self.suffix(at).starts_with(span);
        let (mut from, mut step) = (low, 1);
        while from + step < high && begins(self.positions.at(from + step - 1)) {
            from += step;
            step *= 2;
        }
        self.positions.partition(from, high.min(from + step), begins)
    }

    fn suffix(&self, at: u32) -> &'a [u8] {
        &self.text[at as usize..]
    }

    /// The positions of occurrences, in no order of the text.
    pub fn positions(&self, matches: &Matches) -> impl Iterator<Item = u32> + use<'a> {
        let positions = self.positions;
        let indices = matches.ranges.into_iter().flat_map(|(low, high)| low..high);
        indices.map(move |index| positions.at(index))
    }
}

/// Length of the common prefix.
fn common_bytes(one: &[u8], other: &[u8]) -> usize {
    const BLOCK: usize = 32;
    let blocks = one.as_chunks::<BLOCK>().0.iter().zip(other.as_chunks::<BLOCK>().0);
    let equal = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let rest = one[equal..].iter().zip(&other[equal..]);
    equal + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::ends_word;
    use crate::{buckets, integers};
    use proptest::prelude::*;

    #[test]
    fn separating_ranges_are_the_bytes_that_end_words() {
        for byte in 0..=u8::MAX {
            let within = SEPARATING.iter().any(|(low, high)| (*low..*high).contains(&byte));
            assert_eq!(within, ends_word(byte), "{byte:#x}");
        }
    }

    fn with_suffixes(text: &[u8], check: impl FnOnce(Suffixes<'_>)) {
        let order = build(text).unwrap();
        let (table, positions) = (buckets::build(text, &order), integers::to_bytes(&order));
        let buckets = Buckets::open(&table).unwrap();
        check(Suffixes { text, positions: Integers::new(&positions), buckets });
    }

    /// Every occurrence as whole words, by looking everywhere.
    fn brute_force(text: &[u8], span: &[u8]) -> Vec<u32> {
        let starts: Vec<usize> = words(text).map(|word| word.start).collect();
        let fits = |at: &usize| text[*at..].starts_with(span) && ends_word(text[at + span.len()]);
        starts.into_iter().filter(fits).map(|at| at as u32).collect()
    }

    proptest! {
        #[test]
        fn finds_what_brute_force_finds(
            documents in proptest::collection::vec("[ab .é’]{1,40}", 1..5),
            pattern in "[abc .é’]{1,12}",
        ) {
            let text: Vec<u8> = documents.iter().flat_map(|d| [d.as_bytes(), b"\0"].concat()).collect();
            with_suffixes(&text, |suffixes| {
                let starts: Vec<usize> = words(&text).map(|word| word.start).collect();
                let common = |at: &usize| common_bytes(&text[*at..], pattern.as_bytes());
                let longest = starts.iter().map(common).max().unwrap_or(0);
                let all = None::<fn(u32) -> bool>;
                assert_eq!(suffixes.longest(pattern.as_bytes(), 1, all), longest);
                let at_least = suffixes.longest(pattern.as_bytes(), 4, all);
                assert!(at_least == longest || (at_least < 4 && longest < 4));
                // Half of the text is no more.
                let live = |at: u32| at as usize >= text.len() / 2;
                let longest = starts.iter().filter(|at| live(**at as u32)).map(common).max();
                let found = suffixes.longest(pattern.as_bytes(), 1, Some(live));
                assert_eq!(found, longest.unwrap_or(0));
                let parts: Vec<_> = words(pattern.as_bytes()).collect();
                if let (Some(first), Some(last)) = (parts.first(), parts.last()) {
                    let span = &pattern.as_bytes()[first.start..last.end];
                    let matches = suffixes.matches(span);
                    let mut found: Vec<u32> = suffixes.positions(&matches).collect();
                    found.sort_unstable();
                    assert_eq!(matches.count(), found.len());
                    assert_eq!(found, brute_force(&text, span));
                }
            });
        }
    }
}
