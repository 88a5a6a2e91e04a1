//! Evidence behind shares: whatever is accepted divides exactly.

use crate::{Reach, Target, promise};
use ambar_attribution::corpus_model::TOKEN;
use ambar_attribution::evidence::EVIDENCE_BYTES_MAX;
use ambar_attribution::{
    Attributor, CorpusModelEvidence, CorpusModelParameters, Division, Duplicates, Evidence,
    Sharing, Step, Tally, shares,
};
use ambar_base::weight::CLAIM_MAX;
use ambar_base::{Cid, Digest, Weight, weight};
use ambar_receipt::verify::fixture;

pub(super) const TARGET: Target = Target { name: "evidence", seeds, attempt };

const WHOLE: Weight = Weight(900_000_001);
const FLOOR: Weight = Weight(50_000_001);
const CAP: Weight = Weight(70_000_001);

fn seeds() -> Vec<Vec<u8>> {
    let drawn = fixture::divided(Digest::of(b"call")).drawn;
    fixture::evidence().iter().chain(&drawn).chain([&words()]).map(Evidence::encode).collect()
}

/// Two words of the corpus model, the second of which nobody has.
fn words() -> Evidence {
    let step = |context_words, context_count, word_count| Step {
        context_words,
        context_count,
        word_count,
    };
    let tally = |contributor, credit| Tally { contributor, credit };
    Evidence::CorpusModel(CorpusModelEvidence {
        corpus: Digest::of(b"corpus"),
        together: Digest::of(b"together"),
        corpus_bytes: 1 << 20,
        prompt: Digest::of(b"prompt"),
        output: Digest::of(b"output"),
        parameters: CorpusModelParameters::default(),
        steps: vec![step(1, 9, 3), step(2, 3, 0)],
        tallies: vec![tally(2, TOKEN / 2), tally(5, TOKEN / 4)],
        unlisted: 0,
        elsewhere: TOKEN / 4,
    })
}

fn attempt(input: &[u8]) -> Reach {
    let decoded = promise::document(input, EVIDENCE_BYTES_MAX, Evidence::decode, Evidence::encode);
    let Some(evidence) = decoded else { return Reach::Refused };
    let claims = evidence.claims();
    assert!(claims.is_sorted_by(|a, b| a.contributor < b.contributor), "one claim each");
    assert!(claims.iter().all(|claim| claim.raw <= CLAIM_MAX), "a claim within the limit");
    let mix = [(evidence.method(), Weight::ONE)];
    let (call, datanet) = (Digest::of(b"call"), Cid::of(b"datanet"));
    let capped =
        |duplicates: &Duplicates| Sharing { duplicates: *duplicates, floor: FLOOR, cap: CAP };
    let rules = Duplicates::ALL.iter().map(capped).chain([Sharing::USUAL]);
    let mut reach = Reach::Decoded;
    for sharing in rules {
        let (total, contributors) = (WHOLE, u32::MAX);
        let division = Division { total, mix: &mix, sharing, contributors, call, datanet };
        let Ok(found) = shares(&division, std::slice::from_ref(&evidence)) else { continue };
        let weights = found.shares.iter().flat_map(|shares| &shares.weights);
        let sum = weight::total(weights.map(|(_, weight)| *weight));
        assert!(found.shares.is_empty() || sum == Some(WHOLE), "shares sum to the whole: {sum:?}");
        reach = Reach::Used;
    }
    reach
}
