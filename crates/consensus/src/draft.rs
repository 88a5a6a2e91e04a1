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
use ambar_base::finality::{BlockHeader, Committee, FinalHeader, Round, StateCommitment};
use ambar_base::{Digest, Height, Moment, NetworkId, PublicKey, SecretKey};

/// The version of the rules by which blocks are executed.
const PROTOCOL: u32 = 1;

/// A block in the making.
pub(crate) struct Draft<'a> {
    machine: &'a dyn StateMachine,
    context: BlockContext,
    leader: PublicKey,
    parent: Digest,
    overlay: Overlay<'a>,
    transactions: Vec<Vec<u8>>,
    outcomes: Vec<Vec<u8>>,
}

/// A block that only lacks its certificate.
pub(crate) struct Unsigned {
    pub(crate) header: BlockHeader,
    pub(crate) transactions: Vec<Vec<u8>>,
    pub(crate) outcomes: Vec<Vec<u8>>,
    pub(crate) writes: Writes,
}

impl<'a> Draft<'a> {
    /// Begins the child of `parent` at `time` over the state `base`, as `leader` proposes it.
    pub(crate) fn begin(
        machine: &'a dyn StateMachine,
        (network, leader): (NetworkId, PublicKey),
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
        let (parent, transactions, outcomes) = (parent.digest, Vec::new(), vec![outcome]);
        Ok(Self { machine, context, leader, parent, overlay, transactions, outcomes })
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
        let Self { context, leader, parent, overlay, transactions, outcomes, .. } = self;
        let writes = overlay.into_writes();
        let header = header(&context, leader, parent, (&transactions, &outcomes, &writes));
        Unsigned { header, transactions, outcomes, writes }
    }
}

/// The block of height 0, which holds nothing but writes.
pub(crate) fn genesis(network: NetworkId, leader: PublicKey, writes: Writes) -> Unsigned {
    let context = BlockContext { network, height: Height(0), time: Moment(0) };
    let header = header(&context, leader, Digest::ZERO, (&[], &[], &writes));
    Unsigned { header, transactions: Vec::new(), outcomes: Vec::new(), writes }
}

fn header(
    context: &BlockContext,
    leader: PublicKey,
    parent: Digest,
    (transactions, outcomes, writes): (&[Vec<u8>], &[Vec<u8>], &Writes),
) -> BlockHeader {
    BlockHeader {
        network: context.network,
        protocol: PROTOCOL,
        height: context.height,
        time: context.time,
        parent,
        round: round(context.height, leader),
        // An engine's block limits keep the count far below.
        outcomes: u32::try_from(outcomes.len()).unwrap_or(u32::MAX),
        transactions_root: root_of(transactions),
        outcomes_root: root_of(outcomes),
        writes_digest: writes_digest(writes),
        // This engine authenticates outcomes, not the state behind them.
        state: StateCommitment {
            root: Digest::ZERO,
            operations_root: Digest::ZERO,
            first: 0,
            end: 0,
        },
        next_committee: None,
    }
}

/// Each block of this engine takes one view of the first epoch, which does not end.
fn round(height: Height, leader: PublicKey) -> Round {
    Round { epoch: 0, view: height.0, parent_view: height.0.saturating_sub(1), leader }
}

/// The committee whose only member holds this key.
pub(crate) fn committee_of_one(key: &SecretKey) -> Committee {
    Committee::new(0, vec![key.public()]).expect("the one seat is a secret key's, hence a point")
}

impl Unsigned {
    /// The block, certified by a committee of one, and its writes.
    pub(crate) fn sign(self, key: &SecretKey) -> (Block, Writes) {
        let Self { header, transactions, outcomes, writes } = self;
        let Round { view, parent_view, .. } = header.round;
        let (digest, rounds, keys) = (header.digest(), (view, parent_view), [key.clone()]);
        let certificate = committee_of_one(key).certify(header.network, &digest, rounds, &keys);
        let finality = FinalHeader { header, descendants: Vec::new(), certificate };
        (Block { finality, transactions, outcomes }, writes)
    }
}
