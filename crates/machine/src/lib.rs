//! The ledger as the engine sees it: an adapter between two rooms that know nothing of
//! each other.
//!
//! It is a crate of its own so that whoever runs a ledger on an engine, be it a node, a bench
//! or the simulator, runs the same one. It deliberately knows no home, gateway or API.
//!
//! **Invariant**: it decides nothing. What the ledger answers reaches the engine as it is.

use ambar_base::{Digest, NetworkId};
use ambar_consensus::{self as consensus, Item, Lists, ReadSet, Rules, StateMachine};
use ambar_ledger::key::{CALLS_PREFIX, calls_in};
use ambar_ledger::{self as ledger, Admitted, Genesis, Reads};

/// The ledger's state machine of one network.
#[derive(Clone, Copy, Debug)]
pub struct LedgerMachine {
    network: NetworkId,
}

impl LedgerMachine {
    /// The machine of a network.
    #[must_use]
    pub fn new(network: NetworkId) -> Self {
        Self { network }
    }
}

/// The state at height 0 as the engine takes it; nothing if genesis is not sound.
#[must_use]
pub fn genesis_state(genesis: &Genesis) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let writes = genesis.writes()?.into_iter();
    Some(writes.filter_map(|(key, value)| value.map(|value| (key, value))).collect())
}

/// The rules of the network that begins with `genesis`; nothing if it is not sound.
#[must_use]
pub fn rules(genesis: &Genesis) -> Option<Rules> {
    Some(Rules { epoch_blocks: genesis.epoch_blocks, ..Rules::new(genesis.checkpoint()?) })
}

fn refusal(refusal: ledger::Refusal) -> consensus::Refusal {
    consensus::Refusal::new(refusal.code, refusal.message)
}

fn admission(admitted: &Admitted) -> consensus::Admission {
    // Fees follow from a transaction's size alone: nobody can offer more.
    let (id, expiry, fee_per_byte) = (admitted.id(), admitted.expires(), 0);
    consensus::Admission { id, expiry, fee_per_byte }
}

impl StateMachine for LedgerMachine {
    fn admit(
        &self,
        transactions: &[&[u8]],
    ) -> Vec<Result<consensus::Admission, consensus::Refusal>> {
        let admitted = Admitted::of_all(self.network, transactions).into_iter();
        admitted.map(|one| one.map(|one| admission(&one)).map_err(refusal)).collect()
    }

    fn open<'a>(
        &self,
        block: &consensus::BlockContext,
        item: Item<'a>,
    ) -> Result<Box<dyn consensus::Execution + Send + 'a>, consensus::Refusal> {
        let consensus::BlockContext { network, height, time, .. } = *block;
        let block = ledger::BlockContext { network, height, time };
        let execution = match item {
            Item::Begin => ledger::Execution::begin(block),
            Item::End { epoch } => ledger::Execution::end(block, epoch),
            // The engine opens what was admitted, and nothing else.
            Item::Transaction(bytes) => Admitted::vouched(self.network, bytes)
                .and_then(|admitted| ledger::Execution::transaction(block, admitted))
                .map_err(refusal)?,
        };
        Ok(Box::new(Opened(execution)))
    }

    fn lists(&self) -> Option<Lists> {
        Some(Lists { prefix: CALLS_PREFIX, ids: calls_in })
    }
}

struct Opened(ledger::Execution);

/// What the engine read, as the ledger reads it.
struct Seen<'a>(&'a ReadSet);

impl Reads for Seen<'_> {
    fn read(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.0.get(key).ok()
    }

    fn settled(&self, call: &Digest) -> Option<bool> {
        self.0.listed(call).ok()
    }
}

impl consensus::Execution for Opened {
    fn step(&self, read: &ReadSet) -> Result<consensus::Step, consensus::Refusal> {
        match self.0.step(&Seen(read)).map_err(refusal)? {
            ledger::Step::Need(ledger::Need { keys, calls: ids }) => {
                Ok(consensus::Step::Need(consensus::Need { keys, ids }))
            }
            ledger::Step::Done { writes, outcome } => {
                Ok(consensus::Step::Done(consensus::Applied { writes, outcome }))
            }
        }
    }
}
