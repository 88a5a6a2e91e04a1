//! Audit: executing all blocks again from genesis.
//!
//! **Invariant**: [`replay`] trusts nothing but the committee, the genesis it is given and
//! the machine; it needs no store.

use crate::block::Block;
use crate::draft::{self, Draft, Unsigned};
use crate::engine::{Consensus, Head};
use crate::error::{Fault, StoreError};
use crate::execute::Failure;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::machine::{Refusal, StateMachine};
use crate::orderer::genesis_writes;
use crate::state::{MemoryState, StateView};
use ambar_base::{Checkpoint, Committee, Digest, ErrorCode, Height, NetworkId};
use std::collections::HashSet;

/// What a replay starts from.
pub struct Origin<'a> {
    /// The ledger.
    pub network: NetworkId,
    /// The committee whose votes count.
    pub committee: Committee,
    /// The machine.
    pub machine: &'a dyn StateMachine,
    /// The state at height 0.
    pub genesis: Vec<(Vec<u8>, Vec<u8>)>,
}

/// In which way a block is not what executing it gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Height, network or parent do not continue the chain.
    #[error("it does not continue the chain")]
    Chain,
    /// Its time is not later than its parent's.
    #[error("its time is not later than its parent's")]
    Time,
    /// The committee did not make it final.
    #[error("the committee did not make it final")]
    Signature,
    /// The machine does not admit a transaction.
    #[error("transaction {index} is not admitted: {refusal}")]
    NotAdmitted {
        /// Its place among the transactions.
        index: usize,
        /// Why.
        refusal: Refusal,
    },
    /// A transaction was expired or had been final before.
    #[error("transaction {0} is expired or repeated")]
    Stale(usize),
    /// A transaction is in the block that does not apply.
    #[error("transaction {index} does not apply: {refusal}")]
    NotApplied {
        /// Its place among the transactions.
        index: usize,
        /// Why.
        refusal: Refusal,
    },
    /// An outcome is another; the beginning's is 0.
    #[error("outcome {0} is another")]
    Outcome(usize),
    /// The header's roots or count do not commit to the body.
    #[error("its header does not commit to its body")]
    Roots,
    /// The writes are others.
    #[error("its writes are others")]
    Writes,
}

/// Why an audit does not agree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The first block that differs.
    #[error("block {height}: {difference}")]
    Differs {
        /// Its height.
        height: Height,
        /// How it differs.
        difference: Difference,
    },
    /// All blocks agree but the stored state does not.
    #[error("after block {height} the stored state has another value at key {key:02x?}")]
    State {
        /// The head.
        height: Height,
        /// The first key that differs.
        key: Vec<u8>,
    },
    /// The machine could not begin a block.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The blocks or the state could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a replay yields.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The last block.
    pub head: Head,
    /// The state after it.
    pub state: MemoryState,
    /// The number of transactions executed.
    pub transactions: u64,
}

/// Executes `blocks`, which start at height 0, and checks everything about them. Stops at
/// the first block that differs.
pub fn replay(
    origin: &Origin<'_>,
    blocks: impl IntoIterator<Item = Result<Block, StoreError>>,
) -> Result<Replayed, ReplayError> {
    let mut replayed: Option<Replayed> = None;
    let mut ids = HashSet::new();
    for block in blocks {
        let block = block?;
        replayed = Some(match replayed {
            None => begin(origin, &block)?,
            Some(so_far) => follow(origin, so_far, &block, &mut ids)?,
        });
    }
    replayed.ok_or_else(|| StoreError::Corrupt("there is no genesis".into()).into())
}

/// Replays the chain of `engine` up to its head of now and compares the state key by key.
pub fn audit(origin: &Origin<'_>, engine: &dyn Consensus) -> Result<Replayed, ReplayError> {
    let view = engine.read()?;
    let missing = |height| StoreError::Corrupt(format!("block {height} is missing"));
    let block = |height| engine.block(Height(height))?.ok_or_else(|| missing(height));
    let replayed = replay(origin, (0..=view.head().height.0).map(block))?;
    compare(&replayed, &view)?;
    Ok(replayed)
}

/// Compares a replayed state with a stored one of the same head, key by key.
pub fn compare(replayed: &Replayed, view: &StateView) -> Result<(), ReplayError> {
    let height = view.head().height;
    let differs = |key: &[u8]| Err(ReplayError::State { height, key: key.to_vec() });
    if replayed.head != view.head() {
        return Err(differing(height, Difference::Chain));
    }
    let mut expected = replayed.state.entries();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let stored = view.scan(b"", after.as_deref(), SCAN_ENTRIES_MAX)?;
        let Some((last, _)) = stored.last() else { break };
        after = Some(last.clone());
        for (key, value) in &stored {
            match expected.next() {
                Some(entry) if entry == (key.as_slice(), value) => {}
                Some((other, _)) => return differs(key.as_slice().min(other)),
                None => return differs(key),
            }
        }
    }
    expected.next().map_or(Ok(()), |(key, _)| differs(key))
}

fn differing(height: Height, difference: Difference) -> ReplayError {
    ReplayError::Differs { height, difference }
}

fn begin(origin: &Origin<'_>, block: &Block) -> Result<Replayed, ReplayError> {
    let writes = genesis_writes(origin.genesis.clone());
    let genesis = draft::genesis(origin.network, block.finality.header.round.leader, writes);
    check(origin, block, &genesis)?;
    Ok(advance(Replayed::before_genesis(), genesis))
}

fn follow(
    origin: &Origin<'_>,
    so_far: Replayed,
    block: &Block,
    ids: &mut HashSet<Digest>,
) -> Result<Replayed, ReplayError> {
    let height = so_far.head.height.after(1);
    let time = block.finality.header.time;
    if time <= so_far.head.time {
        return Err(differing(height, Difference::Time));
    }
    let Origin { machine, network, .. } = origin;
    let place = (*network, block.finality.header.round.leader);
    let mut draft = Draft::begin(*machine, place, &so_far.head, time, &so_far.state)?;
    admitted(*machine, block, height, ids).map_err(|difference| differing(height, difference))?;
    for (index, transaction) in block.transactions.iter().enumerate() {
        draft.push(transaction).map_err(|failure| match failure {
            Failure::Refused(refusal) => {
                differing(height, Difference::NotApplied { index, refusal })
            }
            Failure::Store(error) => error.into(),
        })?;
    }
    let unsigned = draft.finish();
    check(origin, block, &unsigned)?;
    Ok(advance(so_far, unsigned))
}

/// Admits the whole block at once, before any of it is executed.
fn admitted(
    machine: &dyn StateMachine,
    block: &Block,
    height: Height,
    ids: &mut HashSet<Digest>,
) -> Result<(), Difference> {
    let transactions: Vec<&[u8]> = block.transactions.iter().map(Vec::as_slice).collect();
    let admissions = machine.admit(&transactions);
    if admissions.len() != transactions.len() {
        let message = "admission answered for another number of transactions";
        let refusal = Refusal::new(ErrorCode::Internal, message);
        return Err(Difference::NotAdmitted { index: admissions.len(), refusal });
    }
    for (index, admission) in admissions.into_iter().enumerate() {
        let admission = admission.map_err(|refusal| Difference::NotAdmitted { index, refusal })?;
        if !ids.insert(admission.id) || height > admission.expiry {
            return Err(Difference::Stale(index));
        }
    }
    Ok(())
}

/// Compares a block with what executing it gave.
fn check(origin: &Origin<'_>, block: &Block, expect: &Unsigned) -> Result<(), ReplayError> {
    let (header, height) = (&block.finality.header, expect.header.height);
    let difference = if header.height != height
        || header.network != origin.network
        || header.parent != expect.header.parent
    {
        Difference::Chain
    } else if let Some(index) = first_difference(&block.outcomes, &expect.outcomes) {
        Difference::Outcome(index)
    } else if header.writes_digest != expect.header.writes_digest {
        Difference::Writes
    } else if *header != expect.header || block.transactions != expect.transactions {
        Difference::Roots
    } else if !is_final(origin, block) {
        Difference::Signature
    } else {
        return Ok(());
    };
    Err(differing(height, difference))
}

/// Whether the committee made the block final and one of its members proposed it.
fn is_final(origin: &Origin<'_>, block: &Block) -> bool {
    let Origin { network, committee, .. } = origin;
    let trusted = Checkpoint { network: *network, committee: committee.clone() };
    let leader = block.finality.header.round.leader;
    committee.seats().contains(&leader) && block.finality.verify(&trusted).is_ok()
}

fn first_difference(left: &[Vec<u8>], right: &[Vec<u8>]) -> Option<usize> {
    let longest = left.len().max(right.len());
    (0..longest).find(|index| left.get(*index) != right.get(*index))
}

fn advance(so_far: Replayed, unsigned: Unsigned) -> Replayed {
    let Replayed { mut state, transactions, .. } = so_far;
    let transactions = transactions + unsigned.transactions.len() as u64;
    for (key, value) in unsigned.writes {
        state.write(key, value);
    }
    Replayed { head: Head::from(&unsigned.header), state, transactions }
}

impl Replayed {
    fn before_genesis() -> Self {
        let head = Head { height: Height(0), time: ambar_base::Moment(0), digest: Digest::ZERO };
        Self { head, state: MemoryState::default(), transactions: 0 }
    }
}
