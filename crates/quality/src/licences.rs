//! The shingles of well-known licence texts, which are boilerplate wherever they stand.

use crate::fold::Folded;
use crate::shingles::Shingles;
use std::sync::LazyLock;

static KNOWN: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let lines = include_str!("licences.txt").lines();
    let shingles = lines.flat_map(|line| Shingles::of(&Folded::of(line)).distinct);
    let mut known: Vec<u64> = shingles.map(|(hash, _)| hash).collect();
    known.sort_unstable();
    known.dedup();
    known
});

/// Whether a shingle stands in the texts of MIT, Apache 2.0, GPL 3 (its notice) or BSD.
pub fn is_licence(hash: u64) -> bool {
    KNOWN.binary_search(&hash).is_ok()
}
