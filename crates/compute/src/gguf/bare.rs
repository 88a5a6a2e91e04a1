//! The bare library: a plain loop over `llama-cpp-2`, as a careful user of it
//! would write one. It exists to be compared with: what the engine adds
//! (scheduling, channel, stop strings, whole characters) must cost next to nothing.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;

use crate::engine::Prompt;
use crate::error::Failure;
use crate::limits::PREFILL_BATCH_TOKENS;

use super::backend::backend;
use super::model::Model;
use super::session::inference;
use super::settings::Settings;
use super::{GgufOptions, worker};

/// What a run of the bare loop took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Tokens of the prompt.
    pub tokens_in: usize,
    /// Tokens produced.
    pub tokens_out: usize,
    /// Time to the first token, in seconds.
    pub prefill_seconds: f64,
    /// Time from the first token to the last, in seconds.
    pub decode_seconds: f64,
}

impl Speed {
    /// Prompt tokens read per second, the first token's choice included.
    pub fn prefill_per_second(&self) -> f64 {
        self.tokens_in as f64 / self.prefill_seconds
    }

    /// Tokens produced per second after the first.
    pub fn decode_per_second(&self) -> f64 {
        self.tokens_out.saturating_sub(1) as f64 / self.decode_seconds
    }
}

/// A model loaded for the bare loop.
#[derive(Debug)]
pub struct BareModel {
    model: Arc<Model>,
}

impl BareModel {
    /// Loads the file without any of the engine's checks; blocks.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self { model: Arc::new(Model::load(path)?) })
    }

    /// Greedily continues `text` by up to `tokens_max` tokens in a new context
    /// (whose making is not timed), with the threads that an engine with the
    /// same [`GgufOptions::threads`](super::GgufOptions) uses; blocks.
    ///
    /// It runs on the thread on which the engine computes: a second thread
    /// would bring a second pool of OpenMP threads, which slows both down.
    pub fn decode(
        &self,
        text: &str,
        tokens_max: usize,
        threads: Option<NonZeroU32>,
    ) -> Result<Speed, Failure> {
        let (model, text) = (Arc::clone(&self.model), text.to_owned());
        let (sender, result) = mpsc::channel();
        worker::submit(move || {
            // The receiver waits right below; it cannot be gone.
            drop(sender.send(decode(&model, text, tokens_max, threads)));
        })?;
        result.recv().map_err(|_| Failure::WorkerGone)?
    }
}

fn decode(
    model: &Model,
    text: String,
    tokens_max: usize,
    threads: Option<NonZeroU32>,
) -> Result<Speed, Failure> {
    let streams = Some(NonZeroU32::MIN);
    let settings = Settings::new(&GgufOptions { threads, streams, ..GgufOptions::default() }, None);
    let context = model.llama.new_context(backend()?, settings.context_params());
    let mut context = context.map_err(inference)?;
    let tokens = model.tokens(&Prompt::Text(text))?;

    let start = Instant::now();
    let mut batch = prefill(&mut context, &tokens)?;
    let mut sampler = LlamaSampler::greedy();
    let mut next = sampler.sample(&context, -1);
    let prefill_seconds = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let vocab = model.llama.vocab();
    let mut answer = Vec::new();
    let mut tokens_out = 0;
    while !vocab.is_eog(next) {
        vocab.token_to_piece_into(next, &mut answer, false, None);
        tokens_out += 1;
        if tokens_out >= tokens_max {
            break;
        }
        batch.clear();
        let position = i32::try_from(tokens.len() + tokens_out - 1).map_err(inference)?;
        batch.add(next, position, &[0], true).map_err(inference)?;
        context.decode(&mut batch).map_err(inference)?;
        next = sampler.sample(&context, -1);
    }
    let decode_seconds = start.elapsed().as_secs_f64();
    Ok(Speed { tokens_in: tokens.len(), tokens_out, prefill_seconds, decode_seconds })
}

fn prefill(
    context: &mut LlamaContext<'_>,
    tokens: &[LlamaToken],
) -> Result<LlamaBatch<'static>, Failure> {
    let mut batch = LlamaBatch::new(PREFILL_BATCH_TOKENS as usize, 1);
    let mut position = 0;
    for part in tokens.chunks(PREFILL_BATCH_TOKENS as usize) {
        batch.clear();
        for token in part {
            let last = position + 1 == tokens.len();
            let at = i32::try_from(position).map_err(inference)?;
            batch.add(*token, at, &[0], last).map_err(inference)?;
            position += 1;
        }
        context.decode(&mut batch).map_err(inference)?;
    }
    Ok(batch)
}

/// Loads the file and runs the bare loop once: prompt tokens per second and
/// produced tokens per second. To compare under changing load, open a
/// [`BareModel`] once and alternate.
pub fn bare_decode(
    path: &Path,
    text: &str,
    tokens_max: usize,
    threads: Option<NonZeroU32>,
) -> Result<(f64, f64), Failure> {
    let speed = BareModel::open(path)?.decode(text, tokens_max, threads)?;
    Ok((speed.prefill_per_second(), speed.decode_per_second()))
}
