use super::*;
use crate::retrieval::{Passage, RetrievalEvidence, RetrievalParameters};
use crate::span::{Occurrence, Span, SpanEvidence, SpanParameters};
use ambar_base::codec::{Encode, decode};
use proptest::prelude::*;

const HALF: Weight = Weight(500_000_000);
const BOTH: [(Method, Weight); 2] = [(Method::Retrieval, HALF), (Method::VerbatimSpan, HALF)];

fn retrieval(scores: &[(u32, u64)]) -> Evidence {
    let passage = |(i, &(contributor, score)): (usize, &(u32, u64))| Passage {
        document: i as u32,
        contributor,
        start: 0,
        end: 10,
        score,
    };
    Evidence::Retrieval(RetrievalEvidence {
        corpus: Digest::of(b"corpus"),
        query: Digest::of(b"query"),
        parameters: RetrievalParameters::default(),
        passages: scores.iter().enumerate().map(passage).collect(),
    })
}

fn spans(contributors: &[u32]) -> Evidence {
    let alone: Vec<_> = contributors.iter().map(|contributor| vec![*contributor]).collect();
    copied(&alone)
}

/// A span for each list of contributors whose records hold it, in the order of registration.
fn copied(holders: &[Vec<u32>]) -> Evidence {
    let at = |(document, contributor): (usize, &u32)| {
        let document = document as u32;
        Occurrence { document, contributor: *contributor, offset: 0 }
    };
    let span = |(i, holders): (usize, &Vec<u32>)| Span {
        start: 40 * i as u32,
        end: 40 * i as u32 + 30,
        count: holders.len() as u32,
        occurrences: holders.iter().enumerate().map(at).collect(),
    };
    Evidence::VerbatimSpan(SpanEvidence {
        corpus: Digest::of(b"corpus"),
        corpus_bytes: 1 << 20,
        output: Digest::of(b"output"),
        parameters: SpanParameters::default(),
        spans: holders.iter().enumerate().map(span).collect(),
    })
}

/// Under the rules that hold where nothing is said.
fn usual<'a>(total: Weight, mix: &'a [(Method, Weight)]) -> Division<'a> {
    let (call, datanet) = (Digest::of(b"call"), Cid::of(b"datanet"));
    Division { total, mix, sharing: Sharing::USUAL, contributors: 200, call, datanet }
}

fn divided(
    total: Weight,
    mix: &[(Method, Weight)],
    evidence: &[Evidence],
) -> Result<Vec<MethodShares>, SharesError> {
    shares(&usual(total, mix), evidence).map(|divided| divided.shares)
}

fn weights(shares: &[MethodShares]) -> Vec<(Method, Vec<(u32, u32)>)> {
    let plain = |share: &MethodShares| share.weights.iter().map(|(c, w)| (*c, w.0)).collect();
    shares.iter().map(|share| (share.method, plain(share))).collect()
}

#[test]
fn the_mix_divides_and_nothing_found_passes_on() {
    use Method::{Retrieval, VerbatimSpan};
    let check = |total, evidence: &[Evidence], expect: &[(Method, Vec<(u32, u32)>)]| {
        assert_eq!(weights(&divided(Weight(total), &BOTH, evidence).unwrap()), expect);
    };
    let (found, nothing) = (retrieval(&[(3, 300), (1, 100)]), retrieval(&[]));
    let both = [(Retrieval, vec![(1, 100), (3, 300)]), (VerbatimSpan, vec![(9, 400)])];
    check(800, &[found.clone(), spans(&[9])], &both);
    check(800, &[spans(&[9]), found.clone()], &both);
    check(800, std::slice::from_ref(&found), &[(Retrieval, vec![(1, 200), (3, 600)])]);
    check(800, &[nothing.clone(), spans(&[9])], &[(VerbatimSpan, vec![(9, 800)])]);
    check(800, &[nothing, spans(&[])], &[]);
    check(800, &[], &[]);
    check(0, &[found], &[]);
}

#[test]
fn the_last_unit_goes_to_somebody() {
    let all = divided(Weight(1), &BOTH, &[retrieval(&[(0, 1), (1, 1), (2, 1)]), spans(&[5])]);
    let weights: Vec<_> = all.unwrap().into_iter().flat_map(|share| share.weights).collect();
    assert!(matches!(weights[..], [(_, Weight(1))]), "{weights:?}");
}

#[test]
fn refuses_ambiguous_input() {
    let (retrieval, one) = (retrieval(&[(0, 1)]), [(Method::Retrieval, Weight::ONE)]);
    let check = |mix: &[_], evidence: &[Evidence], expect| {
        assert_eq!(divided(Weight::ONE, mix, evidence), Err(expect));
    };
    check(&[one[0], one[0]], &[], SharesError::MixRepeats(Method::Retrieval));
    check(&one, &[spans(&[1])], SharesError::NotInMix(Method::VerbatimSpan));
    let twice = [retrieval.clone(), retrieval];
    check(&one, &twice, SharesError::EvidenceRepeats(Method::Retrieval));
    let floor = [one[0], (Method::CommonFloor, HALF)];
    check(&floor, &[], SharesError::FloorInMix);
    let sharing = Sharing { cap: Weight::ZERO, ..Sharing::USUAL };
    let unsound = Division { sharing, ..usual(Weight::ONE, &one) };
    assert_eq!(shares(&unsound, &[]), Err(SharesError::Sharing(SharingError::Cap)));
}

#[test]
fn the_largest_claims_are_kept() {
    let scores: Vec<(u32, u64)> = (0..100).map(|i| (i, 1_000 + u64::from(i))).collect();
    let shares = divided(Weight::ONE, &BOTH, &[retrieval(&scores)]).unwrap();
    let kept: Vec<u32> = shares[0].weights.iter().map(|(contributor, _)| *contributor).collect();
    assert_eq!(kept, (36..100).collect::<Vec<u32>>());
}

fn scores() -> impl Strategy<Value = Vec<(u32, u64)>> {
    proptest::collection::vec((0u32..200, 0u64..1 << 48), 0..120)
}

proptest! {
    #[test]
    fn weights_sum_exactly_and_ignore_order(
        total in 0u32..=1_000_000_000,
        part in 0u32..=1_000_000_000,
        scores in scores(),
        contributors in proptest::collection::vec(0u32..9, 0..12),
        call: [u8; 32],
    ) {
        let mix = [(Method::Retrieval, Weight(part)), (Method::VerbatimSpan, Weight(1_000_000_000 - part))];
        let whole = Division { call: Digest(call), ..usual(Weight(total), &mix) };
        let evidence = [retrieval(&scores), spans(&contributors)];
        let Divided { shares: all, drawn } = shares(&whole, &evidence).unwrap();
        prop_assert_eq!(drawn, None);
        let sum: u32 = all.iter().flat_map(|share| &share.weights).map(|(_, weight)| weight.0).sum();
        prop_assert_eq!(sum, if all.is_empty() { 0 } else { total });
        let one_found = part > 0 && scores.iter().any(|(_, score)| *score > 0);
        let other_found = part < 1_000_000_000 && !contributors.is_empty();
        prop_assert_eq!(all.is_empty(), total == 0 || !(one_found || other_found));
        for share in &all {
            prop_assert!(share.weights.len() <= SHARE_CONTRIBUTORS_MAX);
            prop_assert!(share.weights.is_sorted_by(|a, b| a.0 < b.0));
            prop_assert!(share.weights.iter().all(|(_, weight)| *weight > Weight::ZERO));
            prop_assert_eq!(&decode::<MethodShares>(&share.to_bytes()), &Ok(share.clone()));
        }
        let (mut turned, mut evidence) = (mix, evidence);
        turned.reverse();
        evidence.reverse();
        let again = shares(&Division { mix: &turned, ..whole }, &evidence).unwrap();
        prop_assert_eq!(again.shares, all);
    }

    #[test]
    fn passages_in_another_order_give_the_same_weights(
        scores in scores(), rotate in 0usize..120,
    ) {
        let mut turned = scores.clone();
        turned.rotate_left(rotate % scores.len().max(1));
        let plain = |scores: &[(u32, u64)]| {
            weights(&divided(Weight::ONE, &BOTH, &[retrieval(scores)]).unwrap())
        };
        prop_assert_eq!(plain(&scores), plain(&turned));
    }
}

#[path = "rules_tests.rs"]
mod rules;
