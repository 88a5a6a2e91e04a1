//! A histogram with fixed bounds that many threads add to without waiting for one another.
//!
//! **Invariant**: its count is the sum of its buckets, whenever it is read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Most bounds of a histogram.
pub const BOUNDS_MAX: usize = 24;

/// The histogram. Its values are integers of a unit that its owner knows.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is above all.
    buckets: [AtomicU64; BOUNDS_MAX + 1],
    sum: AtomicU64,
}

/// What a histogram holds at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramView {
    /// Each bound with the number of values that are not above it, ascending.
    pub up_to: Vec<(u64, u64)>,
    /// The number of all values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl Histogram {
    /// An empty histogram with ascending bounds, of which the first [`BOUNDS_MAX`] count.
    #[must_use]
    pub const fn new(bounds: &'static [u64]) -> Self {
        let buckets = [const { AtomicU64::new(0) }; BOUNDS_MAX + 1];
        Self { bounds, buckets, sum: AtomicU64::new(0) }
    }

    fn bounds(&self) -> &'static [u64] {
        self.bounds.get(..BOUNDS_MAX).unwrap_or(self.bounds)
    }

    /// Adds a value.
    pub fn add(&self, value: u64) {
        let place = self.bounds().partition_point(|bound| *bound < value);
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.buckets[place].fetch_add(1, Ordering::Relaxed);
    }

    /// What it holds.
    #[must_use]
    pub fn view(&self) -> HistogramView {
        let mut count = 0;
        let mut counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let up_to = self.bounds().iter().zip(&mut counts);
        let up_to: Vec<_> = up_to
            .map(|(bound, of)| {
                count += of;
                (*bound, count)
            })
            .collect();
        let above = self.buckets[self.bounds().len()].load(Ordering::Relaxed);
        HistogramView { up_to, count: count + above, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5_000] {
            histogram.add(value);
        }
        let view = histogram.view();
        assert_eq!(view.up_to, [(1, 2), (10, 4), (100, 6)]);
        assert_eq!((view.count, view.sum), (8, 5_225));
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        static BOUNDS: [u64; 3] = [10, 100, 1_000];
        let histogram = Histogram::new(&BOUNDS);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..2_000).for_each(|value| histogram.add(value)));
            }
        });
        let view = histogram.view();
        assert_eq!(view.up_to, [(10, 44), (100, 404), (1_000, 4_004)]);
        assert_eq!((view.count, view.sum), (8_000, 4 * 1_999_000));
    }
}
