//! Shares under rules that differ from the usual ones.

use super::*;
use ambar_base::weight;
use std::fmt::Write as _;

/// What everybody gets by all methods together, and by evidence alone.
fn amounts(divided: &Divided) -> (BTreeMap<u32, u32>, BTreeMap<u32, u32>) {
    let sum = |shares: &mut dyn Iterator<Item = &MethodShares>| {
        let mut amounts = BTreeMap::new();
        for (who, weight) in shares.flat_map(|share| &share.weights) {
            *amounts.entry(*who).or_default() += weight.0;
        }
        amounts
    };
    let evidence = |share: &&MethodShares| share.method != Method::CommonFloor;
    (sum(&mut divided.shares.iter()), sum(&mut divided.shares.iter().filter(evidence)))
}

fn per_cent(part: u32) -> Weight {
    Weight(part * 10_000_000)
}

const NAMES: [&str; 4] = ["Ann", "Ben", "Cleo", "Dan"];

/// Ann's and Ben's passages were given to the model; what it quotes stands in Ann's record, and
/// in one that Cleo registered later. Dan's was not used.
fn example(duplicates: Duplicates, floor: u32, cap: u32) -> Divided {
    let evidence = [retrieval(&[(0, 600), (1, 200)]), copied(&[vec![0, 2]])];
    let sharing = Sharing { duplicates, floor: per_cent(floor), cap: per_cent(cap) };
    let whole = Division { sharing, contributors: 4, ..usual(per_cent(90), &BOTH) };
    shares(&whole, &evidence).unwrap()
}

/// The rows that the book prints, made from what is computed.
#[test]
fn the_example_of_the_book() {
    let book = include_str!("../../../docs/book/attribution.md");
    let rows = [
        (Duplicates::Equal, 0, 100),
        (Duplicates::First, 0, 100),
        (Duplicates::Halving, 0, 100),
        (Duplicates::Equal, 10, 40),
        (Duplicates::First, 10, 40),
    ];
    for (duplicates, floor, cap) in rows {
        let divided = example(duplicates, floor, cap);
        let (_, by_evidence) = amounts(&divided);
        let mut row = format!("| `{duplicates}` | {floor}% | {cap}% |");
        for who in 0..4 {
            let amount = Weight(by_evidence.get(&who).copied().unwrap_or_default());
            write!(row, " {amount} |").unwrap();
        }
        let drawn = divided.drawn.map(|evidence| {
            let Evidence::CommonFloor(drawn) = evidence else { unreachable!() };
            let name = |who: Option<u32>| who.map_or("–", |who| NAMES[who as usize]);
            let share = divided.shares.last().unwrap();
            let sum = weight::total(share.weights.iter().map(|(_, weight)| *weight)).unwrap();
            format!("{sum}: {}, {}", name(drawn.floor), name(drawn.beyond))
        });
        write!(row, " {} |", drawn.as_deref().unwrap_or("–")).unwrap();
        assert!(book.contains(&row), "docs/book/attribution.md lacks\n{row}");
    }
}

#[test]
fn a_copy_earns_what_the_rule_lets_it() {
    let check = |duplicates, copier: u32| {
        let (all, _) = amounts(&example(duplicates, 0, 100));
        assert_eq!(all.get(&2).copied().unwrap_or_default(), copier, "{duplicates}");
    };
    check(Duplicates::Equal, 225_000_000);
    check(Duplicates::First, 0);
    check(Duplicates::Halving, 150_000_000);
}

#[test]
fn nothing_found_pays_the_treasury_and_draws_nobody() {
    let sharing = Sharing { floor: per_cent(50), ..Sharing::USUAL };
    let whole = Division { sharing, contributors: 4, ..usual(Weight::ONE, &BOTH) };
    let check = |total, evidence: &[Evidence]| {
        let division = Division { total: Weight(total), ..whole };
        assert_eq!(shares(&division, evidence), Ok(Divided::default()));
    };
    check(1_000, &[retrieval(&[]), spans(&[])]);
    check(0, &[retrieval(&[(0, 1)])]);
}

#[test]
fn only_rules_that_draw_need_to_know_the_table() {
    let evidence = [retrieval(&[(7, 1)])];
    let check = |sharing, contributors, expect: Result<(), SharesError>| {
        let division = Division { sharing, contributors, ..usual(Weight::ONE, &BOTH) };
        assert_eq!(shares(&division, &evidence).map(drop), expect);
    };
    let floor = Sharing { floor: Weight(1), ..Sharing::USUAL };
    check(Sharing::OF_POOLS, 0, Ok(()));
    check(floor, 8, Ok(()));
    check(floor, 7, Err(SharesError::Contributor(7)));
    check(floor, 0, Err(SharesError::Contributor(7)));
}

/// With the smallest weights and caps everything still goes somewhere.
#[test]
fn single_units() {
    let sharing = Sharing { floor: per_cent(50), cap: Weight(1), duplicates: Duplicates::Halving };
    for total in 1..40 {
        let whole = Division { sharing, contributors: 3, ..usual(Weight(total), &BOTH) };
        let divided = shares(&whole, &[retrieval(&[(0, 9), (1, 1)]), spans(&[1])]).unwrap();
        let (all, by_evidence) = amounts(&divided);
        assert_eq!(all.values().sum::<u32>(), total);
        assert!(!by_evidence.is_empty() && by_evidence.values().all(|amount| *amount == 1));
    }
}

fn rules() -> impl Strategy<Value = Sharing> {
    let cap = prop_oneof![1u32..=20, 1u32..=1_000_000_000, Just(1_000_000_000)];
    let floor = prop_oneof![Just(0), 0u32..=500_000_000];
    (0..3usize, floor, cap).prop_map(|(rule, floor, cap)| Sharing {
        duplicates: Duplicates::ALL[rule],
        floor: Weight(floor),
        cap: Weight(cap),
    })
}

fn holders() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let span = proptest::collection::vec(0u32..12, 1..9);
    proptest::collection::vec(span, 0..12)
}

proptest! {
    #[test]
    fn whatever_the_rules_everything_is_divided(
        total in prop_oneof![0u32..200, 0u32..=1_000_000_000],
        part in 0u32..=1_000_000_000,
        scores in proptest::collection::vec((0u32..12, 0u64..1 << 48), 0..20),
        holders in holders(),
        sharing in rules(),
        more in 0u32..5,
        call: [u8; 32],
    ) {
        let mix = [(Method::Retrieval, Weight(part)), (Method::VerbatimSpan, Weight(1_000_000_000 - part))];
        let contributors = 12 + more;
        let whole =
            Division { sharing, contributors, call: Digest(call), ..usual(Weight(total), &mix) };
        let evidence = [retrieval(&scores), copied(&holders)];
        let divided = shares(&whole, &evidence).unwrap();
        let (all, by_evidence) = amounts(&divided);
        let sum = weight::total(all.values().map(|amount| Weight(*amount)));
        let expect = if divided.shares.is_empty() { 0 } else { total };
        prop_assert_eq!(sum, Some(Weight(expect)));
        let cap = sharing.cap_of(Weight(total));
        prop_assert!(by_evidence.values().all(|amount| *amount <= cap.0));
        prop_assert!(divided.shares.is_sorted_by(|a, b| a.method < b.method));
        for share in &divided.shares {
            prop_assert!(share.weights.len() <= SHARE_CONTRIBUTORS_MAX);
            prop_assert!(!share.weights.is_empty());
            prop_assert!(share.weights.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert!(share.weights.iter().all(|(_, weight)| *weight > Weight::ZERO));
        }
        // What is left while somebody has less than the cap is the floor alone.
        let room = by_evidence.values().any(|amount| *amount < cap.0);
        let drawn = expect - by_evidence.values().sum::<u32>();
        prop_assert!(!room || drawn == sharing.floor_of(Weight(expect)).0);

        // The shares, and the evidence that they name, are enough to find the same.
        let named = |piece: &Evidence| divided.shares.iter().any(|s| s.evidence_root == piece.root());
        let mut kept: Vec<Evidence> =
            evidence.iter().chain(&divided.drawn).filter(|piece| named(piece)).cloned().collect();
        prop_assert_eq!(kept.len(), divided.shares.len());
        kept.reverse();
        let mut turned = mix;
        turned.reverse();
        let again = shares(&Division { mix: &turned, ..whole }, &kept);
        prop_assert_eq!(again, Ok(divided));
    }

    #[test]
    fn rules_that_say_nothing_change_nothing(
        scores in scores(), contributors in proptest::collection::vec(0u32..9, 0..12),
    ) {
        let evidence = [retrieval(&scores), spans(&contributors)];
        let before = divided(Weight::ONE, &BOTH, &evidence).unwrap();
        // Every span stands in one record alone: no rule for duplicates has anything to do.
        for duplicates in Duplicates::ALL {
            let sharing = Sharing { duplicates: *duplicates, ..Sharing::USUAL };
            let whole = Division { sharing, contributors: 0, ..usual(Weight::ONE, &BOTH) };
            let found = shares(&whole, &evidence).unwrap();
            prop_assert_eq!((found.shares, found.drawn), (before.clone(), None));
        }
    }
}
