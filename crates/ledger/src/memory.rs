//! A whole ledger in memory: for audits that replay a chain, for benches and tests.

use crate::admission::Admitted;
use crate::execution::{Execution, ROUNDS_MAX, Step};
use crate::genesis::Genesis;
use crate::invariants::{self, Holdings, Violation};
use crate::key::{CALLS_PREFIX, calls_in};
use crate::query::State;
use crate::refusal::Refusal;
use crate::view::{BlockContext, Reads, Writes};
use ambar_base::{Digest, ErrorCode, Height, Moment, NetworkId};
use std::collections::{BTreeMap, BTreeSet};

/// The state of a ledger as a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryLedger {
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The calls in the state's lists.
    settled: BTreeSet<Digest>,
    network: NetworkId,
    height: Height,
    time: Moment,
}

/// A ledger of which everything has been read.
struct Whole<'a>(&'a MemoryLedger);

impl Reads for Whole<'_> {
    fn read(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        Some(self.0.state.get(key).map(Vec::as_slice))
    }

    fn settled(&self, call: &Digest) -> Option<bool> {
        Some(self.0.settled.contains(call))
    }
}

impl State for MemoryLedger {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.state.get(key).cloned())
    }
}

impl MemoryLedger {
    /// The ledger at height 0; nothing if genesis is not sound.
    #[must_use]
    pub fn new(genesis: &Genesis) -> Option<Self> {
        let mut ledger = Self { network: genesis.network(), ..Self::default() };
        ledger.write(genesis.writes()?);
        Some(ledger)
    }

    /// The ledger after a block, with all entries of its state.
    #[must_use]
    pub fn after(
        network: NetworkId,
        (height, time): (Height, Moment),
        entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Self {
        let mut ledger = Self { network, height, time, ..Self::default() };
        ledger.write(entries.into_iter().map(|(key, value)| (key, Some(value))).collect());
        ledger
    }

    /// The height of the block that is being built.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// The time of the block that is being built.
    #[must_use]
    pub fn time(&self) -> Moment {
        self.time
    }

    /// Begins a block at the next height.
    pub fn begin(&mut self, time: Moment) -> Result<(), Refusal> {
        self.height = self.height.after(1);
        self.time = time;
        let execution = Execution::begin(self.block());
        self.run(&execution).map(|_| ())
    }

    /// Admits a transaction and applies it to the block; its outcome.
    pub fn apply(&mut self, transaction: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.apply_admitted(Admitted::of(self.network, transaction)?)
    }

    /// Applies an admitted transaction to the block; its outcome.
    pub fn apply_admitted(&mut self, admitted: Admitted) -> Result<Vec<u8>, Refusal> {
        let execution = Execution::transaction(self.block(), admitted)?;
        self.run(&execution)
    }

    /// Ends an epoch with the block; the encoded keys of the next committee.
    pub fn end_epoch(&mut self, epoch: u64) -> Result<Vec<u8>, Refusal> {
        let execution = Execution::end(self.block(), epoch);
        self.run(&execution)
    }

    /// Checks the invariants of the whole state.
    pub fn check(&self) -> Result<Holdings, Violation> {
        invariants::check(self.entries())
    }

    /// Keys and values, ascending.
    pub fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.state.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    fn block(&self) -> BlockContext {
        BlockContext { network: self.network, height: self.height, time: self.time }
    }

    fn run(&mut self, execution: &Execution) -> Result<Vec<u8>, Refusal> {
        for _ in 0..ROUNDS_MAX {
            if let Step::Done { writes, outcome } = execution.step(&Whole(self))? {
                self.write(writes);
                return Ok(outcome);
            }
        }
        Err(Refusal::new(ErrorCode::Internal, "an execution asks for keys that were read"))
    }

    fn write(&mut self, writes: Writes) {
        for (key, value) in writes {
            let calls = |value: &Vec<u8>| {
                key.starts_with(CALLS_PREFIX).then(|| calls_in(value)).flatten().unwrap_or_default()
            };
            // Lists are written once and removed.
            let new = value.as_ref().map(calls);
            let old = match value {
                Some(value) => self.state.insert(key.clone(), value),
                None => self.state.remove(&key),
            };
            for call in old.as_ref().map(calls).unwrap_or_default() {
                self.settled.remove(&call);
            }
            self.settled.extend(new.unwrap_or_default());
        }
    }
}
