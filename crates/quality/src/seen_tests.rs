use super::*;
use crate::fold::Folded;
use crate::shingles::Shingles;
use ambar_base::Encode;
use ambar_base::codec::{DecodeError, decode};
use proptest::prelude::*;

fn print(text: &str) -> Print {
    Print::of(text.as_bytes(), &Shingles::of(&Folded::of(text)))
}

/// Words from a seed: two texts of different seeds share next to nothing.
fn text(seed: u32, words: u32) -> String {
    let word = |at: u32| format!("w{} ", (seed ^ at.wrapping_mul(0x9e37_79b9)) % 9973);
    (0..words).map(word).collect()
}

fn index(texts: &[(u32, String)]) -> Seen {
    let mut seen = Seen::default();
    texts.iter().for_each(|(number, text)| seen.add(*number, print(text)).unwrap());
    seen
}

#[test]
fn exact_near_and_far() {
    let (one, two) = (text(1, 300), text(77_777, 300));
    let seen = index(&[(7, one.clone()), (3, one.clone()), (5, two.clone())]);
    assert_eq!(seen.exact(&print(&one).digest), Some(3), "the lowest number");
    assert_eq!(seen.exact(&print("else").digest), None);
    assert_eq!(seen.nearest(&print(&two)), Some(Match { of: 5, per_mille: 1000 }));
    let near =
        seen.nearest(&print(&format!("{one} and ten more words than it had before, indeed")));
    assert!(near.is_some_and(|near| near.of == 3 && near.per_mille > 850), "{near:?}");
    assert!(seen.nearest(&print(&text(5, 300))).is_none_or(|near| near.per_mille < 100));
    assert_eq!(index(&[(1, "...".into())]).nearest(&print("---")), None, "no words");
}

#[test]
fn parts_are_found_both_ways() {
    let whole = text(1, 1000);
    let part = whole.split(' ').skip(300).take(300).collect::<Vec<_>>().join(" ");
    let (in_it, _) = index(&[(4, whole.clone())]).overlaps(&print(&part));
    assert!(in_it.is_some_and(|found| found.of == 4 && found.per_mille > 900), "{in_it:?}");
    let (_, of_it) = index(&[(9, part)]).overlaps(&print(&whole));
    assert!(of_it.is_some_and(|found| found.of == 9 && found.per_mille > 900), "{of_it:?}");
    assert_eq!(index(&[(4, whole)]).overlaps(&print(&text(5, 300))), (None, None));
}

#[test]
fn numbers_are_taken_once() {
    let mut seen = index(&[(1, text(1, 50))]);
    assert_eq!(seen.add(1, print("other")), Err(SeenError::Taken(1)));
    assert_eq!(seen.remove(2), None);
    assert_eq!(seen.remove(1), Some(print(&text(1, 50))));
    assert_eq!(seen, Seen::default());
}

#[test]
fn other_spellings_are_refused() {
    let seen = index(&[(1, text(1, 50)), (2, text(2, 8)), (3, "..".into())]);
    let bytes = seen.to_bytes();
    assert_eq!(decode::<Seen>(&bytes).unwrap(), seen);
    let mut other = bytes.clone();
    other[0] += 1;
    assert!(matches!(decode::<Seen>(&other), Err(DecodeError::Rule(_))));
    let mut turned = bytes;
    turned[2] = 2;
    assert_eq!(decode::<Seen>(&turned), Err(DecodeError::Rule("records ascend strictly")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_index_is_a_set(mut words in prop::collection::vec(0_u32..90, 2..9), at in 0_usize..9) {
        words.dedup();
        let texts: Vec<_> = (0..).zip(&words).map(|(n, words)| (n, text(words / 3, *words))).collect();
        let seen = index(&texts);
        let mut turned = texts.clone();
        turned.rotate_left(at % texts.len());
        prop_assert_eq!(index(&turned).to_bytes(), seen.to_bytes());
        prop_assert_eq!(decode::<Seen>(&seen.to_bytes()).unwrap(), seen.clone());
        let mut more = seen.clone();
        more.add(99, print(&text(5, 60))).unwrap();
        prop_assert_ne!(more.to_bytes(), seen.to_bytes());
        more.remove(99);
        prop_assert_eq!(&more, &seen);
        prop_assert_eq!(more.to_bytes(), seen.to_bytes());
    }
}
