//! A language model that is the records: how fast it writes, how long it takes to say where each
//! word was drawn from, and how much of one record it copies.
//!
//! **Invariant**: a time is shown only if every word that was written is found where it was drawn.

use crate::table::{Table, Target, percentile};
use ambar_attribution::{CorpusModelParameters, SpanParameters};
use ambar_base::Digest;
use ambar_corpus::{Choice, Corpus, Language, Next, Random, Together, count_words};
use anyhow::{Result, ensure};
use std::time::Instant;

/// Words of an answer.
const WORDS: usize = 256;
/// Answers written in one round.
const ANSWERS: usize = 50;
/// Drawing a word, p50, microseconds.
const WORD_US_MAX: f64 = 1_000.0;
/// What is looked up as a copy: any stretch of whole words, however frequent.
const COPIES: SpanParameters = SpanParameters {
    span_bytes_min: 1,
    count_max: ambar_attribution::span::COUNT_MAX,
    occurrences_max: 1,
    spans_max: 512,
};
/// Contexts and counts that are compared.
const COMPARED: [(u32, u32); 6] = [(2, 2), (3, 2), (4, 2), (8, 2), (4, 1), (16, 1)];

/// One answer, and microseconds of each word.
fn write(language: &Language<'_>, prompt: &str, seed: u64) -> (String, Vec<f64>) {
    let (mut text, mut times) = (String::new(), Vec::new());
    let mut writing = language.write(prompt, Choice::Drawn(Random::of(seed)));
    while times.len() < WORDS {
        let started = Instant::now();
        let next = writing.next();
        times.push(started.elapsed().as_secs_f64() * 1e6);
        match next {
            Some(Next::Word(word)) => text.push_str(&word),
            // A record ends here, which is rare: its answer is shorter.
            _ => break,
        }
    }
    (text, times)
}

/// Milliseconds that the evidence of an answer takes.
fn replay(corpus: &Corpus, prompt: &str, answer: &str, own: bool) -> Result<f64> {
    let (digests, parameters) = ((Digest::ZERO, Digest::ZERO), CorpusModelParameters::default());
    let answer: String = answer.split_inclusive(' ').take(WORDS).collect();
    let started = Instant::now();
    let evidence = corpus.replay((prompt, answer.as_bytes()), digests, &parameters)?;
    let time = started.elapsed().as_secs_f64() * 1e3;
    evidence.check()?;
    let all = evidence.words_found() == evidence.steps.len() as u64;
    ensure!(!own || all, "a word that was drawn stands nowhere");
    Ok(time)
}

/// Lets the records write after each of these texts, and says where their words come from.
pub fn measure(table: &mut Table, corpus: &Corpus, texts: &[Vec<u8>], rounds: usize) -> Result<()> {
    let together = Together::of(vec![corpus])?;
    let language = Language::of(&together, CorpusModelParameters::default())?;
    let texts: Vec<_> =
        texts.iter().take(ANSWERS).map(|text| String::from_utf8_lossy(text)).collect();
    let (mut halves, mut tails, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (mut times, mut replays, mut strange) = (Vec::new(), Vec::new(), Vec::new());
        for (seed, prompt) in (0..).zip(&texts) {
            let (answer, words) = write(&language, prompt, seed);
            times.extend(words);
            replays.push(replay(corpus, prompt, &answer, true)?);
            strange.push(replay(corpus, "", prompt, false)?);
        }
        rates.push(times.len() as f64 / times.iter().sum::<f64>() * 1e6);
        halves.extend(percentile(&times, 50));
        tails.extend(percentile(&times, 99));
        own.extend(percentile(&replays, 50));
        others.extend(percentile(&strange, 50));
    }
    table.row("corpus model: words", "1/s", rates);
    table.aimed("corpus model: one word, p50", "us", halves, Target::AtMost(WORD_US_MAX));
    table.row("corpus model: one word, p99", "us", tails);
    table.row(format!("corpus model: attribution of {WORDS} words of its own, p50"), "ms", own);
    table.row(format!("corpus model: attribution of {WORDS} other words, p50"), "ms", others);
    Ok(())
}

/// Says how long the stretches are that such models copy from one record.
pub fn copies(table: &mut Table, corpus: &Corpus, texts: &[Vec<u8>]) -> Result<()> {
    let together = Together::of(vec![corpus])?;
    for (context_words_max, count_min) in COMPARED {
        let parameters = CorpusModelParameters { context_words_max, count_min };
        let language = Language::of(&together, parameters)?;
        let (mut longest, mut stretches) = (Vec::new(), 0);
        for (seed, prompt) in (0..).zip(texts.iter().take(ANSWERS)) {
            let (answer, _) = write(&language, &String::from_utf8_lossy(prompt), seed);
            let found = corpus.trace(answer.as_bytes(), Digest::ZERO, &COPIES)?.spans;
            let words = |span: &ambar_attribution::Span| {
                count_words(&answer[span.start as usize..span.end as usize]) as f64
            };
            stretches += found.len();
            longest.push(found.iter().map(words).fold(0.0, f64::max));
        }
        let (half, most) = (percentile(&longest, 50), percentile(&longest, 100));
        let each = stretches as f64 / longest.len() as f64;
        table.note(format!(
            "context={context_words_max},count={count_min}: of {WORDS} words the longest stretch \
             in one record has {:.0} words (at most {:.0}); {each:.0} stretches an answer",
            half.unwrap_or_default(),
            most.unwrap_or_default(),
        ));
    }
    Ok(())
}
