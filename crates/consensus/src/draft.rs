//! A block in the making, for whoever proposes one and whoever replays one.
//!
//! Pure but for the reads of state: the same parent, time, transactions and state give
//! the same block.

use crate::block::{Block, Writes, root_of, writes_digest};
use crate::engine::Head;
use crate::error::Fault;
use crate::execute::{Failure, Overlay, execute};
use crate::machine::{BlockContext, Item, StateMachine};
use crate::state::State;
use ambar_base::finality::BlockHeader;
use ambar_base::{Digest, Height, Moment, NetworkId, SecretKey};

/// A block in the making.
pub(crate) struct Draft<'a> {
    machine: &'a dyn StateMachine,
    context: BlockContext,
    parent: Digest,
    overlay: Overlay<'a>,
    transactions: Vec<Vec<u8>>,
    outcomes: Vec<Vec<u8>>,
}

/// A block that only lacks its signature.
pub(crate) struct Unsigned {
    pub(crate) header: BlockHeader,
    pub(crate) transactions: Vec<Vec<u8>>,
    pub(crate) outcomes: Vec<Vec<u8>>,
    pub(crate) writes: Writes,
}

impl<'a> Draft<'a> {
    /// Begins the child of `parent` at `time` over the state `base`.
    pub(crate) fn begin(
        machine: &'a dyn StateMachine,
        network: NetworkId,
        parent: &Head,
        time: Moment,
        base: &'a dyn State,
    ) -> Result<Self, Fault> {
        let height = parent.height.after(1);
        let context = BlockContext { network, height, time };
        let mut overlay = Overlay::new(base);
        let outcome = execute(machine, &context, Item::Begin, &mut overlay);
        let outcome = outcome.map_err(|failure| match failure {
            Failure::Refused(refusal) => Fault::Begin { height, refusal },
            Failure::Store(error) => Fault::Store(error),
        })?;
        let (transactions, outcomes) = (Vec::new(), vec![outcome]);
        Ok(Self { machine, context, parent: parent.digest, overlay, transactions, outcomes })
    }

    /// The block's height.
    pub(crate) fn height(&self) -> Height {
        self.context.height
    }

    /// The number of net writes so far.
    pub(crate) fn writes(&self) -> usize {
        self.overlay.writes().len()
    }

    /// Executes and adds a transaction; yields the place of its outcome.
    pub(crate) fn push(&mut self, transaction: &[u8]) -> Result<u64, Failure> {
        let item = Item::Transaction(transaction);
        let outcome = execute(self.machine, &self.context, item, &mut self.overlay)?;
        let index = self.outcomes.len() as u64;
        self.transactions.push(transaction.to_vec());
        self.outcomes.push(outcome);
        Ok(index)
    }

    /// The finished block.
    pub(crate) fn finish(self) -> Unsigned {
        let Self { context, parent, overlay, transactions, outcomes, .. } = self;
        let writes = overlay.into_writes();
        let header = header(&context, parent, &transactions, &outcomes, &writes);
        Unsigned { header, transactions, outcomes, writes }
    }
}

/// The block of height 0, which holds nothing but writes.
pub(crate) fn genesis(network: NetworkId, writes: Writes) -> Unsigned {
    let context = BlockContext { network, height: Height(0), time: Moment(0) };
    let header = header(&context, Digest::ZERO, &[], &[], &writes);
    Unsigned { header, transactions: Vec::new(), outcomes: Vec::new(), writes }
}

fn header(
    context: &BlockContext,
    parent: Digest,
    transactions: &[Vec<u8>],
    outcomes: &[Vec<u8>],
    writes: &Writes,
) -> BlockHeader {
    BlockHeader {
        network: context.network,
        height: context.height,
        time: context.time,
        parent,
        // An engine's block limits keep the count far below.
        outcomes: u32::try_from(outcomes.len()).unwrap_or(u32::MAX),
        transactions_root: root_of(transactions),
        outcomes_root: root_of(outcomes),
        writes_digest: writes_digest(writes),
    }
}

impl Unsigned {
    /// The block, signed, and its writes.
    pub(crate) fn sign(self, key: &SecretKey) -> (Block, Writes) {
        let finality = self.header.sign(key);
        let Self { transactions, outcomes, writes, .. } = self;
        (Block { finality, transactions, outcomes }, writes)
    }
}
