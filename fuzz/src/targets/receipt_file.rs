//! Exported receipts as files: nothing but what the gateway wrote verifies.

use crate::{Reach, Target, sample};
use ambar_receipt::export::open;
use ambar_receipt::verify;

pub(super) const TARGET: Target = Target { name: "receipt_file", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    vec![sample::world().file()]
}

fn attempt(input: &[u8]) -> Reach {
    let world = sample::world();
    let report = verify(input, Some(&world.checkpoint(0)));
    // It is signed whole: one other byte, and the gateway has not said it.
    assert!(!report.ok || input == world.file(), "a file that nobody sealed verifies");
    let Ok(sealed) = open(input) else {
        assert!(!report.ok, "a file that does not open verifies");
        return Reach::Refused;
    };
    let again = sealed.document.encode();
    assert!(input.windows(again.len()).any(|window| window == again), "the document is inside");
    if report.ok { Reach::Used } else { Reach::Decoded }
}
