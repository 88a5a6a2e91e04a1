use super::*;
use ambar_base::codec::{Encode, decode};

#[test]
fn names_numbers_and_bytes_are_for_ever() {
    let check = |rule: Duplicates, number: u16, name: &str| {
        assert_eq!((rule.number(), rule.name()), (number, name));
        assert_eq!(u16::from(rule.to_bytes()[0]), number);
        assert_eq!(name.parse(), Ok(rule));
        assert_eq!(Sharing::of(number, FLOOR_MAX, Weight(1)).unwrap().duplicates, rule);
    };
    check(Duplicates::Equal, 1, "equal");
    check(Duplicates::First, 2, "first");
    check(Duplicates::Halving, 3, "halving");
    assert_eq!("half".parse::<Duplicates>(), Err(SharingError::Name));
    let rules = Sharing { duplicates: Duplicates::First, floor: Weight(1), cap: Weight(300) };
    assert_eq!(rules.to_bytes(), [2, 1, 0xac, 2]);
    assert_eq!(decode(&rules.to_bytes()), Ok(rules));
}

#[test]
fn bounds() {
    let check = |floor: u32, cap: u32, expect| {
        assert_eq!(Sharing::of(1, Weight(floor), Weight(cap)).map(drop), expect);
    };
    check(0, 1, Ok(()));
    check(500_000_000, 1_000_000_000, Ok(()));
    check(500_000_001, 1, Err(SharingError::Floor));
    check(0, 0, Err(SharingError::Cap));
    for unknown in [0, 4, u16::MAX] {
        let expect = Err(SharingError::Duplicates(unknown));
        assert_eq!(Sharing::of(unknown, Weight::ZERO, Weight::ONE), expect);
    }
    assert!(!Sharing::default().draws() && !Sharing::OF_POOLS.draws());
}

#[test]
fn parts_are_rounded_for_evidence() {
    let rules = Sharing { floor: Weight(100_000_000), cap: Weight(100_000_000), ..Sharing::USUAL };
    let check = |total: u32, floor: u32, cap: u32| {
        assert_eq!((rules.floor_of(Weight(total)).0, rules.cap_of(Weight(total)).0), (floor, cap));
    };
    check(0, 0, 0);
    check(1, 0, 1);
    check(19, 1, 2);
    check(20, 2, 2);
    check(1_000_000_000, 100_000_000, 100_000_000);
    assert_eq!(Sharing::USUAL.cap_of(Weight::ONE), Weight::ONE);
}

#[test]
fn duplicates_share_by_their_rule() {
    let check = |rule: Duplicates, contributors: &[u32], expect: &[(u32, u128)]| {
        assert_eq!(rule.divide(840, contributors), expect);
    };
    check(Duplicates::Equal, &[7, 2, 7, 5], &[(7, 210), (2, 210), (7, 210), (5, 210)]);
    check(Duplicates::First, &[7, 2, 7, 5], &[(7, 840)]);
    check(Duplicates::Halving, &[7, 2, 7, 5], &[(7, 480), (2, 240), (5, 120)]);
    check(Duplicates::Halving, &[7, 2], &[(7, 560), (2, 280)]);
    for rule in Duplicates::ALL {
        check(*rule, &[], &[]);
        check(*rule, &[3], &[(3, 840)]);
    }
}

/// However many copies are registered after a record: what they take of its words.
#[test]
fn a_flood_of_copies_takes_what_the_rule_lets_it() {
    let taken = |rule: Duplicates, copies: u32| {
        let contributors: Vec<u32> = (0..=copies).collect();
        let parts = rule.divide(1 << 40, &contributors);
        parts.iter().filter(|(who, _)| *who > 0).map(|(_, part)| part).sum::<u128>() as f64
            / (1_u64 << 40) as f64
    };
    let check = |rule, copies, expect: f64| {
        assert!((taken(rule, copies) - expect).abs() < 1e-4, "{rule} {}", taken(rule, copies));
    };
    check(Duplicates::Equal, 1, 0.5);
    check(Duplicates::Equal, 7, 0.875);
    check(Duplicates::Halving, 1, 0.3333);
    check(Duplicates::Halving, 7, 0.4980);
    check(Duplicates::First, 1, 0.0);
    check(Duplicates::First, 7, 0.0);
}

#[test]
fn halves_stay_within_the_arithmetic() {
    let many: Vec<u32> = (0..99).collect();
    for rule in Duplicates::ALL {
        let parts = rule.divide(1 << 80, &many);
        let sum: u128 = parts.iter().map(|(_, part)| part).sum();
        assert!(sum <= 1 << 80 && sum + 99 > 1 << 80, "{rule}");
    }
}
