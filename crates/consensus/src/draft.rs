//! A block in the making, for whoever proposes, checks or replays one.
//!
//! Pure but for the reads of state: the same context, state and transactions give the same
//! outcomes and writes.

use crate::block::{Writes, root_of, writes_digest};
use crate::epoch::Epochs;
use crate::error::{Fault, StoreError};
use crate::execute::{Failure, Fetch, Overlay, execute};
use crate::machine::{BlockContext, Item, Refusal, StateMachine};
use crate::settings::Rules;
use ambar_base::codec::decode;
use ambar_base::finality::{BlockHeader, Round, StateCommitment};
use ambar_base::{Committee, Digest, ErrorCode, Height, Moment, PublicKey};
use bytes::Bytes;

/// A block in the making.
pub struct Draft<'a, F> {
    machine: &'a dyn StateMachine,
    context: BlockContext,
    overlay: Overlay<'a, F>,
    transactions: Vec<Bytes>,
    outcomes: Vec<Vec<u8>>,
}

/// What executing a block gives.
#[derive(Clone, Debug)]
pub struct Executed {
    /// Where it stands.
    pub context: BlockContext,
    /// Its transactions in their order.
    pub transactions: Vec<Bytes>,
    /// The beginning's outcome, then each transaction's, then the epoch's end's if it is one.
    pub outcomes: Vec<Vec<u8>>,
    /// Its net writes.
    pub writes: Writes,
    /// Who votes in the next epoch, if this is the last block of one.
    pub next_committee: Option<Committee>,
}

/// What consensus says about a block, besides what executing it gives.
#[derive(Clone, Debug)]
pub struct Placing {
    /// The digest of its parent.
    pub parent: Digest,
    /// In which view it was proposed, and by whom.
    pub round: Round,
    /// The state after it.
    pub state: StateCommitment,
}

impl<'a, F: Fetch> Draft<'a, F> {
    /// Begins a block over the state `base`. `writes` are those of genesis in block 1, whose
    /// state begins with them, and none in any other.
    pub async fn begin(
        machine: &'a dyn StateMachine,
        context: BlockContext,
        base: &'a F,
        writes: Writes,
    ) -> Result<Self, Fault> {
        let mut overlay = Overlay::new(base, writes, machine.lists());
        let outcome = execute(machine, &context, Item::Begin, &mut overlay).await;
        let outcome = outcome.map_err(|failure| match failure {
            Failure::Refused(refusal) => Fault::Begin { height: context.height, refusal },
            Failure::Store(error) => Fault::Store(error),
        })?;
        Ok(Self { machine, context, overlay, transactions: Vec::new(), outcomes: vec![outcome] })
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.context.height
    }

    /// The number of net writes so far.
    pub fn writes(&self) -> usize {
        self.overlay.writes().len()
    }

    /// Whether it holds no transaction.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Executes and adds a transaction; yields the place of its outcome.
    pub async fn push(&mut self, transaction: Bytes) -> Result<u64, Failure> {
        let item = Item::Transaction(&transaction);
        let outcome = execute(self.machine, &self.context, item, &mut self.overlay).await?;
        let index = self.outcomes.len() as u64;
        self.transactions.push(transaction);
        self.outcomes.push(outcome);
        Ok(index)
    }

    /// What executing it gave. The last block of an epoch elects the next committee.
    pub async fn finish(mut self, epochs: Epochs) -> Result<Executed, Fault> {
        let next_committee = match epochs.ending_at(self.context.height) {
            Some(epoch) => Some(self.end(epoch).await?),
            None => None,
        };
        let Self { context, transactions, outcomes, overlay, .. } = self;
        let writes = overlay.into_writes();
        Ok(Executed { context, transactions, outcomes, writes, next_committee })
    }

    async fn end(&mut self, epoch: u64) -> Result<Committee, Fault> {
        let item = Item::End { epoch };
        let outcome = execute(self.machine, &self.context, item, &mut self.overlay).await;
        let outcome = outcome.map_err(|failure| match failure {
            Failure::Refused(reason) => Fault::End { epoch, reason },
            Failure::Store(error) => Fault::Store(error),
        })?;
        let committee = committee_of(epoch + 1, &outcome);
        let committee = committee.map_err(|reason| Fault::End { epoch, reason })?;
        self.outcomes.push(outcome);
        Ok(committee)
    }
}

/// The committee that the outcome of an epoch's end names.
fn committee_of(epoch: u64, outcome: &[u8]) -> Result<Committee, Refusal> {
    let refuse = |what: String| Refusal::new(ErrorCode::Internal, what);
    let seats = decode::<Vec<PublicKey>>(outcome).map_err(|error| refuse(error.to_string()))?;
    Committee::new(epoch, seats).map_err(|error| refuse(error.to_string()))
}

impl Executed {
    /// The header of a block of this content at this place.
    pub fn header(&self, placing: Placing) -> BlockHeader {
        let Placing { parent, round, state } = placing;
        BlockHeader {
            network: self.context.network,
            protocol: self.context.protocol,
            height: self.context.height,
            time: self.context.time,
            parent,
            round,
            // An engine's block limits keep the count far below.
            outcomes: u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX),
            transactions_root: root_of(&self.transactions),
            outcomes_root: root_of(&self.outcomes),
            writes_digest: writes_digest(&self.writes),
            state,
            next_committee: self.next_committee.as_ref().map(Committee::digest),
        }
    }
}

/// What genesis commits to: the engine's database without an entry, whose log holds one empty
/// commit. Nothing is proved from its root.
pub const STATE_BEFORE: StateCommitment =
    StateCommitment { root: Digest::ZERO, operations_root: NO_OPERATIONS, first: 0, end: 1 };
const NO_OPERATIONS: Digest = Digest([
    0xbe, 0x75, 0x41, 0x84, 0xd4, 0xeb, 0x5c, 0x92, 0xad, 0xa0, 0x3e, 0xee, 0x3c, 0xe6, 0x41, 0x81,
    0x8b, 0xb9, 0x01, 0x40, 0xd7, 0x43, 0x59, 0x3e, 0xab, 0xdd, 0x03, 0xa7, 0xb7, 0x4a, 0x43, 0x69,
]);

/// The block of height 0. Its writes are applied by block 1, whose state commitment is the
/// first to cover them.
pub fn genesis(rules: &Rules, writes: &Writes) -> BlockHeader {
    let executed = Executed {
        context: rules.context(Height(0), Moment(0)),
        transactions: Vec::new(),
        outcomes: Vec::new(),
        writes: writes.clone(),
        next_committee: None,
    };
    let leader = rules.genesis.committee.seats()[0];
    let round = Round { epoch: 0, view: 0, parent_view: 0, leader };
    executed.header(Placing { parent: Digest::ZERO, round, state: STATE_BEFORE })
}

/// Awaits what reads only [`Local`](crate::execute::Local) state, which never waits.
pub fn at_once<T>(future: impl Future<Output = T>) -> Result<T, StoreError> {
    use futures::FutureExt;
    future.now_or_never().ok_or_else(|| StoreError::Io("a read of local state waited".into()))
}
