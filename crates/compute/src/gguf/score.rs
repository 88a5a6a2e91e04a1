//! How likely a model finds a text that it is shown, rather than asked for: the log-likelihood
//! of continuations of a prompt, token by token (teacher forcing).
//!
//! Audits and measurements use it; no call does, so it is no part of
//! [`Engine`](crate::Engine): few servers can be asked for it. It has a context of its own, of
//! at most one stream's room and beside what the pool counts, and lets the jobs of all models
//! have their turns between two pieces of text.
//!
//! **Invariant**: prompt, continuation and weights determine the number on one machine with one
//! number of threads, whatever else is asked and in whichever company a continuation is scored.

use std::num::NonZeroU32;
use std::sync::Arc;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;
use self_cell::self_cell;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::engine::Prompt;
use crate::error::Failure;
use crate::limits::{CONTINUATIONS_MAX, PREFILL_PIECE_TOKENS, PROMPT_BYTES_MAX};

use super::GgufEngine;
use super::backend::backend;
use super::model::Model;
use super::pool::Lease;
use super::session::inference;
use super::settings::Settings;
use super::worker;

/// How likely a model finds one continuation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// Its tokens, as the model's tokenizer cuts the text by itself.
    pub tokens: u32,
    /// The natural logarithm of the product of their probabilities, each given the prompt and
    /// the tokens before it; 0 for no tokens.
    pub log_likelihood: f64,
}

impl GgufEngine {
    /// The log-likelihood of each of these continuations of `prompt`, in their order. The
    /// prompt is read once. That an answer ends there is no part of it.
    ///
    /// # Errors
    /// [`Failure::InvalidJob`], [`Failure::ContextTooLong`] (prompt and continuation together),
    /// [`Failure::Cancelled`] within one piece of text, and what loading a model fails with.
    pub async fn log_likelihoods(
        &self,
        prompt: Prompt,
        continuations: Vec<String>,
        cancel: CancellationToken,
    ) -> Result<Vec<Likelihood>, Failure> {
        validate(&prompt, &continuations)?;
        // One at a time: each has a context that nobody counts.
        let _alone = self.scoring.lock().await;
        let (lane, lease) = self.member.lease().await?;
        let model = Arc::clone(lane.model());
        let (settings, read) = (self.settings, prompt);
        let begun = on_worker(move || Scoring::begin(model, lease, settings, &read, continuations));
        let mut scoring = begun.await??;
        while !scoring.is_done() {
            if cancel.is_cancelled() {
                return Err(Failure::Cancelled);
            }
            scoring = on_worker(move || scoring.step()).await??;
        }
        Ok(scoring.found)
    }
}

fn validate(prompt: &Prompt, continuations: &[String]) -> Result<(), Failure> {
    prompt.validate()?;
    if continuations.len() > CONTINUATIONS_MAX {
        let asked = continuations.len();
        return Err(Failure::invalid(format!(
            "{asked} continuations, at most {CONTINUATIONS_MAX}"
        )));
    }
    let bytes: usize = continuations.iter().map(String::len).sum();
    if bytes > PROMPT_BYTES_MAX {
        return Err(Failure::invalid(format!(
            "the continuations have {bytes} bytes, at most {PROMPT_BYTES_MAX}"
        )));
    }
    Ok(())
}

/// Does `work` on the thread on which models compute: another would bring a second pool of
/// OpenMP threads.
async fn on_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (reply, done) = oneshot::channel();
    // Whoever dropped the receiver does not ask.
    worker::submit(move || drop(reply.send(work())))?;
    done.await.map_err(|_| Failure::WorkerGone)
}

/// A context and the tokens that it holds.
struct Reading<'m> {
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    held: Vec<LlamaToken>,
}

self_cell!(
    /// A reading together with the model that it borrows.
    struct OwnedReading {
        owner: Arc<Model>,
        #[covariant]
        dependent: Reading,
    }
);

/// Prompt and continuation as tokens.
struct Text {
    tokens: Vec<LlamaToken>,
    prompt_tokens: usize,
}

/// Continuations on their way.
struct Scoring {
    reading: OwnedReading,
    /// Those that are left, the next one last.
    left: Vec<Text>,
    /// The log-likelihood of the next one as far as it is read.
    sum: f64,
    found: Vec<Likelihood>,
    /// Keeps the model in memory.
    _lease: Lease,
}

impl Scoring {
    fn begin(
        model: Arc<Model>,
        lease: Lease,
        settings: Settings,
        prompt: &Prompt,
        continuations: Vec<String>,
    ) -> Result<Self, Failure> {
        let prompt = model.tokens(prompt)?;
        let text = |continuation: String| {
            // Text is text: nothing in it is taken for a control token.
            let own = model.llama.vocab().tokenize(continuation.as_bytes(), false, false);
            Text { tokens: [&prompt[..], &own].concat(), prompt_tokens: prompt.len() }
        };
        let left: Vec<Text> = continuations.into_iter().rev().map(text).collect();
        let longest = left.iter().map(|text| text.tokens.len()).max().unwrap_or(0);
        let context_tokens = settings.context_tokens().get();
        if longest > context_tokens as usize {
            return Err(Failure::ContextTooLong { tokens: longest as u64, context_tokens });
        }
        let room = u32::try_from(longest).ok().and_then(NonZeroU32::new);
        let room = room.unwrap_or(NonZeroU32::MIN);
        let reading = OwnedReading::try_new(model, |model| Reading::new(model, settings, room))?;
        Ok(Self { reading, left, sum: 0.0, found: Vec::new(), _lease: lease })
    }

    fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// Reads one more piece of the next continuation.
    fn step(mut self) -> Result<Self, Failure> {
        let Some(text) = self.left.last() else { return Ok(self) };
        let (more, done) = self.reading.with_dependent_mut(|_, reading| reading.read(text))?;
        self.sum += more;
        if done {
            let tokens =
                u32::try_from(text.tokens.len() - text.prompt_tokens).map_err(inference)?;
            self.found.push(Likelihood { tokens, log_likelihood: self.sum });
            self.sum = 0.0;
            self.left.pop();
            let next = self.left.last().map_or(0, |text| text.prompt_tokens);
            self.reading.with_dependent_mut(|_, reading| reading.keep(next.saturating_sub(1)));
        }
        Ok(self)
    }
}

impl<'m> Reading<'m> {
    fn new(model: &'m Model, settings: Settings, room: NonZeroU32) -> Result<Self, Failure> {
        let context = model.llama.new_context(backend()?, settings.scoring_params(room));
        let batch = LlamaBatch::new(PREFILL_PIECE_TOKENS as usize, 1);
        Ok(Self { context: context.map_err(inference)?, batch, held: Vec::new() })
    }

    /// Keeps the first tokens that it holds, or none where the model's memory cannot be cut
    /// (recurrent ones).
    fn keep(&mut self, kept: usize) {
        let from = u32::try_from(kept).ok();
        if matches!(self.context.clear_kv_cache_seq(Some(0), from, None), Ok(true)) {
            return self.held.truncate(kept);
        }
        // Whole sequences can always be emptied.
        drop(self.context.clear_kv_cache_seq(Some(0), None, None));
        self.held.clear();
    }

    /// Reads the next piece of a text: what its tokens add to the log-likelihood, and whether
    /// it is read to its end. The last token is not read: nothing is asked after it.
    fn read(&mut self, text: &Text) -> Result<(f64, bool), Failure> {
        let start = self.held.len();
        let last = text.tokens.len() - 1;
        // A piece does not go on from the prompt into the answer, so that pieces of the
        // continuation are the same whatever was read before.
        let limit = if start + 1 < text.prompt_tokens { text.prompt_tokens - 1 } else { last };
        let end = limit.min(start + PREFILL_PIECE_TOKENS as usize);
        if start == end {
            return Ok((0.0, true));
        }
        self.batch.clear();
        for (at, token) in text.tokens[start..end].iter().enumerate() {
            let position = i32::try_from(start + at).map_err(inference)?;
            let asked = start + at + 1 >= text.prompt_tokens;
            self.batch.add(*token, position, &[0], asked).map_err(inference)?;
        }
        self.context.decode(&mut self.batch).map_err(inference)?;
        self.held.extend_from_slice(&text.tokens[start..end]);
        let mut sum = 0.0;
        for at in start..end {
            if at + 1 >= text.prompt_tokens {
                let index = i32::try_from(at - start).map_err(inference)?;
                sum += log_probability(self.context.get_logits_ith(index), text.tokens[at + 1])?;
            }
        }
        Ok((sum, end == last))
    }
}

/// The logarithm of a token's probability under a softmax of the logits.
fn log_probability(logits: &[f32], token: LlamaToken) -> Result<f64, Failure> {
    let own = usize::try_from(token.0).ok().and_then(|token| logits.get(token));
    let own = *own.ok_or_else(|| inference("a token that the vocabulary lacks"))?;
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - most).exp()).sum();
    Ok(f64::from(own - most) - sum.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_a_softmax() {
        let logits = [0.0, 1.0_f32.ln(), 2.0_f32.ln(), 4.0_f32.ln()];
        let sum: f64 =
            (0..4).map(|token| log_probability(&logits, LlamaToken(token)).unwrap().exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        let half = log_probability(&logits, LlamaToken(3)).unwrap();
        assert!((half - 0.5_f64.ln()).abs() < 1e-6, "{half}");
        for token in [-1, 4] {
            assert!(log_probability(&logits, LlamaToken(token)).is_err());
        }
    }

    #[test]
    fn jobs_are_checked() {
        let check = |prompt: &str, continuations: Vec<String>, valid: bool| {
            let prompt = Prompt::Text(prompt.to_owned());
            assert_eq!(validate(&prompt, &continuations).is_ok(), valid, "{prompt:?}");
        };
        check("x", Vec::new(), true);
        check("", vec!["y".into()], false);
        check("x", vec![String::new(); CONTINUATIONS_MAX], true);
        check("x", vec![String::new(); CONTINUATIONS_MAX + 1], false);
        check("x", vec!["y".repeat(PROMPT_BYTES_MAX + 1)], false);
    }
}
