//! Executing one item: reading what it asks for, applying it, holding its limits.
//!
//! Pure but for the reads. **Invariant**: an item that fails leaves the overlay as it was.

use crate::block::Writes;
use crate::error::StoreError;
use crate::limits::{
    KEY_BYTES_MAX, KEYS_PER_ITEM_MAX, OUTCOME_BYTES_MAX, ROUNDS_MAX, VALUE_BYTES_MAX,
    WRITES_PER_ITEM_MAX,
};
use crate::machine::{
    Applied, BlockContext, Execution, Item, ReadSet, Refusal, StateMachine, Step, Write,
};
use crate::state::State;
use ambar_base::ErrorCode;
use bytes::Bytes;

/// Why an item was not executed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The machine, or a limit, refused it.
    Refused(Refusal),
    /// The state could not be read.
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A block's net writes so far, over the state before the block.
pub(crate) struct Overlay<'a> {
    base: &'a dyn State,
    writes: Writes,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(base: &'a dyn State) -> Self {
        Self { base, writes: Writes::new() }
    }

    pub(crate) fn writes(&self) -> &Writes {
        &self.writes
    }

    pub(crate) fn into_writes(self) -> Writes {
        self.writes
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn put(&mut self, writes: Vec<Write>) {
        self.writes.extend(writes.into_iter().map(|(key, value)| (key, value.map(Bytes::from))));
    }
}

/// Executes `item` over the overlay and yields its outcome.
pub(crate) fn execute(
    machine: &dyn StateMachine,
    context: &BlockContext,
    item: Item<'_>,
    overlay: &mut Overlay<'_>,
) -> Result<Vec<u8>, Failure> {
    let execution = machine.open(context, item)?;
    let Applied { writes, outcome } = run(execution.as_ref(), overlay)?;
    at_most("bytes of outcome", outcome.len(), OUTCOME_BYTES_MAX)?;
    at_most("writes", writes.len(), WRITES_PER_ITEM_MAX)?;
    for (key, value) in &writes {
        at_most("bytes of a key", key.len(), KEY_BYTES_MAX)?;
        at_most("bytes of a value", value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX)?;
    }
    overlay.put(writes);
    Ok(outcome)
}

fn run(execution: &dyn Execution, overlay: &Overlay<'_>) -> Result<Applied, Failure> {
    let mut read = ReadSet::default();
    for _ in 0..ROUNDS_MAX {
        match execution.step(&read)? {
            Step::Done(applied) => return Ok(applied),
            Step::Need(keys) => fetch(keys, &mut read, overlay)?,
        }
    }
    match execution.step(&read)? {
        Step::Done(applied) => Ok(applied),
        Step::Need(_) => Err(past("rounds of keys", ROUNDS_MAX + 1, ROUNDS_MAX).into()),
    }
}

fn fetch(keys: Vec<Vec<u8>>, read: &mut ReadSet, overlay: &Overlay<'_>) -> Result<(), Failure> {
    at_most("keys", read.len().saturating_add(keys.len()), KEYS_PER_ITEM_MAX)?;
    for key in keys {
        at_most("bytes of a key", key.len(), KEY_BYTES_MAX)?;
        let value = overlay.get(&key)?;
        read.insert(key, value);
    }
    Ok(())
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count <= max { Ok(()) } else { Err(past(what, count, max)) }
}

fn past(what: &str, count: usize, max: usize) -> Refusal {
    Refusal::new(ErrorCode::LimitExceeded, format!("{count} {what}; at most {max} are allowed"))
}
