//! The driver for any toolchain: seeds, then changes of them, until the time is over or a
//! promise is broken.
//!
//! It measures no coverage. Inputs that came as far as the decoder or further join the
//! pool and are changed in turn, so that the search leaves the neighbourhood of the seeds.
//!
//! **Invariant**: a seed and a number of tries determine every input.

use crate::mutate::{Surroundings, mutate};
use crate::random::Random;
use crate::{Reach, Target};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Most inputs of a pool besides the seeds.
const JOINED_MAX: usize = 256;
/// Longest input made, bytes.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;
/// One of so many new inputs that decoded joins the pool.
const JOIN_ONE_IN: usize = 8;

/// How long, and where the search begins.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Stops after this long.
    pub time: Duration,
    /// Stops after as many tries.
    pub tries_max: u64,
    /// Determines every choice.
    pub seed: u64,
}

/// What a run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Inputs tried.
    pub tries: u64,
    /// How many of them decoded.
    pub decoded: u64,
    /// How many of them were also used.
    pub used: u64,
    /// The longest that one took.
    pub slowest: Duration,
    /// The input that broke a promise.
    pub broken: Option<Vec<u8>>,
}

/// Tries a target. `given` are inputs beside the target's own seeds; `before` sees each
/// input before it is tried.
pub fn run(target: &Target, given: &[Vec<u8>], plan: Plan, before: impl Fn(&[u8])) -> Summary {
    let mut search = Search::new(target, given, plan.seed);
    let started = Instant::now();
    for input in search.pool.clone() {
        if search.attempt(&input, &before).is_none() {
            return search.summary;
        }
    }
    while started.elapsed() < plan.time && search.summary.tries < plan.tries_max {
        let input = search.make();
        match search.attempt(&input, &before) {
            None => break,
            Some(Reach::Refused) => {}
            Some(_) => search.offer(input),
        }
    }
    search.summary
}

struct Search<'a> {
    target: &'a Target,
    random: Random,
    pool: Vec<Vec<u8>>,
    /// The first of the pool, which stay.
    seeds: usize,
    summary: Summary,
}

impl<'a> Search<'a> {
    fn new(target: &'a Target, given: &[Vec<u8>], seed: u64) -> Self {
        let pool: Vec<Vec<u8>> = (target.seeds)().into_iter().chain(given.to_vec()).collect();
        let seeds = pool.len();
        let slowest = Duration::ZERO;
        let summary = Summary { tries: 0, decoded: 0, used: 0, slowest, broken: None };
        Self { target, random: Random::new(seed), pool, seeds, summary }
    }

    /// Tries an input; nothing if it broke a promise.
    fn attempt(&mut self, input: &[u8], before: &impl Fn(&[u8])) -> Option<Reach> {
        before(input);
        let started = Instant::now();
        let reach = catch_unwind(AssertUnwindSafe(|| (self.target.attempt)(input)));
        let summary = &mut self.summary;
        summary.tries += 1;
        summary.slowest = summary.slowest.max(started.elapsed());
        let Ok(reach) = reach else {
            summary.broken = Some(input.to_vec());
            return None;
        };
        summary.decoded += u64::from(reach >= Reach::Decoded);
        summary.used += u64::from(reach >= Reach::Used);
        Some(reach)
    }

    fn make(&mut self) -> Vec<u8> {
        let nothing = Vec::new();
        let input = self.random.one_of(&self.pool).unwrap_or(&nothing);
        let other = self.random.one_of(&self.pool).unwrap_or(&nothing);
        let bytes_max = INPUT_BYTES_MAX;
        mutate(input, &mut Surroundings { random: &mut self.random, other, bytes_max })
    }

    /// Lets some inputs join the pool, in the place of others once it is full.
    fn offer(&mut self, input: Vec<u8>) {
        if self.random.below(JOIN_ONE_IN) > 0 {
            return;
        }
        let joined = self.pool.len() - self.seeds;
        if joined < JOINED_MAX {
            self.pool.push(input);
        } else {
            let at = self.seeds + self.random.below(joined);
            self.pool[at] = input;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Breaks on any input with two bytes of 7.
    fn two_sevens(input: &[u8]) -> Reach {
        assert!(input.iter().filter(|byte| **byte == 7).count() < 2, "two");
        if input.contains(&7) { Reach::Used } else { Reach::Refused }
    }

    const TARGET: Target =
        Target { name: "two sevens", seeds: || vec![vec![1, 2, 3]], attempt: two_sevens };
    const PLAN: Plan = Plan { time: Duration::MAX, tries_max: 1_000_000, seed: 1 };

    #[test]
    fn what_breaks_is_found_and_returned() {
        let summary = run(&TARGET, &[], PLAN, |_| {});
        let broken = summary.broken.unwrap();
        assert!(catch_unwind(|| two_sevens(&broken)).is_err());
        assert!(summary.tries < PLAN.tries_max && summary.used > 0);
    }

    #[test]
    fn a_seed_determines_every_input() {
        let inputs = |seed| {
            let seen = RefCell::new(Vec::new());
            run(&TARGET, &[], Plan { seed, tries_max: 500, ..PLAN }, |input| {
                seen.borrow_mut().push(input.to_vec());
            });
            seen.into_inner()
        };
        assert_eq!(inputs(3), inputs(3));
        assert_ne!(inputs(3), inputs(4));
    }

    #[test]
    fn what_is_given_is_tried_too() {
        let summary = run(&TARGET, &[vec![7, 7]], PLAN, |_| {});
        assert_eq!((summary.tries, summary.broken), (2, Some(vec![7, 7])));
    }
}
