//! Audit: executing blocks again, from genesis or from a block after which the state is known.
//!
//! **Invariant**: [`replay`] trusts nothing but the checkpoint, the genesis it is given
//! and the machine; it needs no store. [`replay_from`] trusts the state after its base and the
//! committees that are given with it besides. The commitment to the authenticated state is the
//! one thing that is taken from headers: their digest of the writes says the same.

use crate::block::{Block, Writes, genesis_writes};
use crate::draft::{self, Draft, Executed, Placing, at_once};
use crate::engine::{Consensus, Head};
use crate::error::{Fault, StoreError};
use crate::execute::{Failure, Local};
use crate::history::Base;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::listing::{Listing, Lists};
use crate::machine::{BlockContext, Refusal, StateMachine, admit_all};
use crate::settings::Rules;
use crate::state::{MemoryState, State, StateView};
use ambar_base::finality::BlockHeader;
use ambar_base::{Checkpoint, Committee, Digest, Height};
use bytes::Bytes;
use std::collections::HashSet;

/// What a replay starts from.
pub struct Origin<'a> {
    /// The network's rules, with the committee of epoch 0.
    pub rules: Rules,
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
    Votes,
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
    /// The committee of the next block's epoch.
    pub committee: Committee,
    listing: Listing,
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

/// Executes `blocks`, which start above the base, on the state after it, and checks everything
/// about them. Stops at the first block that differs.
pub fn replay_from(
    origin: &Origin<'_>,
    base: Base,
    blocks: impl IntoIterator<Item = Result<Block, StoreError>>,
) -> Result<Replayed, ReplayError> {
    let Base { block, voters, committee, state } = base;
    let head = Head::from(&block.header);
    let trusted = Checkpoint { network: origin.rules.network(), committee: voters };
    if block.verify(&trusted).is_err() {
        return Err(differing(head.height, Difference::Votes));
    }
    let listing = Listing::of(origin.machine.lists(), &state)?;
    let mut replayed = Replayed { head, state, transactions: 0, committee, listing };
    let mut ids = HashSet::new();
    for block in blocks {
        replayed = follow(origin, replayed, &block?, &mut ids)?;
    }
    Ok(replayed)
}

/// Replays the blocks that `engine` has up to its head of now, from genesis if all are there,
/// and compares the state key by key.
pub fn audit(origin: &Origin<'_>, engine: &dyn Consensus) -> Result<Replayed, ReplayError> {
    let history = engine.history()?;
    let missing = |height| StoreError::Corrupt(format!("block {height} is missing"));
    let block = |height| history.block(Height(height))?.ok_or_else(|| missing(height));
    let head = history.head().height.0;
    let replayed = match history.base(&origin.rules)? {
        None => replay(origin, (0..=head).map(block))?,
        Some(base) => {
            let first = base.block.header.height.0 + 1;
            replay_from(origin, base, (first..=head).map(block))?
        }
    };
    compare(&replayed, &history.state())?;
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
    let expect = draft::genesis(&origin.rules, &writes);
    if block.finality.header != expect || !block.body_agrees() {
        return Err(differing(Height(0), Difference::Chain));
    }
    let committee = origin.rules.genesis.committee.clone();
    let begun = Replayed::before_genesis(committee, origin.machine.lists());
    Ok(advance(begun, &expect, 0, (writes, None)))
}

fn follow(
    origin: &Origin<'_>,
    so_far: Replayed,
    block: &Block,
    ids: &mut HashSet<Digest>,
) -> Result<Replayed, ReplayError> {
    let known = |id: &Digest| Ok(ids.contains(id));
    let Replayed { head, state, listing, committee, .. } = &so_far;
    let parent = Parent { head: *head, state, listing, committee };
    let (executed, new) = execute_next(origin, &parent, block, known)?;
    ids.extend(new);
    let count = executed.transactions.len() as u64;
    let header = &block.finality.header;
    Ok(advance(so_far, header, count, (executed.writes, executed.next_committee)))
}

/// A block on which the next one is executed.
pub(crate) struct Parent<'a> {
    pub(crate) head: Head,
    /// The state after it.
    pub(crate) state: &'a dyn State,
    pub(crate) listing: &'a Listing,
    /// The committee of the next block's epoch.
    pub(crate) committee: &'a Committee,
}

/// Executes the next block and checks everything about it; `known` says which transactions
/// were final before. Yields its transactions' ids too.
pub(crate) fn execute_next(
    origin: &Origin<'_>,
    parent: &Parent<'_>,
    block: &Block,
    known: impl Fn(&Digest) -> Result<bool, StoreError>,
) -> Result<(Executed, Vec<Digest>), ReplayError> {
    let header = &block.finality.header;
    let height = parent.head.height.after(1);
    if header.time <= parent.head.time {
        return Err(differing(height, Difference::Time));
    }
    let ids = admitted(origin.machine, height, &block.transactions)
        .map_err(|difference| differing(height, difference))?;
    for (index, id) in ids.iter().enumerate() {
        if known(id)? {
            return Err(differing(height, Difference::Stale(index)));
        }
    }
    let context = origin.rules.context(height, header.time);
    let executed = at_once(execute(origin, context, parent, block))??;
    check(parent, block, &executed)?;
    Ok((executed, ids))
}

async fn execute(
    origin: &Origin<'_>,
    context: BlockContext,
    parent: &Parent<'_>,
    block: &Block,
) -> Result<Executed, ReplayError> {
    let base = Local { state: parent.state, listing: parent.listing };
    // Block 1 commits to the writes of genesis as well.
    let first = context.height == Height(1);
    let writes = if first { genesis_writes(origin.genesis.clone()) } else { Writes::new() };
    let mut draft = Draft::begin(origin.machine, context, &base, writes).await?;
    for (index, transaction) in block.transactions.iter().enumerate() {
        let pushed = draft.push(Bytes::copy_from_slice(transaction)).await;
        pushed.map_err(|failure| match failure {
            Failure::Refused(refusal) => {
                differing(context.height, Difference::NotApplied { index, refusal })
            }
            Failure::Store(error) => error.into(),
        })?;
    }
    Ok(draft.finish(origin.rules.epochs()).await?)
}

/// Ids of transactions, each once and none expired.
fn admitted(
    machine: &dyn StateMachine,
    height: Height,
    transactions: &[Vec<u8>],
) -> Result<Vec<Digest>, Difference> {
    let (mut seen, mut ids) = (HashSet::new(), Vec::new());
    for (index, admission) in admit_all(machine, transactions).into_iter().enumerate() {
        let admission = admission.map_err(|refusal| Difference::NotAdmitted { index, refusal })?;
        if !seen.insert(admission.id) || height > admission.expiry {
            return Err(Difference::Stale(index));
        }
        ids.push(admission.id);
    }
    Ok(ids)
}

/// Compares a block with what executing it gave.
fn check(parent: &Parent<'_>, block: &Block, executed: &Executed) -> Result<(), ReplayError> {
    let header = &block.finality.header;
    let expect = executed.header(Placing {
        parent: parent.head.digest,
        round: header.round.clone(),
        state: header.state.clone(),
    });
    let (network, committee) = (expect.network, parent.committee.clone());
    let trusted = Checkpoint { network, committee };
    let difference = if header.height != expect.height
        || header.network != expect.network
        || header.parent != expect.parent
    {
        Difference::Chain
    } else if let Some(index) = first_difference(&block.outcomes, &executed.outcomes) {
        Difference::Outcome(index)
    } else if header.writes_digest != expect.writes_digest {
        Difference::Writes
    } else if *header != expect {
        Difference::Roots
    } else if block.finality.verify(&trusted).is_err() {
        Difference::Votes
    } else {
        return Ok(());
    };
    Err(differing(expect.height, difference))
}

fn first_difference(left: &[Vec<u8>], right: &[Vec<u8>]) -> Option<usize> {
    let longest = left.len().max(right.len());
    (0..longest).find(|index| left.get(*index) != right.get(*index))
}

fn advance(
    so_far: Replayed,
    header: &BlockHeader,
    count: u64,
    (writes, next): (Writes, Option<Committee>),
) -> Replayed {
    let Replayed { mut state, mut listing, transactions, committee, .. } = so_far;
    listing.follow(&writes);
    for (key, value) in writes {
        state.write(key, value);
    }
    let (transactions, committee) = (transactions + count, next.unwrap_or(committee));
    Replayed { head: Head::from(header), state, transactions, committee, listing }
}

impl Replayed {
    fn before_genesis(committee: Committee, lists: Option<Lists>) -> Self {
        let head = Head { height: Height(0), time: ambar_base::Moment(0), digest: Digest::ZERO };
        let (state, listing) = (MemoryState::default(), Listing::new(lists));
        Self { head, state, transactions: 0, committee, listing }
    }
}
