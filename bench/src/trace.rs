//! The corpus over the presidents: building, tracing answers, retrieving passages, writing. Building
//! is CPU time of the one thread used; searches are elapsed.

use crate::model;
use crate::plan::Plan;
use crate::presidents;
use crate::table::{Table, Target, percentile};
use crate::usage::thread_cpu;
use ambar_attribution::{RetrievalParameters, SpanParameters};
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// Answers traced in one round.
const ANSWERS: usize = 200;
/// Stretches taken from records for one answer.
const STRETCHES: usize = 14;
/// Length of a stretch, bytes.
const STRETCH_BYTES: usize = 80;
/// Words between stretches.
const GLUE_WORDS: usize = 12;
/// Tracing an answer of 2 KB, ms.
const TRACE_MS_MAX: f64 = 5.0;
/// Building, MB per second of one core.
const BUILD_MB_PER_S_MIN: f64 = 10.0;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let place = plan.directory()?;
    presidents::unpack(place.path())?;
    let (documents, names) = presidents::documents(place.path())?;
    let mut table = Table::default();
    let corpus = build(&mut table, &place.path().join("corpus"), &documents, plan.pick(5, 2))?;
    trace(&mut table, &corpus, &documents, plan.pick(5, 2))?;
    retrieve(&mut table, &corpus, &names, plan.pick(5, 2))?;
    let mut random = Random(2);
    let texts: Vec<_> = (0..ANSWERS).map(|_| answer(&documents, &mut random)).collect();
    model::measure(&mut table, &corpus, &texts, plan.pick(5, 2))?;
    model::copies(&mut table, &corpus, &texts)?;
    Ok(table)
}

fn build(table: &mut Table, place: &Path, documents: &[Document], rounds: usize) -> Result<Corpus> {
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let (records, before) = (documents.to_vec(), thread_cpu()?);
        let corpus = Corpus::build(place, records, &mut |_| {})?;
        let used = thread_cpu()?.saturating_sub(before);
        rates.push(corpus.text_bytes() as f64 / 1e6 / used.as_secs_f64());
    }
    let (started, corpus) = (Instant::now(), Corpus::open(place)?);
    let opened = started.elapsed().as_secs_f64() * 1e3;
    table.aimed("datanet-build, one core", "MB/s", rates, Target::AtLeast(BUILD_MB_PER_S_MIN));
    table.row("datanet-open", "ms", vec![opened]);
    let (text, file) = (corpus.text_bytes() as f64 / 1e6, corpus.file_bytes() as f64 / 1e6);
    table.note(format!("{text:.1} MB of text; its corpus has {file:.1} MB, text included"));
    Ok(corpus)
}

/// A small generator of pseudo-random numbers (Knuth's MMIX constants), so that runs agree.
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Stretches of records with words of others between them.
pub fn answer(documents: &[Document], random: &mut Random) -> Vec<u8> {
    let mut answer = Vec::new();
    for _ in 0..STRETCHES {
        let text = &documents[random.below(documents.len())].text;
        let at = random.below(text.len().saturating_sub(STRETCH_BYTES).max(1));
        answer.extend_from_slice(&text[at..(at + STRETCH_BYTES).min(text.len())]);
        for _ in 0..GLUE_WORDS {
            let text = &documents[random.below(documents.len())].text;
            let at = random.below(text.len());
            let word = text[at..].split(u8::is_ascii_whitespace).nth(1).unwrap_or(b"word");
            answer.extend([b" ", word].concat());
        }
        answer.push(b' ');
    }
    answer
}

fn trace(table: &mut Table, corpus: &Corpus, documents: &[Document], rounds: usize) -> Result<()> {
    let mut random = Random(1);
    let answers: Vec<_> = (0..ANSWERS).map(|_| answer(documents, &mut random)).collect();
    let (mut medians, mut tails, mut spans) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let mut times = Vec::new();
        for answer in &answers {
            let started = Instant::now();
            let found = corpus.trace(answer, Digest::ZERO, &SpanParameters::default())?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            spans += found.spans.len();
        }
        medians.extend(percentile(&times, 50));
        tails.extend(percentile(&times, 99));
    }
    let bytes = answers.iter().map(Vec::len).sum::<usize>() / ANSWERS;
    let spans = spans as f64 / (ANSWERS * rounds) as f64;
    table.aimed("trace, p50", "ms", medians, Target::AtMost(TRACE_MS_MAX));
    table.row("trace, p99", "ms", tails);
    table.note(format!("{ANSWERS} answers of {bytes} bytes with {spans:.1} spans on average"));
    Ok(())
}

fn retrieve(table: &mut Table, corpus: &Corpus, names: &[String], rounds: usize) -> Result<()> {
    let questions = fs::read_to_string(presidents::file("questions.txt"))?;
    let expected = fs::read_to_string(presidents::file("expected.txt"))?;
    let pairs: Vec<(&str, &str)> = questions.lines().zip(expected.lines()).collect();
    let (mut medians, mut tails, mut first, mut among) = (Vec::new(), Vec::new(), 0, 0);
    for _ in 0..rounds {
        let mut times = Vec::new();
        (first, among) = (0, 0);
        for (question, expected) in &pairs {
            let started = Instant::now();
            let parameters = RetrievalParameters::default();
            let (found, _) = corpus.retrieve(question.as_bytes(), Digest::ZERO, &parameters)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            let wanted = expected.to_lowercase();
            let named = |contributor: u32| names.get(contributor as usize) == Some(&wanted);
            let place = found.passages.iter().position(|passage| named(passage.contributor));
            first += usize::from(place == Some(0));
            among += usize::from(place.is_some());
        }
        medians.extend(percentile(&times, 50));
        tails.extend(percentile(&times, 99));
    }
    table.row("retrieve, p50", "ms", medians);
    table.row("retrieve, p99", "ms", tails);
    let count = pairs.len();
    table.note(format!("{count} questions: expected speaker found {among}, first {first}"));
    Ok(())
}
