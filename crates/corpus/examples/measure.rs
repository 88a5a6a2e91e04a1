//! Measures building, tracing and retrieval on a directory of records named
//! `YEAR_CONTRIBUTOR.txt`, and shows whom each question finds.
//!
//! ```text
//! cargo run --release -p ambar-corpus --example measure -- RECORDS QUESTIONS EXPECTED
//! ```
//!
//! QUESTIONS has one question per line, EXPECTED the contributor who should be among the
//! passages found, on the same line number. Times of building are CPU time of the one
//! thread used; times of searches are elapsed.

use ambar_attribution::{RetrievalParameters, SpanParameters};
use ambar_base::Digest;
use ambar_corpus::{Corpus, Document};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Synthetic answers traced.
const ANSWERS: usize = 200;
/// Stretches taken from records for one answer, and their length in bytes.
const SNIPPETS: (usize, usize) = (12, 80);
/// Words between stretches.
const GLUE_WORDS: usize = 12;

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = env::args().skip(1).map(PathBuf::from).collect();
    let [records, questions, expected] = &arguments[..] else {
        return Err("usage: measure RECORDS QUESTIONS EXPECTED".into());
    };
    let (documents, names) = documents(records)?;
    let place = env::temp_dir().join(format!("ambar-measure-{}", std::process::id()));
    let corpus = build(&place, &documents)?;
    trace(&corpus, &documents)?;
    ask(&corpus, &names, &fs::read_to_string(questions)?, &fs::read_to_string(expected)?)?;
    fs::remove_dir_all(&place)?;
    Ok(())
}

/// The records by name, and the contributors by index.
fn documents(folder: &Path) -> Result<(Vec<Document>, Vec<String>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let (mut documents, mut names) = (Vec::new(), Vec::<String>::new());
    for path in paths {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or("a name is not UTF-8")?;
        let name = stem.split_once('_').map_or(stem, |(_, name)| name).replace('_', " ");
        let known = names.iter().position(|other| *other == name);
        let contributor = known.unwrap_or(names.len()) as u32;
        if known.is_none() {
            names.push(name);
        }
        documents.push(Document { title: stem.into(), contributor, text: fs::read(&path)? });
    }
    Ok((documents, names))
}

/// CPU time of this thread (Linux).
fn cpu() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().ok_or("schedstat is empty")?.parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn build(place: &Path, documents: &[Document]) -> Result<Corpus> {
    let (records, before, started) = (documents.to_vec(), cpu()?, Instant::now());
    let mut stages = Vec::new();
    let corpus = Corpus::build(place, records, &mut |progress| {
        if stages.last().is_none_or(|(stage, _)| *stage != progress.stage) {
            stages.push((progress.stage, Instant::now()));
        }
    })?;
    let (used, elapsed) = (cpu()? - before, started.elapsed());
    let megabytes = corpus.text_bytes() as f64 / 1e6;
    let (rate, size) = (megabytes / used.as_secs_f64(), corpus.file_bytes() as f64 / 1e6);
    println!(
        "build    {megabytes:.1} MB in {used:.2?} CPU ({rate:.1} MB/s), {elapsed:.2?} elapsed"
    );
    for (stage, at) in stages {
        println!("         {stage:?} began after {:.2?}", at - started);
    }
    println!("file     {size:.1} MB, text included");
    let started = Instant::now();
    Corpus::open(place)?;
    println!("open     {:.2?}", started.elapsed());
    Ok(corpus)
}

/// A small generator of pseudo-random numbers (Knuth's MMIX constants), so that runs agree.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn answer(documents: &[Document], random: &mut Random) -> Vec<u8> {
    let mut answer = Vec::new();
    for _ in 0..SNIPPETS.0 {
        let text = &documents[random.below(documents.len())].text;
        let at = random.below(text.len().saturating_sub(SNIPPETS.1).max(1));
        answer.extend_from_slice(&text[at..(at + SNIPPETS.1).min(text.len())]);
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

fn trace(corpus: &Corpus, documents: &[Document]) -> Result<()> {
    let mut random = Random(1);
    let (mut times, mut bytes, mut spans) = (Vec::new(), 0, 0);
    for _ in 0..ANSWERS {
        let answer = answer(documents, &mut random);
        let started = Instant::now();
        let found = corpus.trace(&answer, Digest::ZERO, &SpanParameters::default())?;
        times.push(started.elapsed());
        bytes += answer.len();
        spans += found.spans.len();
    }
    let (bytes, spans) = (bytes / ANSWERS, spans as f64 / ANSWERS as f64);
    println!("trace    {} per answer of {bytes} B, {spans:.1} spans", percentiles(&mut times));
    Ok(())
}

fn percentiles(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    format!("p50 {:.2?}, p99 {:.2?}", at(50), at(99))
}

fn ask(corpus: &Corpus, names: &[String], questions: &str, expected: &str) -> Result<()> {
    let (mut times, mut first, mut among) = (Vec::new(), 0, 0);
    let pairs: Vec<(&str, &str)> = questions.lines().zip(expected.lines()).collect();
    for (question, expected) in &pairs {
        let started = Instant::now();
        let (evidence, _) =
            corpus.retrieve(question.as_bytes(), Digest::ZERO, &RetrievalParameters::default())?;
        times.push(started.elapsed());
        let found: Vec<&str> =
            evidence.passages.iter().map(|p| names[p.contributor as usize].as_str()).collect();
        let wanted = expected.to_lowercase();
        let place = found.iter().position(|name| *name == wanted);
        first += usize::from(place == Some(0));
        among += usize::from(place.is_some());
        let mark = place.map_or("-".into(), |place| (place + 1).to_string());
        println!("{mark} {question} [{expected}]: {}", found.join(", "));
    }
    let count = pairs.len();
    println!(
        "retrieve {}; expected first {first}/{count}, found {among}/{count}",
        percentiles(&mut times)
    );
    Ok(())
}
