//! What the ledger attests, as receipts and the state carry it.

use crate::{Reach, Target, promise, sample};
use ambar_base::{Encode, Height};
use ambar_receipt::Fact;

pub(super) const TARGET: Target = Target { name: "fact", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    sample::world().facts.iter().map(Encode::to_bytes).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(fact) = promise::compact::<Fact>(input) else { return Reach::Refused };
    let _ = fact.subject().to_string();
    let heights = [0, 1, 700, u64::MAX].map(Height);
    if heights.into_iter().any(|height| fact.holds(height)) { Reach::Used } else { Reach::Decoded }
}
