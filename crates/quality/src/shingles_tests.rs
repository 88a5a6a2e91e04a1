use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn shingles(text: &str) -> Shingles {
    Shingles::of(&Folded::of(text))
}

fn print(text: &str) -> Print {
    Print::of(text.as_bytes(), &shingles(text))
}

fn set(hashes: &BTreeSet<u64>) -> Print {
    let distinct: Vec<_> = hashes.iter().map(|hash| (mix(*hash), 0)).collect();
    let mut shingles = Shingles { total: distinct.len(), distinct };
    shingles.distinct.sort_unstable();
    Print::of(b"", &shingles)
}

#[test]
fn shingles_are_five_words() {
    let check = |text: &str, distinct: usize, total: usize| {
        let found = shingles(text);
        assert_eq!((found.distinct.len(), found.total), (distinct, total), "{text}");
    };
    check("", 0, 0);
    check("...", 0, 0);
    check("one", 1, 1);
    check("one two three four five", 1, 1);
    check("one two three four five six", 2, 2);
    check(&"one two ".repeat(10), 2, 16);
    assert_ne!(shingles("one two").distinct, shingles("two one").distinct);
}

#[test]
fn a_shingle_is_the_same_wherever_it_stands() {
    let alone = shingles("four score and seven years").distinct[0].0;
    let text = "It was four score and seven years ago, and four score and seven years more.";
    let found = shingles(text);
    let (_, at) = found.distinct.iter().find(|(hash, _)| *hash == alone).unwrap();
    assert_eq!(*at, 7);
}

#[test]
fn form_does_not_count() {
    let plain = print("Four score and seven years ago our fathers");
    let other = print("FOUR SCORE — and seven\u{200b} years аgo: our fathers!");
    assert_eq!(plain.resemblance(&other), 1000);
    assert_ne!(plain.digest, other.digest);
    assert_eq!(print("").resemblance(&print("...")), 0);
}

/// Bytes of another version of the checks would find other records.
#[test]
fn prints_are_pinned() {
    let print = print("Four score and seven years ago our fathers brought forth");
    let bytes: Vec<u8> = print.signature.iter().flat_map(|row| row.to_be_bytes()).collect();
    let sketch: Vec<u8> = print.sketch.iter().flat_map(|hash| hash.to_be_bytes()).collect();
    let digest = Digest::of_parts(&[&bytes, &sketch]).to_string();
    assert_eq!(digest, "0a411114d8c9bbb8f106dce8a91e88d41f3d72cabd7518b61ec5fe4e21e63bef");
}

proptest! {
    /// Six standard errors, and never more than 26 per cent.
    #[test]
    fn the_estimate_is_near_the_exact_index(
        common in prop::collection::btree_set(any::<u64>(), 1..400),
        left in prop::collection::btree_set(any::<u64>(), 0..300),
        right in prop::collection::btree_set(any::<u64>(), 0..300),
    ) {
        let one: BTreeSet<u64> = common.union(&left).copied().collect();
        let two: BTreeSet<u64> = common.union(&right).copied().collect();
        let exact = one.intersection(&two).count() * 1000 / one.union(&two).count();
        let estimate = set(&one).resemblance(&set(&two)) as usize;
        // Six times √(J(1−J)/128), in integers, and a row for what rounds away.
        let bound = 6 * (exact * (1000 - exact) / SIGNATURE_ROWS).isqrt() + 16;
        prop_assert!(exact.abs_diff(estimate) <= bound, "{exact} {estimate}");
    }

    #[test]
    fn what_is_within_is_found_within(
        some in prop::collection::btree_set(any::<u64>(), 64..400),
        more in prop::collection::btree_set(any::<u64>(), 0..400),
    ) {
        let both: BTreeSet<u64> = some.union(&more).copied().collect();
        let (share, of) = set(&some).within(&set(&both));
        prop_assert_eq!(share, 1000);
        prop_assert!(of > 0);
    }
}
