//! Who votes in the next epoch.
//!
//! One pure function, [`elect`], of who votes now, who is preferred, and the rules. It does
//! not know where the order of preference comes from, nor what a seat costs.
//!
//! **Invariants**, each of which has a property test: the choice depends on nothing else,
//! not even on the order of the seats; there is a seat at least, and none of an identity
//! twice; whoever was ejected goes, unless nobody would be left; of the rest at most a third
//! changes, or one; and no election leaves fewer seats than the minimum of its own accord.
//! A committee of which less than a third is faulty so hands over to one that it knows
//! mostly.

use ambar_base::PublicKey;
use std::cmp::Reverse;

/// Somebody who has a seat or would take one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contender {
    /// The key that votes.
    pub key: PublicKey,
    /// Whose it is: an identity has one seat.
    pub owner: u64,
}

/// A seat of the committee that votes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sitting {
    /// Who has it.
    pub contender: Contender,
    /// Whether its holder cheated.
    pub ejected: bool,
}

/// The rules of an election, in seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// If fewer are preferred, nobody but who was ejected goes, and nobody comes.
    pub min: usize,
    /// The most that are seated.
    pub max: usize,
    /// The most that change, at least one.
    pub churn: usize,
}

impl Rules {
    /// The seats of a committee of `seats` that may change at once: those of the rules, but no
    /// more than can be faulty, ⌊(n − 1) / 3⌋, or one.
    #[must_use]
    pub fn changes_max(&self, seats: usize) -> usize {
        self.churn.min(seats.saturating_sub(1) / 3).max(1)
    }
}

/// The keys of the next committee, ascending. `current` holds a key and an owner once;
/// `ranked` names who would take a seat, the most preferred first.
#[must_use]
pub fn elect(current: &[Sitting], ranked: &[Contender], rules: &Rules) -> Vec<PublicKey> {
    let changes = rules.changes_max(current.len());
    let wanted = wanted(current, ranked, rules.max);
    let honest = current.iter().filter(|sitting| !sitting.ejected);
    let honest: Vec<_> = honest.map(|sitting| sitting.contender).collect();
    let mut next = if wanted.len() < rules.min {
        honest
    } else {
        let leaving = changes.saturating_sub(current.len() - honest.len());
        let mut next = without_least_wanted(honest, &wanted, ranked, leaving);
        let places = rules.max.saturating_sub(next.len()).min(changes);
        join(&mut next, &wanted, places);
        next
    };
    if next.is_empty() {
        join(&mut next, &wanted, changes);
    }
    if next.is_empty() {
        next.extend(current.iter().map(|sitting| sitting.contender).min());
    }
    let mut keys: Vec<_> = next.into_iter().map(|contender| contender.key).collect();
    keys.sort_unstable();
    keys
}

/// Whom the ranking alone would seat.
fn wanted(current: &[Sitting], ranked: &[Contender], max: usize) -> Vec<Contender> {
    let ejected = |key| current.iter().any(|one| one.ejected && one.contender.key == key);
    let mut wanted = Vec::new();
    let ranked = ranked.iter().filter(|contender| !ejected(contender.key));
    join(&mut wanted, &ranked.copied().collect::<Vec<_>>(), max);
    wanted
}

/// Takes the first `places` of `candidates` in whose key and owner have no seat.
fn join(seats: &mut Vec<Contender>, candidates: &[Contender], places: usize) {
    let full = seats.len() + places;
    for candidate in candidates {
        let sits = |seat: &Contender| seat.key == candidate.key || seat.owner == candidate.owner;
        if seats.len() < full && !seats.iter().any(sits) {
            seats.push(*candidate);
        }
    }
}

/// Lets go the `leaving` that are preferred least among those that are not wanted: first who
/// is not ranked at all.
fn without_least_wanted(
    mut seats: Vec<Contender>,
    wanted: &[Contender],
    ranked: &[Contender],
    leaving: usize,
) -> Vec<Contender> {
    let rank = |seat: &Contender| ranked.iter().position(|one| one.key == seat.key);
    let place = |seat: &Contender| {
        let wanted = wanted.iter().any(|one| one.key == seat.key);
        (!wanted, rank(seat).unwrap_or(usize::MAX), Reverse(seat.key))
    };
    seats.sort_by_key(place);
    let unwanted = seats.iter().filter(|seat| place(seat).0).count();
    seats.truncate(seats.len() - unwanted.min(leaving));
    seats
}

#[cfg(test)]
#[path = "committee_tests.rs"]
mod tests;
