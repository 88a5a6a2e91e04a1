use super::*;
use crate::logarithm::UNIT;
use ambar_base::weight::CLAIM_MAX;
use proptest::prelude::*;

fn span(start: u32, end: u32, count: u32, documents: &[(u32, u32)]) -> Span {
    let at =
        |&(document, contributor): &(u32, u32)| Occurrence { document, contributor, offset: 9 };
    Span { start, end, count, occurrences: documents.iter().map(at).collect() }
}

fn evidence(spans: Vec<Span>) -> SpanEvidence {
    SpanEvidence {
        corpus: Digest::of(b"corpus"),
        corpus_bytes: 1 << 20,
        output: Digest::of(b"output"),
        parameters: SpanParameters::default(),
        spans,
    }
}

pub(crate) fn sample() -> SpanEvidence {
    evidence(vec![span(0, 40, 1, &[(3, 0)]), span(50, 80, 4, &[(1, 1), (3, 0), (9, 1)])])
}

#[test]
fn worth_is_length_times_rarity_over_documents() {
    // 40 bytes × 20 bits for contributor 0, 30 × 18 over three documents.
    let unit = u128::from(UNIT) << SPLIT_BITS;
    let third = 30 * 18 * unit / 3;
    let expect = [(0, 800 * unit + third), (1, 2 * third)];
    let expect = expect.map(|(contributor, raw)| Claim { contributor, raw });
    assert_eq!(sample().claims(), expect);
    assert_eq!(sample().check(), Ok(()));
}

#[test]
fn each_byte_is_paid_once() {
    let check = |spans: &[(u32, u32, u32)], expect: &[u32]| {
        let spans = spans.iter().map(|&(start, end, count)| span(start, end, count, &[(0, 0)]));
        assert_eq!(evidence(spans.collect()).paid_bytes(), expect);
    };
    check(&[], &[]);
    check(&[(0, 30, 1), (30, 60, 1)], &[30, 30]);
    check(&[(0, 30, 1), (20, 60, 1)], &[20, 40]);
    // Equal lengths: the rarer, then the earlier.
    check(&[(0, 30, 5), (20, 50, 1)], &[20, 30]);
    check(&[(0, 30, 1), (20, 50, 1)], &[30, 20]);
    // The middle one is covered on both sides by longer ones.
    check(&[(0, 40, 1), (30, 60, 1), (50, 90, 1)], &[40, 10, 40]);
}

#[test]
fn refuses_what_no_trace_gives() {
    let check = |change: &dyn Fn(&mut SpanEvidence), word: &str| {
        let mut evidence = sample();
        change(&mut evidence);
        let error = evidence.check().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    check(&|e| e.spans.swap(0, 1), "ascend");
    check(&|e| e.spans[1].end = 40, "within another");
    check(&|e| e.spans[0].end = 23, "span_bytes_min");
    check(&|e| e.spans[1].end = OUTPUT_BYTES_MAX + 1, "longest answer");
    check(&|e| e.spans[0].count = 0, "within the limits");
    check(&|e| e.spans[0].count = 1_001, "within the limits");
    check(&|e| e.spans[0].occurrences.clear(), "within the limits");
    check(&|e| e.spans[1].count = 2, "within the limits");
    check(&|e| e.spans[1].occurrences.swap(0, 1), "by document");
    check(&|e| e.corpus_bytes = 3, "per byte");
    check(&|e| e.parameters.spans_max = 1, "at most spans_max");
    check(&|e| e.parameters.occurrences_max = 17, "1 to 16");
}

proptest! {
    #[test]
    fn paid_bytes_are_the_covered_bytes(steps in proptest::collection::vec((1u32..40, 1u32..40, 1u32..9), 1..30)) {
        let (mut start, mut end) = (0, 24);
        let spans: Vec<Span> = steps.iter().map(|&(from, to, count)| {
            start += from;
            end = (end + to).max(start + 24);
            span(start, end, count, &[(0, 0)])
        }).collect();
        let covered = (0..end).filter(|at| spans.iter().any(|s| s.start <= *at && *at < s.end)).count();
        let evidence = evidence(spans);
        prop_assert_eq!(evidence.check(), Ok(()));
        prop_assert_eq!(evidence.paid_bytes().iter().sum::<u32>() as usize, covered);
    }

    #[test]
    fn claims_stay_within_the_arithmetic(bytes: u64, count in 1u32..=COUNT_MAX) {
        let mut evidence = evidence(vec![span(0, OUTPUT_BYTES_MAX, count, &[(0, 0)])]);
        evidence.corpus_bytes = bytes;
        prop_assert!(evidence.claims().iter().all(|claim| claim.raw <= CLAIM_MAX));
    }
}
