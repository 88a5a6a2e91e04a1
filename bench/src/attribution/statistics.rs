//! Ranks, means and how sure they are.

use crate::trace::Random;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2_000;
/// Its seed.
pub const BOOTSTRAP_SEED: u64 = 20_261_129;

/// Spearman's rank correlation, ties having their mean rank: the correlation of the ranks
/// (Spearman, American Journal of Psychology 15, 1904). Nothing if all of one side are equal,
/// because then there is no order to agree with.
pub fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    assert_eq!(one.len(), other.len(), "both sides are of the same things");
    let (one, other) = (ranks(one), ranks(other));
    let middle = (one.len() as f64 + 1.0) / 2.0;
    let (mut both, mut left, mut right) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(&other) {
        both += (a - middle) * (b - middle);
        left += (a - middle) * (a - middle);
        right += (b - middle) * (b - middle);
    }
    (left > 0.0 && right > 0.0).then(|| both / (left * right).sqrt())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// The mean; 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    // The sum of nothing is a negative zero.
    values.iter().fold(0.0, |sum, value| sum + value) / values.len().max(1) as f64
}

/// The mean and its 95 % interval by percentiles of resampled means (Efron, Annals of Statistics
/// 7, 1979), from a fixed seed.
pub fn interval(values: &[f64]) -> (f64, f64, f64) {
    let mut random = Random(BOOTSTRAP_SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let draw = |_| values.get(random.below(values.len().max(1))).copied().unwrap_or(0.0);
            mean(&values.iter().map(draw).collect::<Vec<_>>())
        })
        .collect();
    means.sort_by(f64::total_cmp);
    (mean(values), means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40])
}

/// The mean with its interval in words.
pub fn told(values: &[f64]) -> String {
    let (mean, low, high) = interval(values);
    format!("{mean:.2} ({low:.2} to {high:.2})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_agree_or_not() {
        let check = |one: &[f64], other: &[f64], expect: Option<f64>| {
            let found = spearman(one, other);
            let near = found.zip(expect).is_some_and(|(a, b)| (a - b).abs() < 1e-9);
            assert!(near || found == expect, "{one:?} {other:?}: {found:?}");
        };
        check(&[1.0, 2.0, 3.0], &[10.0, 20.0, 21.0], Some(1.0));
        check(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], Some(-1.0));
        check(&[1.0, 1.0, 3.0], &[5.0, 6.0, 7.0], Some(0.75_f64.sqrt()));
        check(&[1.0, 1.0], &[1.0, 2.0], None);
        check(&[], &[], None);
    }

    #[test]
    fn intervals_hold_the_mean() {
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        let (mean, low, high) = interval(&values);
        assert!(low < mean && mean < high && low > 40.0 && high < 60.0, "{low} {mean} {high}");
        assert_eq!(interval(&values), (mean, low, high));
        assert_eq!(interval(&[2.0, 2.0]), (2.0, 2.0, 2.0));
        assert_eq!(told(&[]), "0.00 (0.00 to 0.00)");
    }
}
