//! One job on its way: its tokens so far, how the next is chosen, where its text
//! goes, and what it has used.
//!
//! It does not know in which sequence it runs, or whether it runs at all: it may
//! lose its sequence between two tokens and get another.
//!
//! **Invariant**: whoever waits for a task hears how it ended, or that the worker
//! is gone, and finds its place and its lease given back.

use std::sync::Arc;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::engine::{Event, Finish, GenerateJob, Usage};
use crate::error::Failure;
use crate::text::TextFilter;

use super::outlet::Outlet;
use super::places::Place;
use super::pool::Lease;

/// llama.cpp draws a random seed when it is given this one (`LLAMA_DEFAULT_SEED`).
const SEED_RANDOM: u32 = u32::MAX;

/// A job that is over.
#[derive(Debug)]
pub(super) struct Ended {
    /// Text that found no room in the events channel.
    pub(super) unsent: String,
    /// What was used; `bytes_out` without `unsent`.
    pub(super) usage: Usage,
    /// How it ended.
    pub(super) result: Result<Finish, Failure>,
}

/// What a job needs of its caller.
pub(super) struct Caller {
    pub(super) events: mpsc::Sender<Event>,
    pub(super) cancel: CancellationToken,
    pub(super) reply: oneshot::Sender<Ended>,
    /// Told when the task waits for room in the events channel.
    pub(super) paused: Arc<Notify>,
    /// The job's place among its engine's jobs.
    pub(super) place: Place,
    /// Keeps the model in memory.
    pub(super) lease: Lease,
}

/// A job, waiting or running.
pub(super) struct Task {
    /// Whose job it is.
    pub(super) party: u64,
    /// Unique among the jobs of the process, never 0.
    pub(super) number: u64,
    /// The prompt's tokens, then the answer's.
    pub(super) tokens: Vec<LlamaToken>,
    prompt_tokens: usize,
    answer_tokens_max: usize,
    sampler: LlamaSampler,
    filter: TextFilter,
    outlet: Outlet,
    usage: Usage,
    cancel: CancellationToken,
    reply: oneshot::Sender<Ended>,
    paused: Arc<Notify>,
    place: Place,
    lease: Lease,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { party, number, usage, .. } = self;
        f.debug_struct("Task")
            .field("party", party)
            .field("number", number)
            .field("usage", usage)
            .finish_non_exhaustive()
    }
}

impl Task {
    /// A job whose prompt has these tokens, fewer than `room_tokens`: the answer
    /// gets the rest of the room and no more.
    pub(super) fn new(
        job: &GenerateJob,
        number: u64,
        tokens: Vec<LlamaToken>,
        room_tokens: usize,
        caller: Caller,
    ) -> Self {
        let Caller { events, cancel, reply, paused, place, lease } = caller;
        let room = room_tokens.saturating_sub(tokens.len());
        Self {
            party: job.party,
            number,
            prompt_tokens: tokens.len(),
            answer_tokens_max: room.min(job.max_tokens as usize),
            tokens,
            sampler: sampler(job),
            filter: TextFilter::new(&job.stop),
            outlet: Outlet::new(events),
            usage: Usage { tokens_in: Some(0), tokens_out: Some(0), ..Usage::default() },
            cancel,
            reply,
            paused,
            place,
            lease,
        }
    }

    /// Whether nobody wants the rest: cancelled, or a receiver is gone.
    pub(super) fn is_unwanted(&self) -> bool {
        self.cancel.is_cancelled() || self.outlet.is_closed() || self.reply.is_closed()
    }

    /// Whether no more should be written until the reader has taken something.
    pub(super) fn is_paused(&self) -> bool {
        self.outlet.is_full()
    }

    /// Sends what waits, if there is room by now; if not, asks to be told.
    pub(super) fn flush(&mut self) {
        self.outlet.push("");
        self.tell_if_paused();
    }

    /// Notes that a sequence holds so many of its tokens, of which it held
    /// `cached` when the job came.
    pub(super) fn has_begun(&mut self, cached: usize) {
        self.usage.tokens_cached.get_or_insert(cached as u64);
        self.has_read(cached);
    }

    /// Notes that a sequence holds so many of its tokens.
    pub(super) fn has_read(&mut self, held: usize) {
        let read = held.min(self.prompt_tokens) as u64;
        self.usage.tokens_in = self.usage.tokens_in.max(Some(read));
    }

    /// Chooses the next token from the logits at `index` of the last batch, and
    /// lets its text out. Some: the answer is over.
    pub(super) fn write(
        &mut self,
        context: &LlamaContext<'_>,
        index: i32,
        vocab: &LlamaVocab<'_>,
        piece: &mut Vec<u8>,
    ) -> Option<Finish> {
        let token = self.sampler.sample(context, index);
        if vocab.is_eog(token) {
            self.outlet.push(&self.filter.finish());
            return Some(Finish::Stop);
        }
        self.tokens.push(token);
        let written = self.tokens.len() - self.prompt_tokens;
        self.usage.tokens_out = Some(written as u64);
        piece.clear();
        vocab.token_to_piece_into(token, piece, false, None);
        self.outlet.push(&self.filter.push(piece));
        if self.filter.stopped() {
            return Some(Finish::Stop);
        }
        if written >= self.answer_tokens_max {
            self.outlet.push(&self.filter.finish());
            return Some(Finish::Length);
        }
        self.tell_if_paused();
        None
    }

    fn tell_if_paused(&self) {
        if self.is_paused() {
            self.paused.notify_one();
        }
    }

    /// Ends the job and tells its caller.
    pub(super) fn end(self, result: Result<Finish, Failure>) {
        let Self { outlet, mut usage, reply, place, lease, .. } = self;
        let (bytes_out, unsent) = outlet.finish();
        usage.bytes_out = bytes_out;
        // Before the reply, so that whoever gets it finds the place free.
        drop((place, lease));
        // Whoever dropped the receiver does not ask how it ended.
        drop(reply.send(Ended { unsent, usage, result }));
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
