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

fn bear(adversary: Option<Adversary>) {
    hush();
    for seed in 1..=SEEDS {
        let trial = try_seed(seed, adversary);
        assert_eq!(trial.broken, [] as [&str; 0], "{adversary:?} with seed {seed}");
    }
}

/// There is a test for each of them.
#[test]
fn all_are_here() {
    assert_eq!(Adversary::ALL.len(), 7);
}

#[test]
fn faults_alone_break_nothing() {
    bear(None);
}

#[test]
fn wrong_state_roots_break_nothing() {
    bear(Some(Adversary::BadRoot));
}

#[test]
fn contradicting_votes_break_nothing() {
    bear(Some(Adversary::Equivocator));
}

#[test]
fn invented_batches_break_nothing() {
    bear(Some(Adversary::Inventor));
}

#[test]
fn contradicting_proposals_break_nothing() {
    bear(Some(Adversary::Proposer));
}

#[test]
fn replays_break_nothing() {
    bear(Some(Adversary::Replayer));
}

#[test]
fn spam_breaks_nothing() {
    bear(Some(Adversary::Spammer));
}

#[test]
fn withheld_blocks_break_nothing() {
    bear(Some(Adversary::Withholder));
}
