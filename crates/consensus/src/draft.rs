//! A block in the making, for whoever proposes, checks or replays one.
//!
//! Pure but for the reads of state: the same context, state and transactions give the same
//! outcomes and writes.

use crate::block::{Writes, root_of, writes_digest};
use crate::error::{Fault, StoreError};
use crate::execute::{Failure, Fetch, Overlay, execute};
use crate::machine::{BlockContext, Item, StateMachine};
use ambar_base::finality::{BlockHeader, Round, StateCommitment};
use ambar_base::{Digest, Height, Moment, NetworkId, PublicKey};
use bytes::Bytes;

/// The version of the rules by which blocks are executed.
pub const PROTOCOL: u32 = 1;

/// A block in the making.
pub(crate) struct Draft<'a, F> {
    machine: &'a dyn StateMachine,
    context: BlockContext,
    overlay: Overlay<'a, F>,
    transactions: Vec<Bytes>,
    outcomes: Vec<Vec<u8>>,
}

/// What executing a block gives.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) context: BlockContext,
    pub(crate) transactions: Vec<Bytes>,
    pub(crate) outcomes: Vec<Vec<u8>>,
    pub(crate) writes: Writes,
}

/// What consensus says about a block, besides what executing it gives.
#[derive(Clone, Debug)]
pub(crate) struct Placing {
    pub(crate) parent: Digest,
    pub(crate) round: Round,
    pub(crate) state: StateCommitment,
    pub(crate) next_committee: Option<Digest>,
}

impl<'a, F: Fetch> Draft<'a, F> {
    /// Begins a block over the state `base`. `writes` are those of genesis in block 1, whose
    /// state begins with them, and none in any other.
    pub(crate) async fn begin(
        machine: &'a dyn StateMachine,
        context: BlockContext,
        base: &'a F,
        writes: Writes,
    ) -> Result<Self, Fault> {
        let mut overlay = Overlay::new(base, writes);
        let outcome = execute(machine, &context, Item::Begin, &mut overlay).await;
        let outcome = outcome.map_err(|failure| match failure {
            Failure::Refused(refusal) => Fault::Begin { height: context.height, refusal },
            Failure::Store(error) => Fault::Store(error),
        })?;
        Ok(Self { machine, context, overlay, transactions: Vec::new(), outcomes: vec![outcome] })
    }

    /// The block's height.
    pub(crate) fn height(&self) -> Height {
        self.context.height
    }

    /// The number of net writes so far.
    pub(crate) fn writes(&self) -> usize {
        self.overlay.writes().len()
    }

    /// Whether it holds no transaction.
    pub(crate) fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Executes and adds a transaction; yields the place of its outcome.
    pub(crate) async fn push(&mut self, transaction: Bytes) -> Result<u64, Failure> {
        let item = Item::Transaction(&transaction);
        let outcome = execute(self.machine, &self.context, item, &mut self.overlay).await?;
        let index = self.outcomes.len() as u64;
        self.transactions.push(transaction);
        self.outcomes.push(outcome);
        Ok(index)
    }

    /// What executing it gave.
    pub(crate) fn finish(self) -> Executed {
        let Self { context, transactions, outcomes, overlay, .. } = self;
        Executed { context, transactions, outcomes, writes: overlay.into_writes() }
    }
}

impl Executed {
    /// The header of a block of this content at this place.
    pub(crate) fn header(&self, placing: Placing) -> BlockHeader {
        let Placing { parent, round, state, next_committee } = placing;
        BlockHeader {
            network: self.context.network,
            protocol: PROTOCOL,
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
            next_committee,
        }
    }
}

/// The block of height 0. Its writes are applied by block 1, whose state commitment is the
/// first to cover them.
pub(crate) fn genesis(
    network: NetworkId,
    writes: &Writes,
    leader: PublicKey,
    state: StateCommitment,
) -> BlockHeader {
    let context = BlockContext { network, height: Height(0), time: Moment(0) };
    let content = (Vec::new(), Vec::new());
    let executed =
        Executed { context, transactions: content.0, outcomes: content.1, writes: writes.clone() };
    let round = Round { epoch: 0, view: 0, parent_view: 0, leader };
    executed.header(Placing { parent: Digest::ZERO, round, state, next_committee: None })
}

/// Awaits what reads only [`Local`](crate::execute::Local) state, which never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Result<T, StoreError> {
    use futures::FutureExt;
    future.now_or_never().ok_or_else(|| StoreError::Io("a read of local state waited".into()))
}
