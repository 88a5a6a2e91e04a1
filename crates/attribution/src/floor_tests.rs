use super::*;
use proptest::prelude::*;

fn draw(call: &[u8], contributors: u32, full: &[u32]) -> FloorEvidence {
    let full = full.iter().copied().collect();
    let (call, datanet) = (Digest::of(call), Cid::of(b"datanet"));
    FloorEvidence::draw(call, datanet, contributors, true, &full).unwrap()
}

pub(crate) fn sample() -> FloorEvidence {
    draw(b"call", 9, &[2, 5])
}

#[test]
fn accepted_is_what_the_numbers_draw() {
    assert_eq!(sample().check(), Ok(()));
    let check = |change: &dyn Fn(&mut FloorEvidence), word: &str| {
        let mut evidence = sample();
        change(&mut evidence);
        let error = evidence.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    check(&|e| e.floor = e.floor.map(|drawn| (drawn + 1) % 9), "names another");
    check(&|e| e.beyond = Some(2), "names another");
    check(&|e| e.beyond = None, "names another");
    check(&|e| e.full.clear(), "names another");
    check(&|e| e.contributors = 10, "names another");
    check(&|e| e.full.reverse(), "ascend");
    check(&|e| e.full.push(9), "contributors");
    check(&|e| (e.floor, e.beyond) = (None, None), "somebody");
    check(&|e| (e.contributors, e.full) = (0, Vec::new()), "names another");
}

#[test]
fn claims_name_whoever_was_drawn_once() {
    let both = draw(b"call", 1, &[0]);
    assert_eq!((both.floor, both.beyond), (Some(0), Some(0)), "there is nobody else");
    assert_eq!(both.claims(), [Claim { contributor: 0, raw: 1 }]);
}

/// How often each of twenty contributors is drawn in many calls, and χ² over those who may be.
fn drawn_often(full: &[u32], drawn: fn(&FloorEvidence) -> Option<u32>) -> ([u32; 20], f64) {
    const CALLS: u32 = 40_000;
    let mut counts = [0_u32; 20];
    for call in 0..CALLS {
        counts[drawn(&draw(&call.to_be_bytes(), 20, full)).unwrap() as usize] += 1;
    }
    let expect = f64::from(CALLS) / (20 - full.len()) as f64;
    let others = (0..20).filter(|who| !full.contains(who)).map(|who| counts[who as usize]);
    (counts, others.map(|count| (f64::from(count) - expect).powi(2) / expect).sum())
}

/// A fair draw exceeds 43.8 with nineteen degrees of freedom, and 37.7 with fifteen, once in a
/// thousand times. The calls are always the same.
#[test]
fn over_many_calls_everybody_gets_the_same() {
    let (_, chi_squared) = drawn_often(&[], |evidence| evidence.floor);
    assert!(chi_squared < 43.8, "{chi_squared}");
    let full = [0, 3, 4, 19];
    let (counts, chi_squared) = drawn_often(&full, |evidence| evidence.beyond);
    assert!(chi_squared < 37.7, "{chi_squared}");
    assert!(full.iter().all(|who| counts[*who as usize] == 0), "{counts:?}");
    let (_, chi_squared) = drawn_often(&full, |evidence| evidence.floor);
    assert!(chi_squared > 43.8, "the floor is for those who have the cap, too: {chi_squared}");
}

proptest! {
    #[test]
    fn who_has_the_cap_is_passed_over_while_there_is_anybody_else(
        contributors in 1u32..60,
        full in proptest::collection::btree_set(0u32..60, 1..40),
        call: [u8; 32],
    ) {
        let full: BTreeSet<u32> = full.into_iter().filter(|who| *who < contributors).collect();
        let evidence =
            FloorEvidence::draw(Digest(call), Cid::of(b"datanet"), contributors, false, &full);
        let evidence = evidence.unwrap();
        prop_assert_eq!(evidence.floor, None);
        match evidence.beyond {
            None => prop_assert!(full.is_empty()),
            Some(drawn) => {
                prop_assert!(drawn < contributors);
                prop_assert_eq!(evidence.check(), Ok(()));
                let everybody = full.len() == contributors as usize;
                prop_assert!(everybody || !full.contains(&drawn));
            }
        }
    }
}
