use super::*;
use crate::error::RecordFault;
use crate::progress::Stage;
use crate::record::Document;
use crate::words::{ends_word, words};
use ambar_attribution::Span;
use ambar_base::{Coded, ErrorCode};
use proptest::prelude::*;
use tempfile::TempDir;

const PASSAGES: RetrievalParameters = RetrievalParameters {
    passages_max: 3,
    per_document_max: 1,
    context_bytes_max: 2_000,
    floor_thousandths: 0,
    k1_thousandths: 1_200,
    b_thousandths: 750,
};

fn built(texts: &[&str]) -> (TempDir, Corpus) {
    let directory = tempfile::tempdir().unwrap();
    let corpus = Corpus::build(directory.path(), documents(texts), &mut |_| ()).unwrap();
    (directory, corpus)
}

fn documents(texts: &[&str]) -> Vec<Document> {
    let document = |(i, text): (usize, &&str)| Document {
        title: format!("record {i}"),
        contributor: 10 + i as u32 % 3,
        text: text.as_bytes().to_vec(),
    };
    texts.iter().enumerate().map(document).collect()
}

const WAR: &str = "The war with Mexico began upon the Rio Grande. Our army crossed the river.";
const BANK: &str = "The bank of the people failed. Every bank closed its doors on Monday.";
const PEACE: &str = "Peace with Mexico was made at Guadalupe Hidalgo, and the army came home.";

fn answered(answer: &str) -> Said<'_> {
    Said { question: "", answer: answer.as_bytes() }
}

#[test]
fn a_corpus_survives_its_builder() {
    let (directory, corpus) = built(&[WAR, BANK, PEACE]);
    let reopened = Corpus::open(directory.path()).unwrap();
    assert_eq!(reopened.root(), corpus.root());
    assert_eq!(reopened.documents(), 3);
    let one = DocumentView { title: "record 1", contributor: 11, bytes: BANK.len() as u32 };
    assert_eq!(reopened.document(1), Some(one));
    assert_eq!((reopened.document(3), reopened.segments()), (None, 1));
    assert_eq!(reopened.text_bytes() as usize, WAR.len() + BANK.len() + PEACE.len());
    assert_eq!(reopened.text(1, 4, 8).unwrap(), "bank");
    assert_eq!(reopened.text(1, 0, BANK.len() as u32).unwrap(), BANK);
    for (document, start, end) in [(3, 0, 1), (1, 0, 999), (1, 5, 4), (u32::MAX, 0, 0)] {
        let error = reopened.text(document, start, end).unwrap_err();
        assert!(matches!(error, CorpusError::NoSuchText { .. }), "{error}");
    }
}

#[test]
fn the_root_names_records_in_order() {
    let (_one, forward) = built(&[WAR, BANK]);
    let (_two, backward) = built(&[BANK, WAR]);
    let (_three, again) = built(&[WAR, BANK]);
    assert_ne!(forward.root(), backward.root());
    assert_eq!(forward.root(), again.root());
}

#[test]
fn refused_records_are_named() {
    let check = |texts: &[&[u8]], code, expect: &str| {
        let directory = tempfile::tempdir().unwrap();
        let documents = texts.iter().enumerate().map(|(i, text)| Document {
            title: format!("r{}", i % 2),
            contributor: 0,
            text: text.to_vec(),
        });
        let error = Corpus::build(directory.path(), documents, &mut |_| ()).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, expect));
        assert!(Corpus::open(directory.path()).is_err());
    };
    check(&[], ErrorCode::DatasetEmpty, "a corpus needs at least one record");
    check(&[b"a", b" "], ErrorCode::DatasetEmpty, "record \"r1\" is refused: it is empty");
    let not_utf8 = "record \"r1\" is refused: it is not UTF-8 text (at byte 1)";
    check(&[b"a", b"b\xff"], ErrorCode::RequestInvalid, not_utf8);
    let repeats = format!("record \"r0\" is refused: {}", RecordFault::TitleRepeats);
    check(&[b"a", b"b", b"c"], ErrorCode::RequestInvalid, &repeats);
}

#[test]
fn a_failed_build_keeps_the_old_corpus() {
    let (directory, corpus) = built(&[WAR]);
    assert!(Corpus::build(directory.path(), documents(&[BANK, ""]), &mut |_| ()).is_err());
    assert_eq!(Corpus::open(directory.path()).unwrap().root(), corpus.root());
    let new = Corpus::build(directory.path(), documents(&[BANK]), &mut |_| ()).unwrap();
    assert_ne!(new.root(), corpus.root());
    assert_eq!(Corpus::open(directory.path()).unwrap().root(), new.root());
}

#[test]
fn a_missing_corpus_is_not_a_damaged_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = Corpus::open(&directory.path().join("nothing")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
}

#[test]
fn progress_goes_through_the_stages() {
    let (directory, mut seen) = (tempfile::tempdir().unwrap(), Vec::new());
    let mut note = |progress| seen.push(progress);
    Corpus::build(directory.path(), documents(&[WAR, BANK]), &mut note).unwrap();
    assert!(seen.is_sorted_by_key(|progress| (progress.stage, progress.bytes)));
    let stages: Vec<Stage> = seen.iter().map(|progress| progress.stage).collect();
    for stage in [Stage::Records, Stage::Suffixes, Stage::Passages, Stage::Writing] {
        assert!(stages.contains(&stage), "{stage:?}");
    }
}

#[test]
fn questions_find_their_passages() {
    let (_directory, corpus) = built(&[WAR, BANK, PEACE]);
    let check = |query: &str, expect: &[u32]| {
        let (evidence, texts) = corpus.retrieve(query.as_bytes(), Digest::ZERO, &PASSAGES).unwrap();
        let found: Vec<u32> = evidence.passages.iter().map(|passage| passage.document).collect();
        assert_eq!(found, expect, "{query}");
        assert_eq!(evidence.check(), Ok(()));
        assert!(texts.iter().zip(&found).all(|(text, d)| *text == [WAR, BANK, PEACE][*d as usize]));
        let evidence = Evidence::Retrieval(evidence);
        assert_eq!(Evidence::decode(&evidence.encode()).as_ref(), Ok(&evidence));
        assert!(corpus.confirms(&evidence, Said { question: query, answer: b"" }).unwrap());
    };
    check("Why did the bank close?", &[1]);
    check("the war with Mexico", &[0, 2]);
    check("Hidalgo and Mexico", &[2, 0]);
    check("unknown words", &[]);
    check("", &[]);
}

#[test]
fn equal_scores_go_by_position() {
    let (_directory, corpus) = built(&[BANK, BANK, BANK, BANK]);
    let (evidence, _) = corpus.retrieve(b"bank", Digest::ZERO, &PASSAGES).unwrap();
    let found: Vec<u32> = evidence.passages.iter().map(|passage| passage.document).collect();
    assert_eq!(found, [0, 1, 2]);
}

#[test]
fn spans_are_whole_words() {
    let (_directory, corpus) = built(&[WAR, BANK, PEACE]);
    let parameters = SpanParameters { span_bytes_min: 8, ..Default::default() };
    let check = |output: &str, expect: &[(&str, u32, &[u32])]| {
        let evidence = corpus.trace(output.as_bytes(), Digest::ZERO, &parameters).unwrap();
        let plain = |span: &Span| {
            let documents: Vec<u32> = span.occurrences.iter().map(|o| o.document).collect();
            (output[span.start as usize..span.end as usize].to_owned(), span.count, documents)
        };
        let found: Vec<_> = evidence.spans.iter().map(plain).collect();
        let expect: Vec<_> =
            expect.iter().map(|(text, n, d)| (text.to_string(), *n, d.to_vec())).collect();
        assert_eq!(found, expect, "{output}");
        assert_eq!(evidence.check(), Ok(()));
        assert!(corpus.confirms(&Evidence::VerbatimSpan(evidence), answered(output)).unwrap());
    };
    check("He said: our army crossed", &[("army crossed", 1, &[0])]);
    check("with Mexico", &[("with Mexico", 2, &[0, 2])]);
    // "of the people" stands there, "of the peopl" does not, as words.
    check("of the peopl", &[]);
    check("of the peopl failed", &[]);
    check("bank of the peoples", &[("bank of the", 1, &[1])]);
    // No match across documents.
    check(
        "crossed the river. The bank of",
        &[("crossed the river", 1, &[0]), ("The bank of", 1, &[1])],
    );
    check(
        "crossed the river.\0The bank of",
        &[("crossed the river", 1, &[0]), ("The bank of", 1, &[1])],
    );
    check("", &[]);
}

/// Evidence is signed into receipts and recomputed by others: a change here is a new
/// version of a method.
#[test]
fn evidence_is_pinned() {
    let (_directory, corpus) = built(&[WAR, BANK, PEACE]);
    let (passages, _) =
        corpus.retrieve(b"Why did the war with Mexico end?", Digest::ZERO, &PASSAGES).unwrap();
    let scores: Vec<_> = passages.passages.iter().map(|p| (p.document, p.score)).collect();
    assert_eq!(scores, [(0, 137_175), (2, 44_439)]);
    let output = b"the army crossed the river. The bank of the people failed at Guadalupe Hidalgo";
    let spans = corpus.trace(output, Digest::ZERO, &SpanParameters::default()).unwrap();
    let roots = [Evidence::Retrieval(passages).root(), Evidence::VerbatimSpan(spans).root()];
    assert_eq!(
        roots.map(|root| root.to_string()),
        [
            "4a115b88c83133fb4c5eed6e38628b41b50c757b4a8ee86484ae7069c62776d5",
            "70bd5110eeaa6bd5dc68c12e652d15efb40327b7ce144e644b7037c6fec9ce77"
        ]
    );
}

#[test]
fn other_text_or_corpus_is_not_confirmed() {
    let (_one, corpus) = built(&[WAR, BANK]);
    let (_two, other) = built(&[WAR, BANK, PEACE]);
    let evidence = corpus.trace(WAR.as_bytes(), Digest::ZERO, &SpanParameters::default()).unwrap();
    let evidence = Evidence::VerbatimSpan(evidence);
    assert!(corpus.confirms(&evidence, answered(WAR)).unwrap());
    assert!(!corpus.confirms(&evidence, answered(BANK)).unwrap());
    assert!(!other.confirms(&evidence, answered(WAR)).unwrap());
}

#[test]
fn limits_are_kept() {
    let (_directory, corpus) = built(&[WAR, BANK, PEACE, WAR, WAR]);
    let trace =
        |parameters: SpanParameters| corpus.trace(WAR.as_bytes(), Digest::ZERO, &parameters);
    let defaults = SpanParameters::default();
    let spans = trace(SpanParameters { occurrences_max: 2, ..defaults }).unwrap().spans;
    let listed: Vec<_> = spans[0].occurrences.iter().map(|o| (o.document, o.offset)).collect();
    assert_eq!((spans[0].count, listed), (3, vec![(0, 0), (3, 0)]));
    assert!(trace(SpanParameters { count_max: 2, ..defaults }).unwrap().spans.is_empty());
    assert!(trace(SpanParameters { count_max: 0, ..defaults }).is_err());
    let long = vec![b'x'; OUTPUT_BYTES_MAX as usize + 1];
    let error = corpus.trace(&long, Digest::ZERO, &defaults).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
    let error = corpus.retrieve(&long, Digest::ZERO, &PASSAGES).unwrap_err();
    assert_eq!(error.code(), ErrorCode::LimitExceeded);
    let output = format!("{BANK} and {PEACE}");
    let one = SpanParameters { spans_max: 1, ..defaults };
    let spans = corpus.trace(output.as_bytes(), Digest::ZERO, &one).unwrap().spans;
    assert_eq!((spans.len(), spans[0].bytes() as usize), (1, PEACE.len() - 1));
}

/// Every span by its definition: all stretches of whole words that stand in some record
/// as whole words, but for those within a longer one.
fn brute_force(texts: &[&str], output: &str, parameters: &SpanParameters) -> Vec<(u32, u32, u32)> {
    let output = output.as_bytes();
    let count = |span: &[u8]| {
        let within = |text: &&str| {
            let text = text.as_bytes();
            let whole = |end: usize| text.get(end).is_none_or(|byte| ends_word(*byte));
            let fits = |start: usize| text[start..].starts_with(span) && whole(start + span.len());
            words(text).filter(|word| fits(word.start)).count()
        };
        texts.iter().map(within).sum::<usize>() as u32
    };
    let words: Vec<_> = words(output).collect();
    let mut spans = Vec::new();
    for (index, first) in words.iter().enumerate() {
        for last in &words[index..] {
            let found = count(&output[first.start..last.end]);
            if found > 0 {
                spans.push((first.start as u32, last.end as u32, found));
            }
        }
    }
    let maximal = |span: &(u32, u32, u32)| {
        let within = |o: &&(u32, u32, u32)| o.0 <= span.0 && span.1 <= o.1 && *o != span;
        spans.iter().find(within).is_none()
    };
    let kept = |span: &(u32, u32, u32)| {
        span.1 - span.0 >= parameters.span_bytes_min && span.2 <= parameters.count_max
    };
    spans.iter().filter(|span| maximal(span) && kept(span)).copied().collect()
}

proptest! {
    #[test]
    fn spans_are_those_of_brute_force(
        texts in proptest::collection::vec("[ab] ?[ab .’é]{1,30}", 1..5),
        output in "[abc .’é\u{20ac}\0]{0,40}",
        span_bytes_min in 1u32..6,
        count_max in 1u32..9,
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (_directory, corpus) = built(&texts);
        let parameters = SpanParameters { span_bytes_min, count_max, ..Default::default() };
        let evidence = corpus.trace(output.as_bytes(), Digest::ZERO, &parameters).unwrap();
        let found: Vec<_> = evidence.spans.iter().map(|s| (s.start, s.end, s.count)).collect();
        prop_assert_eq!(found, brute_force(&texts, &output, &parameters));
        prop_assert_eq!(evidence.check(), Ok(()));
        for span in &evidence.spans {
            let wanted = &output[span.start as usize..span.end as usize];
            for at in &span.occurrences {
                let end = at.offset + span.bytes();
                prop_assert_eq!(corpus.text(at.document, at.offset, end).unwrap(), wanted);
                prop_assert_eq!(at.contributor, 10 + at.document % 3);
            }
        }
    }

    #[test]
    fn any_output_is_traced_without_harm(output: Vec<u8>, query: Vec<u8>) {
        let (_directory, corpus) = built(&[WAR, "São Tomé \u{201c}ré\u{201d}", BANK]);
        let parameters = SpanParameters { span_bytes_min: 1, ..Default::default() };
        let evidence = corpus.trace(&output, Digest::ZERO, &parameters).unwrap();
        prop_assert_eq!(evidence.check(), Ok(()));
        let (evidence, _) = corpus.retrieve(&query, Digest::ZERO, &PASSAGES).unwrap();
        prop_assert_eq!(evidence.check(), Ok(()));
    }
}
