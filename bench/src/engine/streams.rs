//! Several answers of one embedded model at a time: how fast together, how evenly, how long a
//! short job waits beside a long one, and how many greedy answers are those that are written
//! alone. The engine is called as a library: what the call path adds is measured beside.

use crate::plan::Plan;
use crate::table::Table;
use ambar_compute::gguf::{GgufEngine, GgufOptions};
use ambar_compute::{Engine, Event, GenerateJob, Prompt};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many answers are written together.
const TOGETHER: [usize; 3] = [1, 2, 4];
/// Beginnings of answers, one for each stream.
const TEXTS: [&str; 4] = [
    "The lighthouse keeper counted the ships that passed in the long night.",
    "1, 2, 3, 4, 5, 6, 7, 8,",
    "Once upon a time there was a king who had three",
    "A recipe for bread: take flour, water and",
];
/// Tokens of each of them.
const TOKENS: u32 = 96;
/// Tokens of the long job beside which a short one asks; it is cancelled then.
const LONG_TOKENS: u32 = 1_024;
/// Repeats of a beginning that make a prompt of more than 512 tokens.
const REPEATS: usize = 60;
/// Pieces that wait between engine and reader: all of an answer, so that nothing pauses.
const PIECES_MAX: usize = 2_048;

/// One answer, seconds.
struct Written {
    /// From the beginning of the round to the first piece.
    first: f64,
    /// From there to the end.
    rest: f64,
    tokens: u64,
    text: String,
}

/// Adds the rows.
pub fn measure(plan: &Plan, path: &Path, runtime: &Runtime, table: &mut Table) -> Result<()> {
    let engine = Arc::new(GgufEngine::open(path, GgufOptions::default())?);
    runtime.block_on(engine.load())?;
    let rounds = plan.pick(5, 2);
    for together in TOGETHER {
        let (mut rates, mut evenness) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let started = Instant::now();
            let texts = TEXTS.iter().cycle().take(together).map(|text| (*text).to_owned());
            let answers = runtime.block_on(write(&engine, texts.collect()))?;
            let seconds = started.elapsed().as_secs_f64();
            let tokens: u64 = answers.iter().map(|answer| answer.tokens).sum();
            rates.push(tokens as f64 / seconds);
            let speeds = answers.iter().map(|answer| answer.tokens as f64 / answer.rest);
            let (least, most) = speeds.fold((f64::MAX, 0.0_f64), |(least, most), speed| {
                (least.min(speed), most.max(speed))
            });
            evenness.push(least / most);
        }
        table.row(format!("{together} streams together"), "tokens/s", rates);
        if together > 1 {
            table.row(format!("{together} streams, least over most"), "", evenness);
        }
    }
    let first = (0..rounds).map(|_| runtime.block_on(beside(&engine)));
    let first = first.collect::<Result<Vec<f64>>>()?;
    table.row("first piece of a short job beside a long one", "ms", first);
    for (what, repeats) in [("short", 1), ("long", REPEATS)] {
        let same = runtime.block_on(same(&engine, repeats))?;
        table.row(format!("{what} prompts, answers as alone"), "of 4", vec![same]);
    }
    Ok(())
}

/// How many of four answers are the same when they are written together.
async fn same(engine: &Arc<GgufEngine>, repeats: usize) -> Result<f64> {
    let texts: Vec<String> = TEXTS.iter().map(|text| format!("{text} ").repeat(repeats)).collect();
    let mut alone = Vec::new();
    for text in &texts {
        alone.extend(write(engine, vec![text.clone()]).await?);
    }
    let together = write(engine, texts).await?;
    let pairs = alone.iter().zip(&together);
    Ok(pairs.filter(|(alone, together)| alone.text == together.text).count() as f64)
}

/// Writes answers together; they come in the order of the texts.
async fn write(engine: &Arc<GgufEngine>, texts: Vec<String>) -> Result<Vec<Written>> {
    let writing = texts.into_iter().map(|text| tokio::spawn(one(Arc::clone(engine), text, TOKENS)));
    let mut answers = Vec::new();
    for answer in writing.collect::<Vec<_>>() {
        answers.push(answer.await??);
    }
    Ok(answers)
}

async fn one(engine: Arc<GgufEngine>, text: String, tokens: u32) -> Result<Written> {
    let (events, mut pieces) = mpsc::channel(PIECES_MAX);
    let started = Instant::now();
    let job = GenerateJob::greedy(Prompt::Text(text), tokens);
    let reading = async {
        let (mut first, mut text) = (None, String::new());
        while let Some(Event::Text(piece)) = pieces.recv().await {
            first.get_or_insert_with(|| started.elapsed().as_secs_f64());
            text += &piece;
        }
        (first, text)
    };
    let (ended, (first, text)) =
        tokio::join!(engine.generate(job, events, CancellationToken::new()), reading);
    let tokens = ended?.usage.tokens_out.context("the engine counts tokens")?;
    let first = first.context("the model wrote nothing")?;
    Ok(Written { first, rest: started.elapsed().as_secs_f64() - first, tokens, text })
}

/// Milliseconds to the first piece of a short job that comes while a long one is written.
async fn beside(engine: &Arc<GgufEngine>) -> Result<f64> {
    let (events, mut pieces) = mpsc::channel(PIECES_MAX);
    let cancel = CancellationToken::new();
    let long = tokio::spawn({
        let (engine, cancel) = (Arc::clone(engine), cancel.clone());
        let job = GenerateJob::greedy(Prompt::Text(TEXTS[1].into()), LONG_TOKENS);
        async move { engine.generate(job, events, cancel).await }
    });
    ensure!(pieces.recv().await.is_some(), "the long job wrote nothing");
    let short = one(Arc::clone(engine), TEXTS[0].into(), 8).await?;
    ensure!(!long.is_finished(), "the long job ended before the short one");
    cancel.cancel();
    long.await??;
    Ok(short.first * 1_000.0)
}
