//! Sequence numbers that were acknowledged, in bounded space.

use ambar_base::record;

/// Most runs of numbers that are kept apart. Beyond it the lowest gap counts as acknowledged: a
/// receipt from there would count nothing, which is the payer's safe side.
pub const RUNS_MAX: usize = 256;

record! {
    /// A set of numbers.
    #[derive(Default)]
    pub struct Numbers {
        /// Half-open runs, ascending, apart from one another.
        runs: Vec<(u64, u64)>,
        /// Everything below it counts as in the set.
        floor: u64,
    }
}

impl Numbers {
    /// Whether a number is in the set.
    #[must_use]
    pub fn contains(&self, n: u64) -> bool {
        let at = self.runs.partition_point(|(_, end)| *end <= n);
        n < self.floor || self.runs.get(at).is_some_and(|(start, _)| *start <= n)
    }

    /// Puts a number in; whether it is new.
    pub fn insert(&mut self, n: u64) -> bool {
        if self.contains(n) || n == u64::MAX {
            return false;
        }
        let at = self.runs.partition_point(|(_, end)| *end <= n);
        let joins_before = at > 0 && self.runs[at - 1].1 == n;
        let joins_after = self.runs.get(at).is_some_and(|(start, _)| *start == n + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                self.runs[at - 1].1 = self.runs[at].1;
                self.runs.remove(at);
            }
            (true, false) => self.runs[at - 1].1 = n + 1,
            (false, true) => self.runs[at].0 = n,
            (false, false) => self.runs.insert(at, (n, n + 1)),
        }
        if self.runs.len() > RUNS_MAX {
            self.floor = self.runs.remove(0).1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(values in prop::collection::vec(0_u64..40, 0..80)) {
            let (mut numbers, mut model) = (Numbers::default(), BTreeSet::new());
            for n in values {
                prop_assert_eq!(numbers.insert(n), model.insert(n));
                prop_assert!(numbers.runs.windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
            prop_assert!((0..41).all(|n| numbers.contains(n) == model.contains(&n)));
        }
    }

    #[test]
    fn many_gaps_close_from_below() {
        let mut numbers = Numbers::default();
        assert!((0..=RUNS_MAX as u64).all(|n| numbers.insert(2 * n)));
        assert_eq!(numbers.runs.len(), RUNS_MAX);
        assert!(!numbers.insert(0), "it was there");
        assert!(numbers.insert(1) && !numbers.insert(1), "above the floor gaps are kept");
        assert!(numbers.insert(2 * RUNS_MAX as u64 + 2));
        assert!(numbers.insert(2 * RUNS_MAX as u64 + 4));
        assert!(!numbers.insert(3), "its gap is below the floor now");
    }
}
