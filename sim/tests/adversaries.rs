//! Seeds of each adversary, and of faults alone: what may never happen does not.
//!
//! `cargo xtask sim` tries more, and tells more of each.

use ambar_sim::simulation::Adversary;
use ambar_sim::trial::try_seed;
use std::panic;
use std::sync::Once;
use std::thread;

const SEEDS: u64 = 25;

/// Engines fail on purpose here, on threads without a name: what they say is not a test's.
fn hush() {
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().name().is_some() {
                tell(panic);
            }
        }));
    });
}

/// Tries every other seed from `first` on with every adversary there is, and with none.
fn bear(first: u64) {
    hush();
    let adversaries = Adversary::ALL.iter().map(|(_, adversary)| Some(*adversary));
    for adversary in [None].into_iter().chain(adversaries) {
        for seed in (first..=SEEDS).step_by(2) {
            let trial = try_seed(seed, adversary);
            assert_eq!(trial.broken, [] as [&str; 0], "{adversary:?} with seed {seed}");
        }
    }
}

// Two tests, because a machine has several cores.

#[test]
fn odd_seeds_break_nothing() {
    bear(1);
}

#[test]
fn even_seeds_break_nothing() {
    bear(2);
}
