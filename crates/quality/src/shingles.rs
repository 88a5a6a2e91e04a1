//! Five words after one another as one number, and what of a record is kept of them.
//!
//! A signature is MinHash (Broder 1997) by multiply-shift hashing (Dietzfelbinger and others
//! 1997): the share of rows that two signatures have in common estimates the Jaccard index of
//! the sets, with a standard error of √(J(1−J)/128), at most 44 per mille. A sketch is the set's
//! smallest numbers (Cohen and Kaplan 2007): what two sketches share below the lesser of their
//! largest numbers says how much of one set is in the other.
//!
//! **Invariant**: a print depends on the set of shingles alone, not on their order or number.

use crate::fold::Folded;
use ambar_base::Digest;

/// Words of a shingle. A record with fewer words is one shingle.
pub const SHINGLE_WORDS: usize = 5;
/// Rows of a signature.
pub const SIGNATURE_ROWS: usize = 128;
/// Most numbers of a sketch.
pub const SKETCH_MAX: usize = 256;

/// By how much each earlier word of a shingle is multiplied.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// The step to the power of the words of a shingle: takes the word before the first away.
const STEP_OUT: u64 = {
    let (mut power, mut word) = (1_u64, 0);
    while word < SHINGLE_WORDS {
        power = power.wrapping_mul(STEP);
        word += 1;
    }
    power
};

/// The rows of a signature.
pub type Signature = [u32; SIGNATURE_ROWS];

/// A factor, odd, and an addend for each row.
const ROWS: [(u64, u64); SIGNATURE_ROWS] = {
    let mut rows = [(0, 0); SIGNATURE_ROWS];
    let mut row = 0;
    while row < SIGNATURE_ROWS {
        rows[row] = (mix(2 * row as u64 + 1) | 1, mix(2 * row as u64 + 2));
        row += 1;
    }
    rows
};

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(STEP);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// FNV-1a, 64 bits (RFC 9923).
fn word_number(letters: &[u8]) -> u64 {
    letters.iter().fold(0xcbf2_9ce4_8422_2325, |hash, letter| {
        (hash ^ u64::from(*letter)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The shingles of a text.
#[derive(Clone, Debug, Default)]
pub struct Shingles {
    /// Each once, ascending, with the byte where it begins first.
    pub distinct: Vec<(u64, u32)>,
    /// How many there are, repeated ones counted each time.
    pub total: usize,
}

impl Shingles {
    /// Of a folded text.
    pub fn of(folded: &Folded) -> Self {
        let numbers: Vec<u64> =
            folded.words.iter().map(|word| mix(word_number(folded.letters_of(word)))).collect();
        let count = numbers.len().saturating_sub(SHINGLE_WORDS - 1).max(numbers.len().min(1));
        let (mut rolling, mut distinct) = (0_u64, Vec::with_capacity(count));
        for (place, number) in numbers.iter().enumerate() {
            rolling = rolling.wrapping_mul(STEP).wrapping_add(*number);
            if let Some(out) = place.checked_sub(SHINGLE_WORDS) {
                rolling = rolling.wrapping_sub(numbers[out].wrapping_mul(STEP_OUT));
            }
            if let Some(first) = (place + 1).checked_sub(SHINGLE_WORDS) {
                distinct.push((mix(rolling), folded.words[first].at));
            }
        }
        if distinct.is_empty() && !numbers.is_empty() {
            distinct.push((mix(rolling), folded.words[0].at));
        }
        let total = distinct.len();
        distinct.sort_unstable();
        distinct.dedup_by_key(|(hash, _)| *hash);
        Self { distinct, total }
    }

    /// The part that a sketch keeps, with its places.
    pub fn kept(&self) -> &[(u64, u32)] {
        &self.distinct[..self.distinct.len().min(SKETCH_MAX)]
    }
}

/// What is kept of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    pub(crate) signature: Signature,
    /// Ascending; empty if there is no word.
    pub(crate) sketch: Vec<u64>,
}

impl Print {
    /// Of a text and its shingles.
    pub(crate) fn of(text: &[u8], shingles: &Shingles) -> Self {
        let sketch = shingles.kept().iter().map(|(hash, _)| *hash).collect();
        let signature = signature(shingles.distinct.iter().map(|(hash, _)| *hash));
        Self { digest: Digest::of(text), signature, sketch }
    }

    /// An estimate of the Jaccard index of two records' shingles, per mille.
    #[must_use]
    pub fn resemblance(&self, other: &Self) -> u32 {
        let rows = self.signature.iter().zip(&other.signature);
        let equal = rows.filter(|(one, two)| one == two).count();
        if self.sketch.is_empty() || other.sketch.is_empty() {
            return 0;
        }
        (equal * 1000 / SIGNATURE_ROWS) as u32
    }

    /// An estimate of the share of this record's shingles that `other` holds, per mille, and of
    /// how many of them it was made.
    pub(crate) fn within(&self, other: &Self) -> (u32, usize) {
        let bound = |print: &Self| match print.sketch.last() {
            Some(last) if print.sketch.len() == SKETCH_MAX => *last,
            _ => u64::MAX,
        };
        let bound = bound(self).min(bound(other));
        let mine = self.sketch.iter().take_while(|hash| **hash <= bound);
        let (mut seen, mut held) = (0, 0);
        for hash in mine {
            seen += 1;
            held += usize::from(other.sketch.binary_search(hash).is_ok());
        }
        ((held * 1000 / seen.max(1)) as u32, seen)
    }
}

fn signature(hashes: impl Iterator<Item = u64>) -> Signature {
    let mut signature = [u32::MAX; SIGNATURE_ROWS];
    for hash in hashes {
        for (least, (factor, addend)) in signature.iter_mut().zip(&ROWS) {
            let value = (hash.wrapping_mul(*factor).wrapping_add(*addend) >> 32) as u32;
            *least = (*least).min(value);
        }
    }
    signature
}

#[cfg(test)]
#[path = "shingles_tests.rs"]
mod tests;
