//! What a datanet has accepted: by digest, by what resembles what, and by single shingles.
//!
//! Records that might resemble another are found by bands of two rows (Indyk and Motwani 1998):
//! of records with Jaccard index J a share of 1 − (1 − J²)⁶⁴ is looked at, 0.998 at J = 0.3. What
//! is found is confirmed by the estimate of the signatures, because texts are not kept. Records
//! that hold one another are found by the numbers of their sketches.
//!
//! **Invariant**: the index is a function of the set of records. Adding and removing a record
//! gives the bytes from before.

use crate::shingles::{Print, SIGNATURE_ROWS};
use ambar_base::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// Most records of one index.
pub const RECORDS_MAX: usize = 1 << 20;
/// Rows of a band.
const BAND_ROWS: usize = 2;
/// Most records that are looked at for one band: those with the lowest numbers.
const BAND_RECORDS_MAX: usize = 64;
/// A shingle that stands in more records than this says nothing about which one was copied.
const TELLING_RECORDS_MAX: usize = 16;
/// Records compared by their sketches: those that share the most numbers.
const SKETCHES_COMPARED_MAX: usize = 8;
/// Fewest numbers that say something about how much of a record is held.
const HELD_MIN: usize = 16;

/// Why a record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeenError {
    /// The index is full.
    #[error("an index has at most {RECORDS_MAX} records")]
    Full,
    /// The number belongs to a record.
    #[error("number {0} belongs to a record")]
    Taken(u32),
}

/// A record and how much it has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The number of the record.
    pub of: u32,
    /// Of a thousand.
    pub per_mille: u32,
}

/// An index of accepted records, each under a number of the caller's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    records: BTreeMap<u32, Print>,
    digests: BTreeSet<(Digest, u32)>,
    /// Band, its rows, record.
    bands: BTreeSet<(u8, [u32; BAND_ROWS], u32)>,
    /// Shingle, record.
    shingles: BTreeSet<(u64, u32)>,
}

impl Seen {
    /// How many records it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records in the order of their numbers.
    pub fn records(&self) -> impl Iterator<Item = (u32, &Print)> {
        self.records.iter().map(|(number, print)| (*number, print))
    }

    /// Adds a record under a number that is free.
    pub fn add(&mut self, number: u32, print: Print) -> Result<(), SeenError> {
        if self.records.contains_key(&number) {
            return Err(SeenError::Taken(number));
        }
        if self.records.len() >= RECORDS_MAX {
            return Err(SeenError::Full);
        }
        self.digests.insert((print.digest, number));
        self.bands.extend(bands(&print).map(|(band, rows)| (band, rows, number)));
        self.shingles.extend(print.sketch.iter().map(|hash| (*hash, number)));
        self.records.insert(number, print);
        Ok(())
    }

    /// Takes a record out.
    pub fn remove(&mut self, number: u32) -> Option<Print> {
        let print = self.records.remove(&number)?;
        self.digests.remove(&(print.digest, number));
        for (band, rows) in bands(&print) {
            self.bands.remove(&(band, rows, number));
        }
        for hash in &print.sketch {
            self.shingles.remove(&(*hash, number));
        }
        Some(print)
    }

    /// The record of these very bytes; of several, the one with the lowest number.
    #[must_use]
    pub fn exact(&self, digest: &Digest) -> Option<u32> {
        let mut found = self.digests.range((*digest, 0)..=(*digest, u32::MAX));
        found.next().map(|(_, number)| *number)
    }

    /// The record that resembles this one most; of equals, the one with the lowest number.
    #[must_use]
    pub fn nearest(&self, print: &Print) -> Option<Match> {
        let mut candidates = BTreeSet::new();
        for (band, rows) in bands(print) {
            let found = self.bands.range((band, rows, 0)..=(band, rows, u32::MAX));
            candidates.extend(found.take(BAND_RECORDS_MAX).map(|(_, _, number)| *number));
        }
        let compared = candidates.into_iter().filter_map(|of| {
            let per_mille = self.records.get(&of)?.resemblance(print);
            Some(Match { of, per_mille })
        });
        compared.max_by_key(|found| (found.per_mille, std::cmp::Reverse(found.of)))
    }

    /// The record of which most of this one is a part, and the one that is most a part of it.
    pub(crate) fn overlaps(&self, print: &Print) -> (Option<Match>, Option<Match>) {
        let mut shared: BTreeMap<u32, usize> = BTreeMap::new();
        for hash in &print.sketch {
            let holders: Vec<u32> = self.holders(*hash).take(TELLING_RECORDS_MAX + 1).collect();
            if holders.len() <= TELLING_RECORDS_MAX {
                holders.iter().for_each(|number| *shared.entry(*number).or_default() += 1);
            }
        }
        let mut order: Vec<_> = shared.into_iter().collect();
        order.sort_by_key(|(number, count)| (std::cmp::Reverse(*count), *number));
        order.truncate(SKETCHES_COMPARED_MAX);
        let numbers = || order.iter().map(|(number, _)| *number);
        let share = |of, (per_mille, told)| (told >= HELD_MIN).then_some(Match { of, per_mille });
        let in_it = numbers().filter_map(|of| share(of, print.within(self.records.get(&of)?)));
        let of_it = numbers().filter_map(|of| share(of, self.records.get(&of)?.within(print)));
        let most = |found: &Match| (found.per_mille, std::cmp::Reverse(found.of));
        (in_it.max_by_key(most), of_it.max_by_key(most))
    }

    /// In how many records' sketches a shingle stands, counted up to `most`.
    pub(crate) fn standing(&self, hash: u64, most: usize) -> usize {
        self.holders(hash).take(most).count()
    }

    fn holders(&self, hash: u64) -> impl Iterator<Item = u32> + '_ {
        self.shingles.range((hash, 0)..=(hash, u32::MAX)).map(|(_, number)| *number)
    }
}

/// The bands of a record; none if it has no words, or all of those would resemble each other.
fn bands(print: &Print) -> impl Iterator<Item = (u8, [u32; BAND_ROWS])> + '_ {
    let rows = if print.sketch.is_empty() { 0 } else { SIGNATURE_ROWS };
    let (bands, _) = print.signature[..rows].as_chunks::<BAND_ROWS>();
    (0..).zip(bands.iter().copied())
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
