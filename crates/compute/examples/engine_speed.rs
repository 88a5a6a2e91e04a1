//! Tokens per second of the GGUF engine beside those of the bare library, on
//! the same file and threads, in alternating rounds; the best of each counts.
//!
//! `cargo run --release -p ambar-compute --example engine_speed -- MODEL.gguf [ROUNDS] [THREADS]`

use std::error::Error;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Instant;

use ambar_compute::gguf::{BareModel, GgufEngine, GgufOptions, Speed};
use ambar_compute::{Engine, GenerateJob, Prompt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Repeats of the sentence below: 261 tokens with the tokenizer of `SmolLM2`.
const SENTENCES: usize = 20;
const SENTENCE: &str = "The lighthouse keeper counted the ships that passed in the long night. ";
/// Tokens to produce in each round.
const TOKENS: u32 = 128;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path: PathBuf = arguments.next().ok_or("usage: engine_speed MODEL.gguf [ROUNDS]")?.into();
    let rounds: usize = arguments.next().map_or(Ok(5), |rounds| rounds.parse())?;
    let threads: Option<NonZeroU32> = arguments.next().map(|n| n.parse()).transpose()?;
    let engine = GgufEngine::open(&path, GgufOptions { threads, ..GgufOptions::default() })?;
    let bare = BareModel::open(&path)?;
    let text = SENTENCE.repeat(SENTENCES);

    let (mut best_engine, mut best_bare) = ((0.0, 0.0), (0.0, 0.0));
    for round in 0..rounds {
        let engine_speed = run_engine(&engine, &text).await?;
        let bare_speed = bare.decode(&text, TOKENS as usize, threads)?;
        println!("round {round}: engine {} bare {}", show(&engine_speed), show(&bare_speed));
        best_engine = better(best_engine, &engine_speed);
        best_bare = better(best_bare, &bare_speed);
    }
    println!(
        "best prefill: engine {:.1} bare {:.1} tokens/s, ratio {:.3}",
        best_engine.0,
        best_bare.0,
        best_engine.0 / best_bare.0
    );
    println!(
        "best decode: engine {:.1} bare {:.1} tokens/s, ratio {:.3}",
        best_engine.1,
        best_bare.1,
        best_engine.1 / best_bare.1
    );
    Ok(())
}

/// One job, timed from the outside: as a caller sees it.
async fn run_engine(engine: &GgufEngine, text: &str) -> Result<Speed, Box<dyn Error>> {
    engine.load().await?;
    let job = GenerateJob::greedy(Prompt::Text(text.to_owned()), TOKENS);
    let (events, mut incoming) = mpsc::channel(64);
    let start = Instant::now();
    let reading = tokio::spawn(async move {
        let mut first = None;
        while incoming.recv().await.is_some() {
            first.get_or_insert_with(|| start.elapsed());
        }
        (first, start.elapsed())
    });
    let generation = engine.generate(job, events, CancellationToken::new()).await?;
    let (first, last) = reading.await?;
    let first = first.ok_or("the model produced nothing")?;
    let tokens = |count: Option<u64>| count.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    Ok(Speed {
        tokens_in: tokens(generation.usage.tokens_in),
        tokens_out: tokens(generation.usage.tokens_out),
        prefill_seconds: first.as_secs_f64(),
        decode_seconds: (last - first).as_secs_f64(),
    })
}

fn better(best: (f64, f64), speed: &Speed) -> (f64, f64) {
    (best.0.max(speed.prefill_per_second()), best.1.max(speed.decode_per_second()))
}

fn show(speed: &Speed) -> String {
    format!(
        "{} in at {:.1}/s, {} out at {:.1}/s;",
        speed.tokens_in,
        speed.prefill_per_second(),
        speed.tokens_out,
        speed.decode_per_second()
    )
}
