//! Chance that can be had again: everything that a test draws follows from a seed it prints.

use std::time::{SystemTime, UNIX_EPOCH};

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The chance of one thing among many that share a seed.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut one = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        one.next();
        one
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Whether it is one of so many hundredths.
    pub fn percent(&mut self, hundredths: u64) -> bool {
        self.below(100) < hundredths
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// The number in an environment variable, which is printed, or another.
pub fn number(variable: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    let given = std::env::var(variable).ok();
    let number = given.map_or_else(otherwise, |text| text.parse().unwrap());
    println!("{variable}={number}");
    number
}

/// A seed of its own for each run.
pub fn drawn() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}
