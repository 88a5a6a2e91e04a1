//! Seeds that once broke something, and one that shows what a cheat comes to.

use ambar_sim::simulation::Adversary;
use ambar_sim::trial::try_seed;

#[test]
fn the_same_seed_gives_the_same() {
    for (seed, adversary) in [(3, Adversary::BadRoot), (3, Adversary::Equivocator)] {
        let [one, other] = [(); 2].map(|()| try_seed(seed, Some(adversary)));
        assert_eq!(one.trace, other.trace, "{adversary:?} with seed {seed}");
    }
}

/// A disk that fails ends an engine, which begins again; who saw a cheat may crash before
/// saying so.
#[test]
fn a_committee_bears_failing_disks() {
    let trial = try_seed(5, Some(Adversary::Equivocator));
    assert_eq!(trial.broken, [] as [&str; 0]);
}

#[test]
fn who_cheats_loses_bond_and_seat() {
    let trial = try_seed(11, Some(Adversary::Equivocator));
    assert_eq!(trial.broken, [] as [&str; 0]);
    assert!(trial.unseated > 0);
}
