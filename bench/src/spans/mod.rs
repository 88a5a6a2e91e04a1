//! Verbatim spans over 210 MB of kernel sources, beside infini-gram 2.6.0 in the same run:
//! building, tracing, finding, proving, adding.
//!
//! Both programs read the same file of records. infini-gram finds every stretch of bytes,
//! Ambar those of whole words; each is compared with what looking everywhere finds by its own
//! rule.
//!
//! **Invariant**: a time is shown only if what was found in it is what looking everywhere finds.

mod brute;
mod measure;
mod peer;
mod sources;

use crate::gateway::install::{Cache, one_line};
use crate::plan::Plan;
use crate::table::{Table, Target};
use crate::usage::{peak_megabytes, process_cpu};
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document, Listed};
use anyhow::{Context, Result, ensure};
use brute::Edges;
use measure::Timed;
use peer::{Answered, Peer, Questions};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Makes this program build a corpus in a process of its own.
pub const ARGUMENT: &str = "--build-corpus";
/// Text that is indexed, bytes, and what is added to it.
const TEXT_BYTES: usize = 210_000_000;
const ADDED_BYTES: usize = 1_000_000;
/// Shortest span that is asked for, bytes.
const SPAN_BYTES_MIN: usize = 24;
/// Answers and patterns asked; infini-gram, which takes longer, is asked fewer answers.
const ANSWERS: usize = 200;
const ANSWERS_BESIDE: usize = 50;
const PATTERNS: usize = 3_000;
/// Answers whose spans are compared with what looking everywhere finds.
const COMPARED: usize = 20;
/// The file of records, in a directory of its own.
const TEXTS: &str = "texts/records.jsonl";

/// What a build took.
#[derive(Debug, Serialize, Deserialize)]
struct Built {
    cpu_s: f64,
    elapsed_s: f64,
    peak_mb: f64,
    disk_mb: f64,
}

/// Downloads what is measured and what stands beside it, before the network is left.
pub fn install() -> Result<()> {
    let cache = Cache::open()?;
    sources::install(&cache)?;
    Peer::install(&cache).map(drop)
}

/// Builds a corpus of the records in a directory; prints what it took.
pub fn serve(work: &str) -> Result<()> {
    let work = Path::new(work);
    let started = Instant::now();
    let mut listed = Vec::new();
    for line in sources::lines(&work.join(TEXTS))? {
        listed.push(of(&line?.path, listed.len()));
    }
    let mut lines = sources::lines(&work.join(TEXTS))?;
    let text = |_| Ok::<_, anyhow::Error>(lines.next().context("a record")??.text.into_bytes());
    let corpus = Corpus::update(&work.join("corpus"), None, &listed, text, &mut |_| ())?;
    let pid = std::process::id();
    let built = Built {
        cpu_s: process_cpu(pid)?.as_secs_f64(),
        elapsed_s: started.elapsed().as_secs_f64(),
        peak_mb: peak_megabytes(pid)?,
        disk_mb: corpus.file_bytes() as f64 / 1e6,
    };
    println!("{}", serde_json::to_string(&built)?);
    Ok(())
}

/// A record as it is listed: its title names its text here.
fn of(title: &str, place: usize) -> Listed {
    let source = Digest::of(title.as_bytes());
    Listed { title: title.to_owned(), contributor: place as u32 % 1_000, source }
}

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let (cache, place) = (Cache::open()?, plan.directory()?);
    let work = place.path();
    fs::create_dir(work.join("texts"))?;
    let archive = sources::install(&cache)?;
    let (documents, more) = sources::take(&archive, TEXT_BYTES, ADDED_BYTES)?;
    sources::write(&documents, &work.join(TEXTS))?;
    let mut table = Table::default();
    let bytes: usize = documents.iter().map(|document| document.text.len()).sum();
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let count = documents.len();
    table.note(format!("{count} C files of {name}, {:.1} MB", bytes as f64 / 1e6));
    let questions = questions(&documents, plan.pick(3, 1));
    let answered = beside(&mut table, &cache, work, &questions);
    let built = (0..plan.pick(3, 1)).map(|_| build(work)).collect::<Result<Vec<_>>>()?;
    tell_build(&mut table, &built);
    compare(&mut table, &documents, work, &questions, answered.as_ref())?;
    measure::add(&mut table, work, &documents, &more, plan.pick(5, 2))?;
    Ok(table)
}

/// Stretches of records to find, and answers made of them.
fn questions(documents: &[Document], rounds: usize) -> Questions {
    let mut random = crate::trace::Random(1);
    let answers = (0..ANSWERS).map(|_| crate::trace::answer(documents, &mut random)).collect();
    let patterns = (0..PATTERNS).map(|_| measure::pattern(documents, &mut random)).collect();
    Questions { bytes_min: SPAN_BYTES_MIN, rounds, answers, patterns }
}

fn build(work: &Path) -> Result<Built> {
    let directory = work.join("corpus");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let output = Command::new(std::env::current_exe()?).arg(ARGUMENT).arg(work).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "no corpus: {}", one_line(&said));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn tell_build(table: &mut Table, built: &[Built]) {
    let of = |figure: fn(&Built) -> f64| built.iter().map(figure).collect::<Vec<_>>();
    let cpu = Target::AtMost(25.0);
    table.aimed("ambar: build, CPU, roots and fsync included", "s", of(|b| b.cpu_s), cpu);
    table.row("ambar: build, elapsed", "s", of(|b| b.elapsed_s));
    let peak = Target::AtMost(1_288.0);
    table.aimed("ambar: build, peak memory", "MB", of(|b| b.peak_mb), peak);
    table.row("ambar: on disk, passage index included", "MB", of(|b| b.disk_mb));
}

/// infini-gram builds and answers; its rows say why if it cannot.
fn beside(
    table: &mut Table,
    cache: &Cache,
    work: &Path,
    questions: &Questions,
) -> Option<Answered> {
    let asked = Peer::install(cache).and_then(|peer| {
        let built = peer.build(work)?;
        table.row("infini-gram: build, CPU", "s", vec![built.cpu_s]);
        table.row("infini-gram: build, elapsed", "s", vec![built.elapsed_s]);
        table.row("infini-gram: build, peak memory of one process", "MB", vec![built.peak_mb]);
        table.row("infini-gram: on disk", "MB", vec![built.disk_mb]);
        let answers = questions.answers[..ANSWERS_BESIDE].to_vec();
        let answered = peer.ask(work, &Questions { answers, ..questions.clone() })?;
        Timed::of(&answered.trace_ms).tell(table, "infini-gram: trace", "ms", None);
        Timed::of(&answered.find_us).tell(table, "infini-gram: find", "us", None);
        fs::remove_dir_all(work.join("peer"))?;
        Ok(answered)
    });
    asked.map_err(|error| table.absent("infini-gram", "", &one_line(&format!("{error:#}")))).ok()
}

/// Asks Ambar, and looks everywhere for what both should have found.
fn compare(
    table: &mut Table,
    documents: &[Document],
    work: &Path,
    questions: &Questions,
    answered: Option<&Answered>,
) -> Result<()> {
    let found = measure::ask(table, work, questions)?;
    let some = &questions.answers[..COMPARED];
    let expect = brute::spans(documents, some, Edges::Words, SPAN_BYTES_MIN);
    ensure!(found[..COMPARED] == expect, "Ambar's spans are not those that are there");
    let count: usize = expect.iter().map(Vec::len).sum();
    let each = count as f64 / COMPARED as f64;
    table.note(format!("ambar: {each:.1} spans of whole words an answer, all as by looking"));
    if let Some(answered) = answered {
        let expect = brute::spans(documents, some, Edges::Bytes, SPAN_BYTES_MIN);
        let same = (0..COMPARED).filter(|at| answered.spans[*at] == expect[*at]).count();
        let each = expect.iter().map(Vec::len).sum::<usize>() as f64 / COMPARED as f64;
        table.note(format!(
            "infini-gram: {each:.1} spans of bytes an answer, {same} of {COMPARED} answers as by \
             looking"
        ));
    }
    Ok(())
}
