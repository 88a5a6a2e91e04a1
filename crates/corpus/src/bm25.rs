//! Okapi BM25 in integers (Robertson and Zaragoza, "The Probabilistic Relevance
//! Framework: BM25 and Beyond", Foundations and Trends in Information Retrieval 3(4),
//! 2009, equations 3.3 and 3.15), with log₂ for ln, which changes no order.
//!
//! A term adds idf · tf·(k₁+1) / (tf + k₁·(1−b+b·length/mean length)), where idf =
//! log₂(1 + (N−n+½)/(n+½)) = log₂(2N+2) − log₂(2n+1) for n of N passages.

use ambar_attribution::RetrievalParameters;
use ambar_attribution::logarithm::log2;

/// The number one in thousandths.
const THOUSAND: u64 = 1_000;
/// Lengths and counts beyond this count as this, so that products fit 64 bits.
const LENGTH_MAX: u64 = 1_000;

/// What all terms of a query share.
#[derive(Clone, Copy, Debug)]
pub struct Bm25 {
    /// Number of passages, at most 2³¹.
    pub passages: u64,
    /// Terms counted in all passages, at least 1 and at most 2³¹.
    pub words: u64,
    /// k₁ in thousandths.
    pub k1: u64,
    /// b in thousandths.
    pub b: u64,
}

impl Bm25 {
    /// The formula for a corpus and its parameters.
    pub fn new(passages: usize, words: u64, parameters: &RetrievalParameters) -> Self {
        Self {
            passages: passages as u64,
            words: words.max(1),
            k1: u64::from(parameters.k1_thousandths),
            b: u64::from(parameters.b_thousandths),
        }
    }

    /// The weight of a term that `holding` passages hold, in units of 2⁻¹⁶ bit.
    pub fn idf(&self, holding: usize) -> u64 {
        log2(2 * self.passages + 2).saturating_sub(log2(2 * holding as u64 + 1))
    }

    /// k₁·(1−b+b·length/mean length) in thousandths, for a passage of `length` terms.
    /// Products are below 2⁶³: k₁ and lengths are bounded.
    pub fn norm(&self, length: u32) -> u64 {
        let length = u64::from(length).min(LENGTH_MAX);
        let relative = u128::from(self.b * length) * u128::from(self.passages);
        let mean_free = u128::from((THOUSAND - self.b) * self.words) + relative;
        (u128::from(self.k1) * mean_free / u128::from(THOUSAND * self.words)) as u64
    }

    /// What a term adds to a passage that holds it `count` times, in units of 2⁻¹⁶ bit.
    pub fn term(&self, idf: u64, count: u32, norm: u64) -> u64 {
        let count = u64::from(count).min(LENGTH_MAX);
        idf * count * (THOUSAND + self.k1) / (THOUSAND * count + norm).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula in floating point, for comparison only.
    fn real(bm25: &Bm25, holding: f64, count: f64, length: f64) -> f64 {
        let (n, k1, b) = (bm25.passages as f64, bm25.k1 as f64 / 1e3, bm25.b as f64 / 1e3);
        let idf = (1.0 + (n - holding + 0.5) / (holding + 0.5)).log2();
        let mean = bm25.words as f64 / n;
        idf * count * (k1 + 1.0) / (count + k1 * (1.0 - b + b * length / mean))
    }

    #[test]
    fn agrees_with_the_formula() {
        let bm25 = Bm25::new(24_000, 840_000, &RetrievalParameters::default());
        for (holding, count, length) in [(1, 1, 35), (10, 3, 20), (900, 2, 60), (20_000, 9, 80)] {
            let score = bm25.term(bm25.idf(holding), count, bm25.norm(length));
            let expect = real(&bm25, holding as f64, f64::from(count), f64::from(length));
            let got = score as f64 / 65_536.0;
            assert!((got - expect).abs() < 0.01 * expect + 0.001, "{got} {expect}");
        }
    }

    #[test]
    fn extremes_stay_within_the_arithmetic() {
        let parameters = RetrievalParameters {
            k1_thousandths: 10_000,
            b_thousandths: 1_000,
            ..Default::default()
        };
        let bm25 = Bm25::new(1 << 31, 1, &parameters);
        assert!(bm25.norm(u32::MAX) > 0);
        assert!(bm25.term(bm25.idf(0), u32::MAX, 0) > 0);
        let empty = Bm25::new(0, 0, &RetrievalParameters { k1_thousandths: 0, ..parameters });
        assert_eq!(empty.norm(9), 0);
    }
}
