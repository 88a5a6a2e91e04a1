//! Latencies in buckets whose width grows with the value, so that any percentile is known to
//! one part in 128 whatever the range, in fixed memory (the layout of HdrHistogram,
//! <http://hdrhistogram.org>).
//!
//! **Invariant**: the counts of all buckets sum to the number of recorded values, and a
//! percentile is never below the value that it stands for.

use std::time::Duration;

/// Buckets of one octave, as a power of two.
const OCTAVE_BITS: u32 = 7;
const OCTAVE: u64 = 1 << OCTAVE_BITS;
/// Longest latency that is told apart: 2^40 ns, over 18 minutes.
const VALUE_BITS_MAX: u32 = 40;
const BUCKETS: usize = ((VALUE_BITS_MAX - OCTAVE_BITS + 1) as usize) << OCTAVE_BITS;

/// A histogram of durations, in ns.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// The duration that `percent` of those counted do not exceed, µs, rounded up to the end of
    /// its bucket; nothing if none were counted.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = ((self.total as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= rank
        };
        let place = self.counts.iter().position(reached)?;
        Some(end(place) as f64 / 1e3)
    }
}

/// The bucket of a value: exact below two octaves, then 128 to an octave.
fn bucket(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS_MAX) - 1);
    let octave = (u64::BITS - value.leading_zeros()).saturating_sub(OCTAVE_BITS + 1);
    (u64::from(octave) * OCTAVE + (value >> octave)) as usize
}

/// The largest value of a bucket.
fn end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let octave = (bucket / OCTAVE).saturating_sub(1);
    let within = bucket - octave * OCTAVE;
    ((within + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        let mut last = 0;
        for value in (0..4_096).chain((12..VALUE_BITS_MAX).flat_map(|bits| {
            let power = 1_u64 << bits;
            [power - 1, power, power + power / 3]
        })) {
            let place = bucket(value);
            assert!(place >= last, "{value}");
            let end = end(place);
            assert!(end >= value, "{value} is past {end}");
            assert!(end - value <= value / OCTAVE, "{value} is told as {end}");
            last = place;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(end(BUCKETS - 1), (1 << VALUE_BITS_MAX) - 1);
    }

    #[test]
    fn percentiles_of_a_thousand() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50.0), None);
        (1..=1_000).rev().for_each(|n| histogram.record(Duration::from_micros(n)));
        let check = |percent: f64, expect: f64| {
            let found = histogram.percentile(percent).unwrap();
            assert!((expect..=expect * (1.0 + 1.0 / 128.0)).contains(&found), "{percent}: {found}");
        };
        check(0.0, 1.0);
        check(50.0, 500.0);
        check(99.0, 990.0);
        check(99.9, 999.0);
        check(100.0, 1_000.0);
        assert_eq!(histogram.total, 1_000);
    }
}
