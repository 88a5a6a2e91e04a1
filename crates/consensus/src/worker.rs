//! The one thread that makes blocks: it executes what waits, signs, commits durably, and
//! only then publishes and answers.
//!
//! **Invariant**: at most one block is executed but not durable. While there is one, no
//! other is begun, nobody sees it, and each wake tries to make it durable again.

use crate::block::{Block, Writes};
use crate::database::{Database, Durable, Snapshot};
use crate::draft::Draft;
use crate::engine::{Committed, Status};
use crate::error::{Fault, StoreError, SubmitError};
use crate::execute::Failure;
use crate::machine::Refusal;
use crate::mempool::{Answer, Candidate, Ticket};
use crate::shared::{Shared, Wake};
use ambar_base::{Coded, Digest, Height, Moment};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// The thread's own part of an engine.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    database: Database,
    pending: Option<Proposal>,
    last: Instant,
}

/// What was tried for one block.
#[derive(Default)]
struct Trial {
    /// In the block, in order.
    applied: Vec<(Ticket, Digest)>,
    /// Not in the block.
    refused: Vec<(Ticket, Digest, SubmitError)>,
    /// Final already.
    known: Vec<(Ticket, Committed)>,
}

/// A block that was executed and is not published.
struct Proposal {
    block: Block,
    trial: Trial,
}

/// The outcome of a transaction that is final already.
pub(crate) fn committed(snapshot: &Snapshot, id: &Digest) -> Result<Option<Committed>, StoreError> {
    let Some((height, index)) = snapshot.place(id)? else { return Ok(None) };
    let block = snapshot.block(height)?;
    let found = block.and_then(|block| outcome_at(&block, index));
    let missing = || StoreError::Corrupt(format!("block {height} lacks outcome {index}"));
    found.ok_or_else(missing).map(Some)
}

fn outcome_at(block: &Block, index: u64) -> Option<Committed> {
    let outcome = block.outcomes.get(usize::try_from(index).ok()?)?.clone();
    let header = &block.finality.header;
    Some(Committed { height: header.height, time: header.time, index, outcome })
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, database: Database) -> Self {
        Self { shared, database, pending: None, last: Instant::now() }
    }

    /// Makes blocks until the engine is shut down.
    pub(crate) fn run(mut self) {
        loop {
            let wake = self.shared.wait(self.last + self.shared.settings.heartbeat);
            if wake == Wake::Stop {
                break;
            }
            let step = catch_unwind(AssertUnwindSafe(|| self.step(wake == Wake::Heartbeat)));
            let next = self.shared.head.borrow().height.after(1);
            if let Err(fault) = step.unwrap_or(Err(Fault::Panic(next))) {
                self.halt(fault);
                break;
            }
        }
        self.end();
    }

    fn halt(&self, fault: Fault) {
        tracing::error!(code = %fault.code(), %fault, "the ledger halted");
        let mut queue = self.shared.queue();
        queue.pool.fail_all(&fault.clone().into(), &BTreeSet::new());
        queue.status = Status::Halted(fault);
        drop(queue);
        self.shared.wait_for_stop();
    }

    fn end(self) {
        let mut queue = self.shared.queue();
        queue.pool.fail_all(&SubmitError::ShuttingDown, &BTreeSet::new());
        queue.status = Status::Stopped;
        drop(queue);
        self.shared.close_reads();
        // The store closes before anybody hears that it is closed.
        drop(self.database);
        self.shared.closed.send_replace(true);
    }

    fn step(&mut self, heartbeat: bool) -> Result<(), Fault> {
        if let Some(pending) = self.pending.take() {
            return match self.database.flush() {
                Ok(()) => self.publish(pending),
                Err(error) => {
                    self.stall(pending, error);
                    Ok(())
                }
            };
        }
        let snapshot = self.shared.snapshot()?;
        let (proposal, writes) = self.propose(&snapshot)?;
        if proposal.trial.applied.is_empty() && !heartbeat {
            self.settle(None, proposal.trial);
            return Ok(());
        }
        let ids: Vec<_> = proposal.trial.applied.iter().map(|(_, id)| *id).collect();
        match self.database.commit(&proposal.block, &writes, &ids)? {
            Durable::Yes => self.publish(proposal),
            Durable::NotYet(error) => {
                self.stall(proposal, error);
                Ok(())
            }
        }
    }

    fn propose(&self, snapshot: &Snapshot) -> Result<(Proposal, Writes), Fault> {
        let Shared { machine, settings, clock, .. } = &*self.shared;
        let candidates = self.shared.queue().pool.select(&settings.block);
        let parent = snapshot.head();
        // Strictly later than the parent, whatever the clock says.
        let time: Moment = clock().max(parent.time.after(1));
        let place = (settings.network, settings.key.public());
        let mut draft = Draft::begin(&**machine, place, &parent, time, snapshot)?;
        let mut trial = Trial::default();
        for candidate in &candidates {
            // The first always goes in, so that something does.
            if draft.writes() >= settings.block.writes_max && !trial.applied.is_empty() {
                break;
            }
            trial.add(candidate, &mut draft, snapshot)?;
        }
        let (block, writes) = draft.finish().sign(&settings.key);
        Ok((Proposal { block, trial }, writes))
    }

    fn publish(&mut self, proposal: Proposal) -> Result<(), Fault> {
        self.shared.publish(self.database.snapshot()?);
        self.last = Instant::now();
        self.settle(Some(&proposal.block), proposal.trial);
        Ok(())
    }

    /// Answers everybody whose transaction was tried.
    fn settle(&self, block: Option<&Block>, trial: Trial) {
        let Trial { applied, refused, known } = trial;
        let mut refusals = self.shared.refusals();
        for (_, id, error) in &refused {
            refusals.insert(*id, Refusal::new(error.code(), error.to_string()));
        }
        drop(refusals);
        let mut queue = self.shared.queue();
        queue.status = Status::Running;
        for ((ticket, _), index) in applied.iter().zip(1..) {
            let found = block.and_then(|block| outcome_at(block, index));
            let answer: Answer = found.ok_or(SubmitError::ShuttingDown);
            queue.pool.resolve(*ticket, &answer);
        }
        for (ticket, _, error) in refused {
            queue.pool.resolve(ticket, &Err(error));
        }
        for (ticket, committed) in known {
            queue.pool.resolve(ticket, &Ok(committed));
        }
        // Left over, or come meanwhile.
        queue.fresh |= !queue.pool.is_empty();
    }

    fn stall(&mut self, proposal: Proposal, error: StoreError) {
        tracing::warn!(code = %error.code(), %error, "a block waits for the disk");
        self.last = Instant::now();
        let kept = proposal.trial.applied.iter().map(|(ticket, _)| *ticket).collect();
        self.pending = Some(proposal);
        let mut queue = self.shared.queue();
        queue.pool.fail_all(&error.clone().into(), &kept);
        queue.status = Status::Stalled(error);
    }
}

impl Trial {
    fn add(
        &mut self,
        candidate: &Candidate,
        draft: &mut Draft<'_>,
        snapshot: &Snapshot,
    ) -> Result<(), StoreError> {
        let Candidate { ticket, id, expiry, bytes } = candidate;
        if let Some(committed) = committed(snapshot, id)? {
            self.known.push((*ticket, committed));
            return Ok(());
        }
        if let Err(error) = unexpired(*expiry, draft.height()) {
            self.refused.push((*ticket, *id, error));
            return Ok(());
        }
        match draft.push(bytes) {
            Ok(_) => self.applied.push((*ticket, *id)),
            Err(Failure::Refused(refusal)) => self.refused.push((*ticket, *id, refusal.into())),
            Err(Failure::Store(error)) => return Err(error),
        }
        Ok(())
    }
}

/// Refuses a transaction whose expiry lies before the next block.
pub(crate) fn unexpired(expiry: Height, next: Height) -> Result<(), SubmitError> {
    if next <= expiry { Ok(()) } else { Err(SubmitError::TransactionExpired { expiry, next }) }
}
