//! Numbers drawn from a seed, the same on every machine.

/// `SplitMix64` (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is above zero, each as likely as any other: the upper half
    /// of a product, drawn again where one number would come too often (Lemire, "Fast Random
    /// Integer Generation in an Interval", 2019).
    pub fn below(&mut self, limit: u64) -> u64 {
        let often = limit.wrapping_neg() % limit;
        loop {
            let product = u128::from(self.next()) * u128::from(limit);
            if product as u64 >= often {
                return (product >> 64) as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation for the seed 1234567.
    #[test]
    fn numbers_are_those_of_the_paper() {
        let mut random = Random::of(1_234_567);
        let expect = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973];
        assert_eq!([random.next(), random.next()], expect);
    }

    #[test]
    fn every_number_below_the_limit_comes() {
        let mut random = Random::of(7);
        let mut seen = [0u32; 5];
        (0..5_000).for_each(|_| seen[random.below(5) as usize] += 1);
        assert!(seen.iter().all(|times| (900..1_100).contains(times)), "{seen:?}");
        assert!((0..99).all(|_| random.below(1) == 0));
    }
}
