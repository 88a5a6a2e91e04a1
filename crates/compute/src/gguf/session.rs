//! The decode loop: prompt in, tokens out, one context for all jobs.
//!
//! Logits are computed for the last position only, the last token of an answer
//! is never fed back, and between two jobs the context is emptied by dropping
//! its bookkeeping, not by clearing its memory.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use self_cell::self_cell;

use crate::engine::{Finish, GenerateJob, Usage};
use crate::error::Failure;
use crate::limits::PREFILL_BATCH_TOKENS;
use crate::text::TextFilter;

use super::backend::backend;
use super::model::Model;
use super::outlet::Outlet;
use super::worker::{Ended, Job};

/// The one sequence that a context holds.
const SEQUENCE: i32 = 0;
/// llama.cpp draws a random seed when it is given this one (`LLAMA_DEFAULT_SEED`).
const SEED_RANDOM: u32 = u32::MAX;

/// How a context is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    threads_prefill: i32,
    threads_decode: i32,
    context_tokens: NonZeroU32,
}

impl Settings {
    /// With so many threads, or as many as suit the machine.
    pub(super) fn new(threads: Option<NonZeroU32>, context_tokens: NonZeroU32) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = i32::try_from(cores).unwrap_or(i32::MAX);
        let given = threads.map(|n| i32::try_from(n.get()).unwrap_or(i32::MAX));
        Self {
            threads_prefill: given.unwrap_or(cores),
            threads_decode: given.unwrap_or((cores - 1).max(1)),
            context_tokens,
        }
    }

    /// Room for prompt and answer together.
    pub(super) fn context_tokens(self) -> NonZeroU32 {
        self.context_tokens
    }

    /// The context that these settings describe; the bare loop uses it too, so
    /// that a comparison of the two compares only the loops.
    pub(super) fn context_params(self) -> LlamaContextParams {
        LlamaContextParams::default()
            .with_n_ctx(Some(self.context_tokens))
            .with_n_batch(PREFILL_BATCH_TOKENS)
            .with_n_ubatch(PREFILL_BATCH_TOKENS)
            .with_n_seq_max(1)
            .with_n_threads(self.threads_decode)
            .with_n_threads_batch(self.threads_prefill)
            .with_no_perf(true)
    }
}

/// A model with a context to run it in.
pub(super) struct Session<'m> {
    model: &'m Model,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    context_tokens: u32,
}

self_cell!(
    /// A session together with the model that it borrows.
    pub(super) struct OwnedSession {
        owner: Arc<Model>,
        #[covariant]
        dependent: Session,
    }

    impl {Debug}
);

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("context_tokens", &self.context_tokens)
            .finish_non_exhaustive()
    }
}

impl<'m> Session<'m> {
    pub(super) fn new(model: &'m Model, settings: Settings) -> Result<Self, Failure> {
        let context =
            model.llama.new_context(backend()?, settings.context_params()).map_err(inference)?;
        let batch = LlamaBatch::new(PREFILL_BATCH_TOKENS as usize, 1);
        Ok(Self { model, context, batch, context_tokens: settings.context_tokens.get() })
    }

    /// Runs one job to its end, whichever that is.
    pub(super) fn run(&mut self, job: &Job) -> Ended {
        let mut outlet = Outlet::new(&job.events);
        let mut usage = Usage::told(Some(0), Some(0), 0);
        let result = self.answer(job, &mut outlet, &mut usage);
        let (bytes_out, unsent) = outlet.finish();
        usage.bytes_out = bytes_out;
        Ended { unsent, usage, result }
    }

    fn answer(
        &mut self,
        job: &Job,
        outlet: &mut Outlet<'_>,
        usage: &mut Usage,
    ) -> Result<Finish, Failure> {
        if job.unwanted() {
            return Ok(Finish::Cancelled);
        }
        let tokens = self.model.tokens(&job.job.prompt)?;
        if tokens.len() >= self.context_tokens as usize {
            let (tokens, context_tokens) = (tokens.len() as u64, self.context_tokens);
            return Err(Failure::ContextTooLong { tokens, context_tokens });
        }
        self.empty_context();
        if !self.prefill(&tokens, job, usage)? {
            return Ok(Finish::Cancelled);
        }
        self.decode(tokens.len(), job, outlet, usage)
    }

    fn empty_context(&mut self) {
        let sequence = u32::try_from(SEQUENCE).ok();
        if !matches!(self.context.clear_kv_cache_seq(sequence, None, None), Ok(true)) {
            self.context.clear_kv_cache();
        }
    }

    /// Reads the prompt; false if the job was cancelled on the way.
    fn prefill(
        &mut self,
        tokens: &[LlamaToken],
        job: &Job,
        usage: &mut Usage,
    ) -> Result<bool, Failure> {
        let last = tokens.len() - 1;
        for (part, start) in tokens
            .chunks(PREFILL_BATCH_TOKENS as usize)
            .zip((0..).step_by(PREFILL_BATCH_TOKENS as usize))
        {
            if job.unwanted() {
                return Ok(false);
            }
            self.batch.clear();
            for (token, position) in part.iter().zip(start..) {
                self.feed(*token, position, position == last)?;
            }
            self.step()?;
            usage.tokens_in = Some((start + part.len()) as u64);
        }
        Ok(true)
    }

    /// Produces tokens until something ends the answer.
    fn decode(
        &mut self,
        prompt_tokens: usize,
        job: &Job,
        outlet: &mut Outlet<'_>,
        usage: &mut Usage,
    ) -> Result<Finish, Failure> {
        let vocab = self.model.llama.vocab();
        let mut sampler = sampler(&job.job);
        let mut filter = TextFilter::new(&job.job.stop);
        let mut piece = Vec::new();
        let room = self.context_tokens as usize - prompt_tokens;
        let tokens_max = room.min(job.job.max_tokens as usize);
        let mut finish = Finish::Length;
        for produced in 1..=tokens_max {
            let token = sampler.sample(&self.context, -1);
            if vocab.is_eog(token) {
                finish = Finish::Stop;
                break;
            }
            usage.tokens_out = Some(produced as u64);
            piece.clear();
            vocab.token_to_piece_into(token, &mut piece, false, None);
            outlet.push(&filter.push(&piece));
            if filter.stopped() {
                return Ok(Finish::Stop);
            }
            if job.unwanted() {
                return Ok(Finish::Cancelled);
            }
            if produced < tokens_max {
                self.batch.clear();
                self.feed(token, prompt_tokens + produced - 1, true)?;
                self.step()?;
            }
        }
        outlet.push(&filter.finish());
        Ok(finish)
    }

    fn feed(&mut self, token: LlamaToken, position: usize, logits: bool) -> Result<(), Failure> {
        let position = i32::try_from(position).map_err(inference)?;
        self.batch.add(token, position, &[SEQUENCE], logits).map_err(inference)
    }

    fn step(&mut self) -> Result<(), Failure> {
        self.context.decode(&mut self.batch).map_err(inference)
    }
}

/// Greedy at temperature 0; else temperature, then the nucleus, then a draw.
fn sampler(job: &GenerateJob) -> LlamaSampler {
    if job.temperature == 0.0 {
        return LlamaSampler::greedy();
    }
    let mut steps = vec![LlamaSampler::temp(job.temperature)];
    if job.top_p < 1.0 {
        steps.push(LlamaSampler::top_p(job.top_p, 1));
    }
    steps.push(LlamaSampler::dist(job.seed.map_or(SEED_RANDOM, fold_seed)));
    LlamaSampler::chain(steps, true)
}

/// All 64 bits of a seed in 32, never the one that means "random".
fn fold_seed(seed: u64) -> u32 {
    let folded = ((seed >> 32) ^ (seed & u64::from(u32::MAX))) as u32;
    if folded == SEED_RANDOM { 0 } else { folded }
}

/// Wraps whatever the library says.
pub(super) fn inference(error: impl std::fmt::Display) -> Failure {
    Failure::Inference { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_seed_is_never_random() {
        for (seed, expect) in
            [(0, 0), (7, 7), (u64::from(u32::MAX), 0), (1 << 32, 1), (u64::MAX, 0)]
        {
            assert_eq!(fold_seed(seed), expect, "{seed}");
        }
    }
}
