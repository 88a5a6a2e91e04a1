//! Asking a corpus, and adding to it.

use super::peer::Questions;
use super::{SPAN_BYTES_MIN, of};
use crate::table::{Table, Target, percentile};
use crate::trace::Random;
use ambar_attribution::SpanParameters;
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document, Listed, Stretch};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// As many as there are: no limit on how often a span may occur, but the largest there is.
const PARAMETERS: SpanParameters = SpanParameters {
    span_bytes_min: SPAN_BYTES_MIN as u32,
    count_max: ambar_attribution::span::COUNT_MAX,
    occurrences_max: 8,
    spans_max: 512,
};
/// Longest pattern, bytes.
const PATTERN_BYTES_MAX: usize = 60;

/// Percentiles of rounds.
pub struct Timed {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Timed {
    /// Of the times of each round.
    pub fn of(rounds: &[Vec<f64>]) -> Self {
        let of = |percent| rounds.iter().filter_map(|times| percentile(times, percent)).collect();
        Self { p50: of(50), p99: of(99) }
    }

    /// Puts both into the table.
    pub fn tell(
        self,
        table: &mut Table,
        what: &str,
        unit: &'static str,
        targets: Option<(f64, Option<f64>)>,
    ) {
        let rows = [("p50", self.p50), ("p99", self.p99)];
        let aims = [targets.map(|both| both.0), targets.and_then(|both| both.1)];
        for ((name, samples), aim) in rows.into_iter().zip(aims) {
            let what = format!("{what}, {name}");
            match aim {
                Some(most) => table.aimed(what, unit, samples, Target::AtMost(most)),
                None => table.row(what, unit, samples),
            }
        }
    }
}

/// Some whole words of a record; every second time with an end that it has not.
pub fn pattern(documents: &[Document], random: &mut Random) -> Vec<u8> {
    loop {
        let text = &documents[random.below(documents.len())].text;
        let at = random.below(text.len());
        let stretch = &text[at..text.len().min(at + PATTERN_BYTES_MAX)];
        let separates = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
        let (first, last) =
            (stretch.iter().position(separates), stretch.iter().rposition(separates));
        let (Some(first), Some(last)) = (first, last) else { continue };
        let words = stretch[first..last.max(first)].trim_ascii();
        let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        if words.len() < SPAN_BYTES_MIN || !letter(words.first()) || !letter(words.last()) {
            continue;
        }
        let strange: &[u8] = if random.below(2) == 0 { b" zq" } else { b"" };
        return [words, strange].concat();
    }
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

/// Asks the corpus of `work` everything; the spans of each answer.
pub fn ask(
    table: &mut Table,
    work: &Path,
    questions: &Questions,
) -> Result<Vec<Vec<super::brute::Span>>> {
    let directory = work.join("corpus");
    let corpus = cold(table, &directory, &questions.answers[0])?;
    let (mut times, mut spans) = (Vec::new(), Vec::new());
    for _ in 0..questions.rounds {
        let mut round = Vec::new();
        spans.clear();
        for answer in &questions.answers {
            let started = Instant::now();
            let found = corpus.trace(answer, Digest::ZERO, &PARAMETERS)?;
            round.push(milliseconds(started));
            spans.push(found.spans);
        }
        times.push(round);
    }
    Timed::of(&times).tell(table, "ambar: trace", "ms", Some((15.0, Some(40.0))));
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..questions.rounds {
        let mut round = Vec::new();
        for pattern in &questions.patterns {
            let started = Instant::now();
            found += u64::from(corpus.count(pattern)? > 0);
            round.push(milliseconds(started) * 1e3);
        }
        times.push(round);
    }
    Timed::of(&times).tell(table, "ambar: find", "us", Some((5.0, None)));
    let all = questions.rounds * questions.patterns.len();
    table.note(format!("{found} of {all} patterns stand there as whole words"));
    prove(table, &corpus, &questions.answers, &spans)?;
    crate::model::measure(table, &corpus, &questions.answers, questions.rounds)?;
    let plain = |span: &ambar_attribution::Span| {
        (span.start as usize, span.end as usize, span.count as usize)
    };
    Ok(spans.iter().map(|spans| spans.iter().map(plain).collect()).collect())
}

/// Opens the corpus, every byte of it checked, with nothing of it in the page cache, and
/// traces a first answer.
fn cold(table: &mut Table, directory: &Path, answer: &[u8]) -> Result<Corpus> {
    for entry in fs::read_dir(directory)? {
        // dd(1) tells the kernel that a file's pages are not wanted any more.
        let mut dd = Command::new("dd");
        let file = format!("if={}", entry?.path().display());
        let output = dd.args([file.as_str(), "iflag=nocache", "count=0", "status=none"]).output();
        ensure!(output?.status.success(), "dd does not drop pages");
    }
    let started = Instant::now();
    let corpus = Corpus::open(directory)?;
    table.row("ambar: open, cold, every byte checked", "ms", vec![milliseconds(started)]);
    corpus.trace(answer, Digest::ZERO, &PARAMETERS)?;
    table.row("ambar: open and first trace, cold", "ms", vec![milliseconds(started)]);
    Ok(corpus)
}

/// Proves every listed occurrence, and verifies each from root and words alone.
fn prove(
    table: &mut Table,
    corpus: &Corpus,
    answers: &[Vec<u8>],
    spans: &[Vec<ambar_attribution::Span>],
) -> Result<()> {
    let (mut making, mut checking, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    for (answer, spans) in answers.iter().zip(spans) {
        for span in spans {
            let words = &answer[span.start as usize..span.end as usize];
            for at in &span.occurrences {
                let (document, offset, bytes) = (at.document, at.offset, span.bytes());
                let started = Instant::now();
                let proof = corpus.prove(Stretch { document, offset, bytes })?.encode();
                making.push(milliseconds(started) * 1e3);
                let started = Instant::now();
                let proven =
                    ambar_attribution::SpanProof::decode(&proof)?.verify(&corpus.root(), words)?;
                checking.push(milliseconds(started) * 1e3);
                ensure!(proven.contributor == at.contributor, "a proof of another contributor");
                sizes.push(proof.len() as f64);
            }
        }
    }
    let half = |times: &[f64]| percentile(times, 50).into_iter().collect::<Vec<_>>();
    table.row("ambar: prove one occurrence, p50", "us", half(&making));
    let target = Target::AtMost(100.0);
    table.aimed("ambar: verify one proof, p50", "us", half(&checking), target);
    table.row("ambar: one proof, p50", "bytes", half(&sizes));
    table.note(format!("{} proofs, every one holds", sizes.len()));
    Ok(())
}

/// Adds records to the corpus until a trace finds them.
pub fn add(
    table: &mut Table,
    work: &Path,
    documents: &[Document],
    more: &[Document],
    rounds: usize,
) -> Result<()> {
    let base = Corpus::open(&work.join("corpus"))?;
    let all = documents.iter().chain(more).enumerate();
    let listed: Vec<Listed> = all.map(|(place, document)| of(&document.title, place)).collect();
    let answer = &more.last().context("something is added")?.text;
    let answer = &answer[..answer.len().min(2_000)];
    ensure!(!holds(&base, answer)?, "what is added is there already");
    let mut times = Vec::new();
    for round in 0..rounds {
        let texts =
            |index: usize| Ok::<_, anyhow::Error>(more[index - documents.len()].text.clone());
        let (directory, started) = (work.join(format!("added-{round}")), Instant::now());
        let next = Corpus::update(&directory, Some(&base), &listed, texts, &mut |_| ())?;
        ensure!(holds(&next, answer)?, "what was added is not found");
        times.push(milliseconds(started));
    }
    let added: usize = more.iter().map(|document| document.text.len()).sum();
    let what = format!("ambar: adding {:.2} MB until a trace finds it", added as f64 / 1e6);
    table.aimed(what, "ms", times, Target::AtMost(1_000.0));
    Ok(())
}

/// Whether one span is all of the words of `answer`.
fn holds(corpus: &Corpus, answer: &[u8]) -> Result<bool> {
    let word = |byte: &u8| byte.is_ascii_alphanumeric();
    let (first, last) = (answer.iter().position(word), answer.iter().rposition(word));
    let found = corpus.trace(answer, Digest::ZERO, &PARAMETERS)?;
    let all = |span: &&ambar_attribution::Span| Some(span.start as usize) == first;
    let reached = found.spans.iter().find(all).map(|span| span.end as usize);
    // The last word may be cut short.
    Ok(reached.zip(last).is_some_and(|(end, last)| end + 64 > last))
}
