//! How a model is run: threads, sequences and the room of each.

use std::num::{NonZeroU32, NonZeroUsize};

use llama_cpp_2::context::params::LlamaContextParams;

use crate::limits::{
    CONTEXT_TOKENS_DEFAULT, PREFILL_BATCH_TOKENS, PREFILL_PIECE_TOKENS, STREAMS_DEFAULT,
    STREAMS_MAX,
};

use super::GgufOptions;

/// llama.cpp gives every sequence a room that is a multiple of so many tokens.
const ROOM_TOKENS_STEP: u32 = 256;

/// How a context is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    threads_prefill: i32,
    threads_decode: i32,
    context_tokens: NonZeroU32,
    streams: u32,
}

impl Settings {
    /// What `options` say, within what a model was trained for.
    pub(super) fn new(options: &GgufOptions, trained_tokens: Option<u32>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = i32::try_from(cores).unwrap_or(i32::MAX);
        let given = options.threads.map(|n| i32::try_from(n.get()).unwrap_or(i32::MAX));
        let wanted = options.context_tokens.map_or(CONTEXT_TOKENS_DEFAULT, NonZeroU32::get);
        let context_tokens = wanted.min(trained_tokens.unwrap_or(wanted));
        let streams = options.streams.map_or(STREAMS_DEFAULT, NonZeroU32::get);
        Self {
            threads_prefill: given.unwrap_or(cores),
            threads_decode: given.unwrap_or((cores - 1).max(1)),
            context_tokens: NonZeroU32::new(context_tokens).unwrap_or(NonZeroU32::MIN),
            streams: streams.min(STREAMS_MAX),
        }
    }

    /// Room of one sequence for prompt and answer together.
    pub(super) fn context_tokens(self) -> NonZeroU32 {
        self.context_tokens
    }

    /// Answers that are written together.
    pub(super) fn streams(self) -> u32 {
        self.streams
    }

    /// Tokens that the context holds, all sequences together.
    pub(super) fn cells(self) -> u32 {
        let room = self.context_tokens.get().checked_next_multiple_of(ROOM_TOKENS_STEP);
        room.unwrap_or(u32::MAX).saturating_mul(self.streams)
    }

    /// The context that these settings describe; the bare loop uses it too, so
    /// that a comparison of the two compares only the loops.
    ///
    /// Each sequence has cells of its own, so that none takes another's room and
    /// where a token lies does not depend on the others.
    pub(super) fn context_params(self) -> LlamaContextParams {
        LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(self.cells()))
            .with_n_batch(PREFILL_BATCH_TOKENS)
            .with_n_ubatch(PREFILL_BATCH_TOKENS)
            .with_n_seq_max(self.streams)
            .with_kv_unified(false)
            .with_n_threads(self.threads_decode)
            .with_n_threads_batch(self.threads_prefill)
            .with_no_perf(true)
    }

    /// A context of one sequence with this room, in which text is read piece by piece.
    pub(super) fn scoring_params(self, room: NonZeroU32) -> LlamaContextParams {
        LlamaContextParams::default()
            .with_n_ctx(Some(room))
            .with_n_batch(PREFILL_PIECE_TOKENS)
            .with_n_ubatch(PREFILL_PIECE_TOKENS)
            .with_n_threads(self.threads_decode)
            .with_n_threads_batch(self.threads_prefill)
            .with_no_perf(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stay_within_the_model_and_the_limits() {
        let check = |context: Option<u32>, streams: Option<u32>, trained, expect| {
            let options = GgufOptions {
                context_tokens: context.and_then(NonZeroU32::new),
                streams: streams.and_then(NonZeroU32::new),
                ..GgufOptions::default()
            };
            let settings = Settings::new(&options, trained);
            let got = (settings.context_tokens().get(), settings.streams(), settings.cells());
            assert_eq!(got, expect, "{options:?}");
        };
        let (context, streams) = (CONTEXT_TOKENS_DEFAULT, STREAMS_DEFAULT);
        check(None, None, None, (context, streams, context * streams));
        check(None, Some(1), Some(2048), (2048, 1, 2048));
        check(Some(300), Some(2), Some(2048), (300, 2, 1024));
        check(Some(9000), Some(9000), Some(256), (256, STREAMS_MAX, 256 * STREAMS_MAX));
    }
}
