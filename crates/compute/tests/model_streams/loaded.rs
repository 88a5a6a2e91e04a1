//! What the tests with a real language model share: `AMBAR_MODEL_GGUF` names an
//! instruction tuned one that knows the capital of France.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use ambar_compute::gguf::{GgufEngine, GgufOptions, Pool};
use ambar_compute::{Engine, EngineError, Event, GenerateJob, Generation, Prompt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub fn model_path() -> PathBuf {
    std::env::var_os("AMBAR_MODEL_GGUF")
        .expect("AMBAR_MODEL_GGUF must name a GGUF file, as ./check sets it")
        .into()
}

pub fn options(streams: u32) -> GgufOptions {
    GgufOptions { streams: NonZeroU32::new(streams), ..GgufOptions::default() }
}

/// An engine that writes so many answers together.
pub fn engine(streams: u32) -> Arc<GgufEngine> {
    engine_in(&Pool::of_process(), model_path(), streams)
}

pub fn engine_in(pool: &Pool, path: PathBuf, streams: u32) -> Arc<GgufEngine> {
    Arc::new(GgufEngine::open_in(pool.clone(), path, options(streams)).unwrap())
}

/// A greedy continuation of a text that does not end by itself.
pub fn counting(max_tokens: u32) -> GenerateJob {
    GenerateJob::greedy(Prompt::Text("1, 2, 3, 4, 5, 6, 7, 8,".into()), max_tokens)
}

/// Greedy continuations of four texts.
pub fn four(max_tokens: u32) -> [GenerateJob; 4] {
    [
        "The lighthouse keeper counted the ships that passed in the long night.",
        "A recipe for bread: take flour, water and",
        "The capital of France is Paris. The capital of Italy is",
        "Once upon a time there was a king who had three",
    ]
    .map(|text| GenerateJob::greedy(Prompt::Text(text.into()), max_tokens))
}

/// A job under way.
pub struct Call {
    pub incoming: mpsc::Receiver<Event>,
    pub cancel: CancellationToken,
    pub running: JoinHandle<Result<Generation, EngineError>>,
}

impl Call {
    /// Starts a job whose events channel holds so many pieces.
    pub fn start(engine: &Arc<GgufEngine>, job: GenerateJob, pieces: usize) -> Self {
        let (events, incoming) = mpsc::channel(pieces);
        let cancel = CancellationToken::new();
        let (engine, until) = (Arc::clone(engine), cancel.clone());
        let running = tokio::spawn(async move { engine.generate(job, events, until).await });
        Self { incoming, cancel, running }
    }

    /// The next piece of the answer.
    pub async fn piece(&mut self) -> Option<String> {
        self.incoming.recv().await.map(|event| match event {
            Event::Text(text) => text,
            Event::Piece(piece) => panic!("{piece:?} of a model that writes text"),
        })
    }

    /// The rest of the answer, and how it ended.
    pub async fn rest(mut self) -> (String, Generation) {
        let mut text = String::new();
        while let Some(piece) = self.piece().await {
            text.push_str(&piece);
        }
        (text, self.running.await.unwrap().unwrap())
    }
}

/// The whole answer, and how it ended.
pub async fn answer(engine: &Arc<GgufEngine>, job: GenerateJob) -> (String, Generation) {
    Call::start(engine, job, 64).rest().await
}
