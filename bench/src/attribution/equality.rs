//! Spans, counts and shares beside what looking everywhere finds: on random texts of few words,
//! where everything repeats, and on the speeches.

use super::Lab;
use super::calls::{evidence, retrieve};
use super::library::record;
use super::money::Rule;
use super::naive::{Naive, Span, listed};
use super::page::Page;
use crate::trace::{Random, answer};
use ambar_attribution::span::SpanParameters;
use ambar_attribution::{Evidence, RetrievalParameters, SpanEvidence};
use ambar_corpus::{Corpus, Document};
use anyhow::{Result, ensure};

/// The seed of all texts.
const SEED: u64 = 11;
/// Words of random texts: short, with marks and a symbol of three bytes between them.
const WORDS: [&str; 7] = ["a", "ba", "cab", "abba", "São", "x1", "lord"];
const MARKS: [&str; 6] = [" ", " ", " ", ", ", "\u{2014}", "'s "];
/// Random answers for each random datanet.
const ANSWERS: usize = 8;

const TEXT: &str = "\
Every word of an answer is compared with every word of every record, and every byte of the answer
with every span, by a second program that shares no code with the first but the table of
logarithms. Spans, their counts, the records that are listed for them and the shares of both
methods to the last unit have to be the same. Random texts have seven different words, so that
almost everything occurs several times; their parameters are random, too. The answers over the
speeches are pieces of speeches among words of others. This says that the search is exact. It says
nothing about whether spans are a good measure.";

/// Measures and tells.
pub fn run(lab: &Lab, page: &mut Page) -> Result<()> {
    let mut random = Random(SEED);
    let mut rows = Vec::new();
    let (mut cases, mut spans) = (0, 0);
    let nets = lab.arguments.pick(300, 10);
    for net in 0..nets {
        lab.tell("brute force", net, nets);
        let documents = documents(&mut random);
        let corpus = lab.library.fresh(&documents)?;
        let (naive, rule) = (Naive::of(&documents), rule(&mut random));
        for _ in 0..ANSWERS {
            let text = words(&mut random, 30);
            spans += compare(lab, (&corpus, &naive), text.as_bytes(), cases, &rule)?;
            cases += 1;
        }
    }
    rows.push(row("random texts", cases, spans));
    let (mut cases, mut spans) = (0, 0);
    let naive = Naive::of(&lab.library.speeches);
    for at in 0..lab.arguments.pick(20, 1) {
        lab.tell("brute force over the speeches", at as usize, 20);
        let text = answer(&lab.library.speeches, &mut random);
        let text = &text[..text.len().min(lab.arguments.pick(2_000, 300))];
        let text = String::from_utf8_lossy(text).into_owned();
        let corpus = lab.library.base();
        spans += compare(lab, (corpus, &naive), text.as_bytes(), at, &Rule::default())?;
        cases += 1;
    }
    rows.push(row("the speeches", cases, spans));
    page.section("Brute force");
    page.text(TEXT);
    page.table(&["answers over", "cases", "spans", "identical"], &rows);
    page.text(&format!("Seed {SEED}."));
    Ok(())
}

fn row(what: &str, cases: u64, spans: usize) -> Vec<String> {
    // Whatever differs ends the run before it is told.
    vec![what.into(), cases.to_string(), spans.to_string(), format!("{cases} of {cases}")]
}

/// A datanet of few short records.
fn documents(random: &mut Random) -> Vec<Document> {
    let count = 1 + random.below(8);
    let one = |at: usize| {
        let length = 1 + random.below(50);
        let text = words(random, length);
        record(format!("{at}"), random.below(5) as u32, text)
    };
    (0..count).map(one).collect()
}

fn words(random: &mut Random, count: usize) -> String {
    let one = |_| [WORDS[random.below(WORDS.len())], MARKS[random.below(MARKS.len())]].concat();
    (0..count).map(one).collect()
}

fn rule(random: &mut Random) -> Rule {
    let mut upto = |most: usize| 1 + random.below(most) as u32;
    let spans = SpanParameters {
        span_bytes_min: upto(20),
        count_max: [upto(6), 1_000][upto(2) as usize - 1],
        occurrences_max: upto(8),
        spans_max: [upto(4), 256][upto(2) as usize - 1],
    };
    Rule { spans, ..Rule::default() }
}

/// How many spans both find; an error if they differ in anything.
fn compare(
    lab: &Lab,
    (corpus, naive): (&Corpus, &Naive<'_>),
    text: &[u8],
    number: u64,
    rule: &Rule,
) -> Result<usize> {
    let answer = std::str::from_utf8(text)?;
    let retrieved = retrieve(corpus, answer, &RetrievalParameters::default())?.evidence;
    let found = evidence(corpus, &retrieved, answer, &rule.spans)?;
    let expect = naive.spans(text, &rule.spans);
    let Evidence::VerbatimSpan(spans) = &found[1] else { unreachable!("made two lines above") };
    ensure!(plain(spans) == expect, "spans of {answer:?}: {:?}, not {expect:?}", plain(spans));
    let paid = listed(&lab.till.divide(&found, number, rule)?.methods);
    let expect = naive.shares(text, &retrieved, number, rule);
    ensure!(paid == expect, "shares of {answer:?}: {paid:?}, not {expect:?}");
    Ok(spans.spans.len())
}

fn plain(evidence: &SpanEvidence) -> Vec<Span> {
    let span = |span: &ambar_attribution::Span| Span {
        start: span.start as usize,
        end: span.end as usize,
        count: span.count as usize,
        listed: span
            .occurrences
            .iter()
            .map(|at| (at.document, at.contributor, at.offset))
            .collect(),
    };
    evidence.spans.iter().map(span).collect()
}
