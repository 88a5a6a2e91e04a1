//! The null engine, a documented engine kind for load tests and examples: it
//! answers with numbered words, does no work, and does the same every time. With
//! it, what is measured is everything around an engine.
//!
//! One word is one token, in prompts (split at white space) and in answers.
//!
//! **Invariant**: the answer depends on the options and the job's `max_tokens`
//! and `stop` only.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::deliver::deliver;
use crate::engine::{
    Count, Engine, EngineInfo, Event, Finish, GenerateJob, Generation, Prompt, Usage,
};
use crate::error::{EngineError, Failure};
use crate::text::StopFilter;
use crate::vectors::{EmbedJob, Embeddings};

/// Numbers in an embedding of the null engine.
pub const NULL_EMBEDDING_WIDTH: u32 = 64;
/// Words of an answer unless configured.
pub const NULL_TOKENS_DEFAULT: u32 = 16;

/// How a null engine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NullOptions {
    /// Words of every answer, at least 1.
    pub tokens: u32,
    /// Pause before each word, in milliseconds.
    pub delay_ms: u64,
}

impl Default for NullOptions {
    fn default() -> Self {
        Self { tokens: NULL_TOKENS_DEFAULT, delay_ms: 0 }
    }
}

/// An engine that does no work. See the [module's documentation](self).
#[derive(Debug, Clone, Copy, Default)]
pub struct NullEngine {
    options: NullOptions,
}

impl NullEngine {
    /// An engine that answers as `options` say.
    pub fn new(options: NullOptions) -> Self {
        Self { options }
    }

    /// The `index`th word of every answer, with the space before it.
    pub fn word(index: u32) -> String {
        if index == 0 { "w0".to_owned() } else { format!(" w{index}") }
    }

    async fn run(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> Result<Generation, EngineError> {
        job.validate()?;
        let mut usage = Usage::told(Some(words(&job.prompt)), Some(0), 0);
        let mut filter = StopFilter::new(&job.stop);
        let wanted = self.options.tokens.min(job.max_tokens);
        for index in 0..wanted {
            if !self.pause(&events, &cancel).await {
                return Ok(Generation { usage, finish: Finish::Cancelled });
            }
            usage.tokens_out = Some(u64::from(index) + 1);
            let mut text = filter.push(&Self::word(index));
            if index + 1 == wanted {
                text.push_str(&filter.finish());
            }
            if !deliver(text, &mut usage, &events, &cancel).await {
                return Ok(Generation { usage, finish: Finish::Cancelled });
            }
            if filter.stopped() {
                return Ok(Generation { usage, finish: Finish::Stop });
            }
        }
        let cut = self.options.tokens > job.max_tokens;
        Ok(Generation { usage, finish: if cut { Finish::Length } else { Finish::Stop } })
    }

    /// Waits before a word; false if the job was cancelled meanwhile.
    async fn pause(&self, events: &mpsc::Sender<Event>, cancel: &CancellationToken) -> bool {
        if self.options.delay_ms > 0 {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.options.delay_ms)) => {}
                () = cancel.cancelled() => {}
                () = events.closed() => {}
            }
        }
        !cancel.is_cancelled() && !events.is_closed()
    }
}

fn words(prompt: &Prompt) -> u64 {
    let count = |text: &str| text.split_whitespace().count() as u64;
    match prompt {
        Prompt::Chat(messages) => messages.iter().map(|m| count(&m.content)).sum(),
        Prompt::Text(text) => count(text),
    }
}

impl Engine for NullEngine {
    fn describe(&self) -> EngineInfo {
        EngineInfo {
            kind: "null",
            model: "null".to_owned(),
            architecture: None,
            context_tokens: None,
            embedding_width: Some(NULL_EMBEDDING_WIDTH),
            can_generate: true,
            can_embed: true,
        }
    }

    fn load(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        async { Ok(()) }.boxed()
    }

    fn count<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Count, EngineError>> {
        async move {
            prompt.validate()?;
            Ok(Count::Exact(words(prompt)))
        }
        .boxed()
    }

    fn generate(
        &self,
        job: GenerateJob,
        events: mpsc::Sender<Event>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Generation, EngineError>> {
        self.run(job, events, cancel).boxed()
    }

    fn embed(
        &self,
        job: EmbedJob,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<Embeddings, EngineError>> {
        async move {
            job.validate()?;
            self.check_embed(&job)?;
            if cancel.is_cancelled() {
                return Err(Failure::Cancelled.into());
            }
            let EmbedJob { inputs, .. } = job;
            let tokens = inputs.iter().map(|i| i.split_whitespace().count() as u64).sum();
            let vectors = inputs.iter().map(|input| hash_vector(input)).collect();
            Ok(Embeddings { vectors, tokens: Some(tokens) })
        }
        .boxed()
    }
}

/// A unit vector from the text's hash: FNV-1a (64 bit) stretched by `SplitMix64`.
fn hash_vector(text: &str) -> Vec<f32> {
    let mut state = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let raw: Vec<f32> = (0..NULL_EMBEDDING_WIDTH).map(|_| split_mix(&mut state)).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.into_iter().map(|x| x / length).collect()
}

/// The next number of `SplitMix64` (Steele, Lea and Flood 2014), within -1..1.
fn split_mix(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 24 bits are what an f32 holds exactly; the half avoids an all-zero vector.
    ((z >> 40) as f32 + 0.5) / (1u64 << 23) as f32 - 1.0
}

#[cfg(test)]
#[path = "null_tests.rs"]
mod tests;
