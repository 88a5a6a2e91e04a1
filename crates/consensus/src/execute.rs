//! Executing one item: reading what it asks for, applying it, holding its limits.
//!
//! Pure but for the reads. **Invariant**: an item that fails leaves the overlay as it was.

use crate::block::Writes;
use crate::error::{Fault, StoreError};
use crate::limits::{
    KEY_BYTES_MAX, KEYS_PER_ITEM_MAX, OUTCOME_BYTES_MAX, ROUNDS_MAX, VALUE_BYTES_MAX,
    WRITES_PER_ITEM_MAX,
};
use crate::listing::{Listing, Lists};
use crate::machine::{
    Applied, BlockContext, Execution, Item, Need, ReadSet, Refusal, StateMachine, Step, Write,
};
use crate::state::State;
use ambar_base::{Digest, ErrorCode};
use bytes::Bytes;
use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why an item was not executed.
#[derive(Debug)]
pub enum Failure {
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

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Begin { refusal, .. } | Fault::End { reason: refusal, .. } => {
                Self::Refused(refusal)
            }
            Fault::Store(error) => Self::Store(error),
            Fault::VotesLost { .. } => Self::Store(StoreError::Closed),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The state before a block, wherever it is kept.
pub trait Fetch: Send + Sync {
    /// The values of keys, in their order.
    fn fetch<'a>(
        &'a self,
        keys: &'a [Vec<u8>],
    ) -> impl Future<Output = Result<Vec<Option<Bytes>>, StoreError>> + Send + 'a;

    /// For each id the keys of entries that may list it: every entry that does is there.
    fn places<'a>(&'a self, ids: &'a [Digest]) -> Vec<Vec<Vec<u8>>>;
}

/// State that is read at once: its futures are ready.
pub struct Local<'s> {
    /// The state.
    pub state: &'s dyn State,
    /// Its index.
    pub listing: &'s Listing,
}

impl Fetch for Local<'_> {
    async fn fetch<'a>(&'a self, keys: &'a [Vec<u8>]) -> Result<Vec<Option<Bytes>>, StoreError> {
        keys.iter().map(|key| self.state.get(key)).collect()
    }

    fn places<'a>(&'a self, ids: &'a [Digest]) -> Vec<Vec<Vec<u8>>> {
        let places = |id| self.listing.places(id).map(<[u8]>::to_vec).collect();
        ids.iter().map(places).collect()
    }
}

/// A block's net writes so far, over the state before the block.
pub struct Overlay<'a, F> {
    base: &'a F,
    /// What was read of the base.
    known: HashMap<Vec<u8>, Option<Bytes>>,
    writes: Writes,
    /// Where this block's writes list ids.
    listing: Listing,
}

impl<'a, F: Fetch> Overlay<'a, F> {
    /// Over `base`; `writes` are there from the start.
    pub fn new(base: &'a F, writes: Writes, lists: Option<Lists>) -> Self {
        let mut listing = Listing::new(lists);
        listing.follow(&writes);
        Self { base, known: HashMap::new(), writes, listing }
    }

    /// The writes so far.
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// The writes.
    pub fn into_writes(self) -> Writes {
        self.writes
    }

    fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.writes.get(key).or_else(|| self.known.get(key))
    }

    /// Makes these keys known.
    async fn load(&mut self, keys: &[Vec<u8>]) -> Result<(), StoreError> {
        let missing: Vec<_> = keys.iter().filter(|key| self.get(key).is_none()).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let values = self.base.fetch(&missing).await?;
        self.known.extend(missing.into_iter().zip(values));
        Ok(())
    }

    /// Whether an entry lists each of these ids.
    async fn listed(&mut self, ids: &[Digest]) -> Result<Vec<bool>, StoreError> {
        let Some(lists) = self.listing.lists() else { return Ok(vec![false; ids.len()]) };
        let mut places = self.base.places(ids);
        for (id, places) in ids.iter().zip(&mut places) {
            places.extend(self.listing.places(id).map(<[u8]>::to_vec));
        }
        // Nearly always there are none: an id comes once.
        let read: Vec<Vec<u8>> = places.iter().flatten().cloned().collect();
        self.load(&read).await?;
        let has = |id, key: &Vec<u8>| lists.has(self.get(key).and_then(Option::as_deref), id);
        let listed = |(id, places): (_, &Vec<Vec<u8>>)| places.iter().any(|key| has(id, key));
        Ok(ids.iter().zip(&places).map(listed).collect())
    }

    fn put(&mut self, writes: Vec<Write>) {
        for (key, value) in writes {
            self.listing.write(&key, value.as_deref());
            self.writes.insert(key, value.map(Bytes::from));
        }
    }
}

/// Executes `item` over the overlay and yields its outcome.
pub async fn execute<F: Fetch>(
    machine: &dyn StateMachine,
    context: &BlockContext,
    item: Item<'_>,
    overlay: &mut Overlay<'_, F>,
) -> Result<Vec<u8>, Failure> {
    let execution = guarded(|| machine.open(context, item))?;
    let Applied { writes, outcome } = run(execution, overlay).await?;
    at_most("bytes of outcome", outcome.len(), OUTCOME_BYTES_MAX)?;
    at_most("writes", writes.len(), WRITES_PER_ITEM_MAX)?;
    for (key, value) in &writes {
        at_most("bytes of a key", key.len(), KEY_BYTES_MAX)?;
        at_most("bytes of a value", value.as_ref().map_or(0, Vec::len), VALUE_BYTES_MAX)?;
    }
    overlay.put(writes);
    Ok(outcome)
}

/// The machine is pure, so it panics on every node alike: that is a refusal of the item,
/// never the end of the chain.
fn guarded<T>(call: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    let panicked = |_| Err(Refusal::new(ErrorCode::Internal, "the machine panicked"));
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(panicked)
}

async fn run<F: Fetch>(
    execution: Box<dyn Execution + Send + '_>,
    overlay: &mut Overlay<'_, F>,
) -> Result<Applied, Failure> {
    let mut read = ReadSet::default();
    for _ in 0..=ROUNDS_MAX {
        match guarded(|| execution.step(&read))? {
            Step::Done(applied) => return Ok(applied),
            Step::Need(need) => fetch(need, &mut read, overlay).await?,
        }
    }
    Err(past("rounds of keys", ROUNDS_MAX + 1, ROUNDS_MAX).into())
}

async fn fetch<F: Fetch>(
    Need { keys, ids }: Need,
    read: &mut ReadSet,
    overlay: &mut Overlay<'_, F>,
) -> Result<(), Failure> {
    let count = read.len().saturating_add(keys.len()).saturating_add(ids.len());
    at_most("keys and ids", count, KEYS_PER_ITEM_MAX)?;
    for key in &keys {
        at_most("bytes of a key", key.len(), KEY_BYTES_MAX)?;
    }
    overlay.load(&keys).await?;
    for key in keys {
        let value = overlay.get(&key).cloned().flatten();
        read.insert(key, value);
    }
    for (id, listed) in ids.iter().zip(overlay.listed(&ids).await?) {
        read.insert_listed(*id, listed);
    }
    Ok(())
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Refusal> {
    if count <= max { Ok(()) } else { Err(past(what, count, max)) }
}

fn past(what: &str, count: usize, max: usize) -> Refusal {
    Refusal::new(ErrorCode::LimitExceeded, format!("{count} {what}; at most {max} are allowed"))
}
