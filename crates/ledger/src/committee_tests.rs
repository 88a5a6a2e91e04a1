use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn contender(n: u8) -> Contender {
    Contender { key: key(n), owner: u64::from(n) }
}

fn sitting(numbers: &[u8], ejected: &[u8]) -> Vec<Sitting> {
    let sitting = |n: &u8| Sitting { contender: contender(*n), ejected: ejected.contains(n) };
    numbers.iter().map(sitting).collect()
}

const OPEN: Rules = Rules { min: 1, max: 100, churn: 100 };

#[test]
fn who_is_elected() {
    let check = |current: &[u8], ejected: &[u8], ranked: &[u8], rules: Rules, expect: &[u8]| {
        let ranked: Vec<_> = ranked.iter().map(|n| contender(*n)).collect();
        let elected = elect(&sitting(current, ejected), &ranked, &rules);
        let expect: Vec<_> = expect.iter().map(|n| key(*n)).collect();
        assert_eq!(elected, expect, "{current:?} {ejected:?} {ranked:?}");
    };
    let four = Rules { min: 4, max: 4, churn: 4 };
    let seven = Rules { min: 4, max: 7, churn: 7 };
    // Nothing changes where the preferred sit.
    check(&[1, 2, 3, 4], &[], &[4, 3, 2, 1], four, &[1, 2, 3, 4]);
    // One of four changes at a time: the least preferred goes, the most preferred comes.
    check(&[1, 2, 3, 4], &[], &[9, 8, 1, 2, 3, 4], four, &[1, 2, 3, 9]);
    check(&[1, 2, 3, 4], &[], &[9, 1, 2, 3, 4], four, &[1, 2, 3, 9]);
    // Who is not ranked goes first.
    check(&[1, 2, 3, 4], &[], &[9, 8, 7, 3, 4, 2], four, &[2, 3, 4, 9]);
    // Two of seven.
    check(&[1, 2, 3, 4, 5, 6, 7], &[], &[9, 8, 10, 1, 2, 3, 4], seven, &[1, 2, 3, 4, 7, 8, 9]);
    check(&[1, 2, 3, 4, 5, 6, 7], &[], &[1, 2, 3, 4], seven, &[1, 2, 3, 4, 7]);
    // The churn of the rules is less.
    check(
        &[1, 2, 3, 4, 5, 6, 7],
        &[],
        &[1, 2, 3, 4],
        Rules { churn: 1, ..seven },
        &[1, 2, 3, 4, 6, 7],
    );
    // It grows by a third of what it is.
    check(&[1], &[], &[1, 2, 3, 4], seven, &[1, 2]);
    check(
        &[1, 2, 3, 4, 5, 6, 7],
        &[],
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        OPEN,
        &[1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    // Too few are preferred: it stays.
    check(&[1, 2, 3, 4], &[], &[9, 8, 7], four, &[1, 2, 3, 4]);
    // Who cheated goes, and is replaced.
    check(&[1, 2, 3, 4], &[2], &[2, 1, 3, 4, 5], four, &[1, 3, 4, 5]);
    check(&[1, 2, 3, 4], &[2], &[2, 1, 3, 4], four, &[1, 3, 4]);
    // More than may change: what is left changes no more.
    check(&[1, 2, 3, 4, 5, 6, 7], &[1, 2, 3], &[4, 5, 6, 8, 9, 10, 11], seven, &[4, 5, 6, 7, 8, 9]);
    // All cheated.
    check(&[1, 2], &[1, 2], &[1, 2, 3], OPEN, &[3]);
    check(&[1, 2], &[1, 2], &[1, 2, 3], four, &[3]);
    check(&[2, 1], &[1, 2], &[1, 2], OPEN, &[1]);
}

#[test]
fn an_identity_has_one_seat() {
    let second = Contender { key: key(9), owner: 2 };
    let ranked = [&[second][..], &[8, 1, 2, 3, 4].map(contender)].concat();
    let rules = Rules { min: 1, max: 4, churn: 4 };
    let next = |current: &[Sitting]| elect(current, &ranked, &rules);
    // Its second key waits until the first has gone.
    assert_eq!(next(&sitting(&[1, 2, 3, 4], &[])), [1, 2, 3, 8].map(key));
    assert_eq!(next(&sitting(&[1, 2, 3, 8], &[])), [1, 3, 8, 9].map(key));
}

/// A committee, a ranking and rules. Some keys share an owner, but not in the committee.
fn case() -> impl Strategy<Value = (Vec<Sitting>, Vec<Contender>, Rules)> {
    let owner = |n: u8| u64::from(n % 24);
    let contender = move |n: u8| Contender { key: key(n), owner: owner(n) };
    let seats = proptest::collection::btree_map(0u8..24, (0u8..2, 0u8..5), 1..14);
    let sitting = move |(n, (twin, cheated)): (u8, (u8, u8))| Sitting {
        contender: contender(n + 24 * twin),
        ejected: cheated == 0,
    };
    let seats = seats.prop_map(move |seats| seats.into_iter().map(sitting).collect());
    let ranked = proptest::collection::vec(0u8..48, 0..24);
    let ranked = ranked.prop_map(move |all| all.into_iter().map(contender).collect());
    let rules = (1usize..12, 0usize..12, 1usize..9);
    let rules = rules.prop_map(|(min, more, churn)| Rules { min, max: min + more, churn });
    (seats, ranked, rules)
}

fn keys(current: &[Sitting], pick: impl Fn(&Sitting) -> bool) -> BTreeSet<PublicKey> {
    current.iter().filter(|one| pick(one)).map(|one| one.contender.key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_order_of_the_seats_changes_nothing((current, ranked, rules) in case(), by: usize) {
        let elected = elect(&current, &ranked, &rules);
        prop_assert!(elected.is_sorted_by(|left, right| left < right));
        let mut turned = current.clone();
        turned.rotate_left(by % current.len());
        prop_assert_eq!(&elect(&turned, &ranked, &rules), &elected);
        turned.reverse();
        prop_assert_eq!(&elect(&turned, &ranked, &rules), &elected);
    }

    #[test]
    fn somebody_sits_and_no_identity_twice((current, ranked, rules) in case()) {
        let elected = elect(&current, &ranked, &rules);
        prop_assert!(!elected.is_empty());
        let owners: BTreeSet<_> = elected.iter().map(|key| key.0[0] % 24).collect();
        prop_assert_eq!(owners.len(), elected.len());
        let known = keys(&current, |_| true);
        let listed = |key| known.contains(key) || ranked.iter().any(|one| one.key == *key);
        prop_assert!(elected.iter().all(listed));
    }

    #[test]
    fn who_cheated_goes((current, ranked, rules) in case()) {
        let ejected = keys(&current, |sitting| sitting.ejected);
        let elected: BTreeSet<_> = elect(&current, &ranked, &rules).into_iter().collect();
        let back: Vec<_> = elected.intersection(&ejected).collect();
        let others = ranked.iter().any(|one| !ejected.contains(&one.key));
        let nobody_else = ejected.len() == current.len() && !others;
        prop_assert_eq!(!back.is_empty(), nobody_else);
        prop_assert!(back.is_empty() || elected.len() == 1);
    }

    #[test]
    fn a_third_changes_at_most((current, ranked, rules) in case()) {
        let before = keys(&current, |_| true);
        let ejected = keys(&current, |sitting| sitting.ejected);
        let after: BTreeSet<_> = elect(&current, &ranked, &rules).into_iter().collect();
        let bound = rules.churn.min((before.len() - 1) / 3).max(1);
        prop_assert!(after.difference(&before).count() <= bound);
        let gone: BTreeSet<_> = before.difference(&after).copied().collect();
        prop_assert!(gone.len() <= bound.max(ejected.len()), "{gone:?}");
        prop_assert!(gone.difference(&ejected).count() <= bound);
    }

    #[test]
    fn sizes_are_within_the_rules((current, ranked, rules) in case()) {
        let honest = keys(&current, |sitting| !sitting.ejected).len();
        let elected = elect(&current, &ranked, &rules).len();
        prop_assert!(elected >= rules.min.min(honest), "{elected}");
        prop_assert!(elected <= rules.max.max(honest), "{elected}");
    }

    #[test]
    fn a_thin_ranking_keeps_the_committee((current, ranked, rules) in case()) {
        let ejected = keys(&current, |sitting| sitting.ejected);
        let fit = ranked.iter().filter(|one| !ejected.contains(&one.key));
        let owners: BTreeSet<_> = fit.map(|one| one.owner).collect();
        let honest: Vec<_> = keys(&current, |sitting| !sitting.ejected).into_iter().collect();
        if owners.len() < rules.min && !honest.is_empty() {
            prop_assert_eq!(elect(&current, &ranked, &rules), honest);
        }
    }

    /// Epoch after epoch under one ranking, the committee becomes the ranking's.
    #[test]
    fn the_preferred_are_seated_in_the_end((current, ranked, rules) in case()) {
        let wanted = wanted(&current, &ranked, rules.max);
        prop_assume!(wanted.len() >= rules.min);
        let mut seats = current.clone();
        // One change each, in the worst case.
        for _ in 0..current.len() + wanted.len() {
            let sitting = |key| Sitting {
                contender: Contender { key, owner: u64::from(key.0[0] % 24) },
                ejected: seats.iter().any(|one| one.ejected && one.contender.key == key),
            };
            // Whoever was ejected is taken out of the ranking by whoever keeps it.
            seats = elect(&seats, &wanted, &rules).into_iter().map(sitting).collect();
        }
        let mut expect: Vec<_> = wanted.iter().map(|one| one.key).collect();
        expect.sort_unstable();
        let seated: Vec<_> = seats.iter().map(|one| one.contender.key).collect();
        prop_assert_eq!(seated, expect);
    }
}
