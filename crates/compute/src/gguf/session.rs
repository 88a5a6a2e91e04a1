//! One context and the jobs that run in it together.
//!
//! Each step feeds one token of every answer that is being written and, beside
//! them, a piece of at most one prompt. Logits are computed only where a token
//! is chosen, the last token of an answer is never fed back, and a sequence is
//! emptied by dropping its bookkeeping, not by clearing its memory.
//!
//! It knows no thread and no clock: somebody calls [`Session::step`] again as
//! long as it says that there is more to do.
//!
//! **Invariant**: a sequence holds exactly the tokens that its [`Held`] lists. A
//! job that nobody wants costs no step; one whose reader is slow costs the others
//! nothing, and gives up its sequence when somebody waits for one.

use std::sync::Arc;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;
use self_cell::self_cell;

use crate::engine::Finish;
use crate::error::Failure;
use crate::limits::{PREFILL_BATCH_TOKENS, PREFILL_PIECE_TOKENS};

use super::backend::backend;
use super::lane::Inbox;
use super::model::Model;
use super::settings::Settings;
use super::slots::{Held, choose};
use super::task::Task;

/// A sequence and the job that has it.
#[derive(Debug, Default)]
struct Slot {
    held: Held,
    task: Option<Task>,
    /// When a piece of its prompt was read last.
    read_at: u64,
    /// When its job was found paused first.
    paused_at: Option<u64>,
}

impl Slot {
    /// The tokens that its job needs fed before the next can be chosen; none
    /// while it is paused.
    fn wanted(&self) -> &[LlamaToken] {
        match &self.task {
            Some(task) if !task.is_paused() => &task.tokens[self.held.tokens.len()..],
            _ => &[],
        }
    }
}

/// A model with a context to run it in.
pub(super) struct Session<'m> {
    model: &'m Model,
    context: LlamaContext<'m>,
    batch: LlamaBatch<'static>,
    slots: Vec<Slot>,
    /// Jobs that lost their sequence because their readers were slow.
    parked: Vec<Task>,
    /// Which slots have tokens in the batch, how many, and where the logits of
    /// the last are, if they are wanted.
    fed: Vec<(usize, usize, Option<i32>)>,
    steps: u64,
    piece: Vec<u8>,
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
        f.debug_struct("Session").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

impl<'m> Session<'m> {
    pub(super) fn new(model: &'m Model, settings: Settings) -> Result<Self, Failure> {
        let context =
            model.llama.new_context(backend()?, settings.context_params()).map_err(inference)?;
        Ok(Self {
            model,
            context,
            batch: LlamaBatch::new(PREFILL_BATCH_TOKENS as usize, 1),
            slots: (0..settings.streams()).map(|_| Slot::default()).collect(),
            parked: Vec::new(),
            fed: Vec::new(),
            steps: 0,
            piece: Vec::new(),
        })
    }

    /// Brings every job that can go on one step further; false: there is nothing
    /// to do until a job comes or a reader takes something.
    pub(super) fn step(&mut self, inbox: &Inbox) -> bool {
        self.steps += 1;
        self.look_after(inbox);
        self.seat(inbox);
        if let Err(failure) = self.fill().and_then(|()| self.compute()) {
            self.fail(&failure);
        }
        !inbox.is_empty() || self.slots.iter().any(|slot| !slot.wanted().is_empty())
    }

    /// Ends what nobody wants, and sends what has found no room before.
    fn look_after(&mut self, inbox: &Inbox) {
        for slot in &mut self.slots {
            if slot.task.as_ref().is_some_and(Task::is_unwanted) {
                end(slot, Ok(Finish::Cancelled));
            }
            let Some(task) = slot.task.as_mut().filter(|task| task.is_paused()) else {
                slot.paused_at = None;
                continue;
            };
            task.flush();
            slot.paused_at.get_or_insert(self.steps);
        }
        for mut task in std::mem::take(&mut self.parked) {
            task.flush();
            if task.is_unwanted() {
                task.end(Ok(Finish::Cancelled));
            } else if task.is_paused() {
                self.parked.push(task);
            } else {
                inbox.push_again(task);
            }
        }
    }

    /// Gives sequences to those who wait: free ones, then those of slow readers.
    fn seat(&mut self, inbox: &Inbox) {
        while self.slots.iter().any(|slot| slot.wanted().is_empty()) {
            let Some(task) = inbox.pop() else { return };
            if task.is_unwanted() {
                task.end(Ok(Finish::Cancelled));
                continue;
            }
            if self.slots.iter().all(|slot| slot.task.is_some()) {
                self.park();
            }
            self.begin(task);
        }
    }

    /// Takes its sequence from the job that has been paused for the longest time.
    fn park(&mut self) {
        let paused = self.slots.iter_mut().filter(|slot| slot.paused_at.is_some());
        let longest = paused.min_by_key(|slot| slot.paused_at);
        if let Some(slot) = longest {
            slot.paused_at = None;
            self.parked.extend(slot.task.take());
        }
    }

    fn begin(&mut self, mut task: Task) {
        let free = self.slots.iter().enumerate().filter(|(_, slot)| slot.task.is_none());
        let free = free.map(|(at, slot)| (at, &slot.held));
        let Some((at, kept)) = choose(free, task.party, task.number, &task.tokens) else {
            return self.parked.push(task);
        };
        let kept = self.keep(at, kept);
        task.has_begun(kept);
        let slot = &mut self.slots[at];
        slot.held.party = task.party;
        slot.held.job = task.number;
        slot.held.last_used = self.steps;
        slot.read_at = 0;
        slot.paused_at = None;
        slot.task = Some(task);
    }

    /// Keeps the first tokens of a sequence, or none where the model's memory
    /// cannot be cut (recurrent ones); how many are kept.
    fn keep(&mut self, at: usize, kept: usize) -> usize {
        let sequence = u32::try_from(at).ok();
        let from = u32::try_from(kept).ok();
        let cut = self.context.clear_kv_cache_seq(sequence, from, None);
        let kept = if matches!(cut, Ok(true)) {
            kept
        } else {
            // Whole sequences can always be emptied.
            drop(self.context.clear_kv_cache_seq(sequence, None, None));
            0
        };
        self.slots[at].held.tokens.truncate(kept);
        kept
    }

    /// Puts together what is fed in this step, in the order of the sequences:
    /// neighbours are computed together.
    fn fill(&mut self) -> Result<(), Failure> {
        self.batch.clear();
        self.fed.clear();
        let wanted = |slot: &Slot| slot.wanted().len();
        let writing = self.slots.iter().filter(|slot| wanted(slot) == 1).count();
        let readers = || self.slots.iter().enumerate().filter(|(_, slot)| wanted(slot) > 1);
        // Whose turn it is: the one whose last piece is the longest ago.
        let reader = readers().min_by_key(|(_, slot)| slot.read_at).map(|(at, _)| at);
        let alone = writing == 0 && readers().count() == 1;
        let piece = if alone { PREFILL_BATCH_TOKENS } else { PREFILL_PIECE_TOKENS } as usize;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let count = match slot.wanted().len() {
                1 => 1,
                more if reader == Some(at) => more.min(piece),
                _ => continue,
            };
            let last = count == slot.wanted().len();
            let sequence = i32::try_from(at).map_err(inference)?;
            let start = slot.held.tokens.len();
            for (offset, token) in slot.wanted()[..count].iter().enumerate() {
                let position = i32::try_from(start + offset).map_err(inference)?;
                let logits = last && offset + 1 == count;
                self.batch.add(*token, position, &[sequence], logits).map_err(inference)?;
            }
            let logits = last.then(|| self.batch.n_tokens() - 1);
            self.fed.push((at, count, logits));
            slot.read_at = self.steps;
        }
        Ok(())
    }

    /// Computes the batch and lets every job that can choose its next token.
    fn compute(&mut self) -> Result<(), Failure> {
        if self.fed.is_empty() {
            return Ok(());
        }
        self.context.decode(&mut self.batch).map_err(inference)?;
        let vocab = self.model.llama.vocab();
        for (at, count, logits) in self.fed.drain(..) {
            let Slot { held, task: occupant, .. } = &mut self.slots[at];
            let Some(task) = occupant else { continue };
            let start = held.tokens.len();
            held.tokens.extend_from_slice(&task.tokens[start..start + count]);
            held.last_used = self.steps;
            task.has_read(held.tokens.len());
            let Some(index) = logits else { continue };
            if let Some(finish) = task.write(&self.context, index, &vocab, &mut self.piece) {
                end(&mut self.slots[at], Ok(finish));
            }
        }
        Ok(())
    }

    /// The library failed: what was in the batch is over, and what its sequences
    /// hold is not known any more.
    fn fail(&mut self, failure: &Failure) {
        for (at, ..) in std::mem::take(&mut self.fed) {
            self.keep(at, 0);
            end(&mut self.slots[at], Err(Failure::Inference { reason: failure.to_string() }));
        }
    }

    /// Drops every job; their callers learn that the worker is gone.
    pub(super) fn abandon(&mut self) {
        self.parked.clear();
        self.slots.iter_mut().for_each(|slot| slot.task = None);
    }
}

fn end(slot: &mut Slot, result: Result<Finish, Failure>) {
    if let Some(task) = slot.task.take() {
        task.end(result);
    }
}

/// Wraps whatever the library says.
pub(super) fn inference(error: impl std::fmt::Display) -> Failure {
    Failure::Inference { reason: error.to_string() }
}
