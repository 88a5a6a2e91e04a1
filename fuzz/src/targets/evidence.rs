//! Evidence behind shares: whatever is accepted divides exactly.

use crate::{Reach, Target, promise};
use ambar_attribution::evidence::EVIDENCE_BYTES_MAX;
use ambar_attribution::{Attributor, Evidence, shares};
use ambar_base::weight::CLAIM_MAX;
use ambar_base::{Cid, Digest, Weight, weight};
use ambar_receipt::verify::fixture;

pub(super) const TARGET: Target = Target { name: "evidence", seeds, attempt };

const WHOLE: Weight = Weight(900_000_001);

fn seeds() -> Vec<Vec<u8>> {
    fixture::evidence().iter().map(Evidence::encode).collect()
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(input, EVIDENCE_BYTES_MAX, Evidence::decode, Evidence::encode);
    let Some(evidence) = decoded else { return Reach::Refused };
    let claims = evidence.claims();
    assert!(claims.is_sorted_by(|a, b| a.contributor < b.contributor), "one claim each");
    assert!(claims.iter().all(|claim| claim.raw <= CLAIM_MAX), "a claim within the limit");
    let mix = [(evidence.method(), Weight::ONE)];
    let (call, datanet) = (Digest::of(b"call"), Cid::of(b"datanet"));
    let Ok(found) = shares(WHOLE, &mix, &[evidence], call, datanet) else {
        return Reach::Decoded;
    };
    let weights = found.iter().flat_map(|shares| &shares.weights).map(|(_, weight)| *weight);
    let sum = weight::total(weights);
    assert!(found.is_empty() || sum == Some(WHOLE), "shares sum to the whole: {sum:?}");
    Reach::Used
}
