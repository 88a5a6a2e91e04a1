//! The proof that a batch settled, kept beside its receipts: the block that it is in is
//! forgotten one day, and what the ledger attested about it sooner.
//!
//! **Invariant**: what is kept was read from a final block, and is enough to show a receipt of
//! the batch to somebody who knows only the network's first committee and how it gave way to
//! the next.

use crate::record::Batched;
use crate::recovery::{Place, RecoveryError};
use crate::view::LedgerView;
use ambar_base::finality::{FinalityError, OutcomeProof};
use ambar_base::{Checkpoint, Digest, Encode, codec, record};
use ambar_consensus::Consensus;
use ambar_ledger::query::State;
use ambar_ledger::result::OperationResult;
use ambar_ledger::{Key, Operation, SignedTransaction};
use ambar_receipt::{BatchHeader, TransactionOutcome};

record! {
    /// That a batch settled, and what the ledger attested about it.
    pub struct Settled {
        /// The operation's place in its transaction.
        pub operation: u64,
        /// The transaction's outcome.
        pub outcome: Vec<u8>,
        /// That the outcome is final. It has no handovers.
        pub proof: OutcomeProof,
        /// The facts in the order of their tree.
        pub facts: Vec<Vec<u8>>,
    }
}

/// Why a kept proof does not show that a batch settled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsettledError {
    /// The outcome is not final.
    #[error(transparent)]
    Finality(#[from] FinalityError),
    /// The outcome is that of something else.
    #[error("the outcome is not that of this batch")]
    Batch,
}

/// The place in its transaction of the operation that settles this batch.
pub fn operation_of(transaction: &[u8], header: &BatchHeader) -> Option<usize> {
    let transaction: SignedTransaction = codec::decode(transaction).ok()?;
    transaction.envelope.operations.iter().position(|operation| {
        matches!(operation, Operation::Settle(settle) if settle.batch.header == *header)
    })
}

impl Settled {
    /// Reads it from the block and the state; nothing if the ledger has forgotten either.
    pub fn read(
        batched: &Batched,
        place: Place,
        consensus: &dyn Consensus,
    ) -> Result<Option<Self>, RecoveryError> {
        let header = &batched.batch.header;
        let view = LedgerView::latest(consensus)?;
        let facts: Option<Vec<Vec<u8>>> =
            view.object(&Key::Facts((header.gateway, header.number)))?;
        let (Some(facts), Some(block)) = (facts, consensus.block(place.height)?) else {
            return Ok(None);
        };
        let at = usize::try_from(place.index).unwrap_or(usize::MAX);
        let transaction = at.checked_sub(1).and_then(|at| block.transactions.get(at));
        let operation = transaction.and_then(|bytes| operation_of(bytes, header));
        let found = block.outcomes.get(at).zip(block.proof(place.index)).zip(operation);
        Ok(found.map(|((outcome, proof), operation)| Self {
            operation: operation as u64,
            outcome: outcome.clone(),
            proof,
            facts,
        }))
    }

    /// That the batch with this header is final, for whoever trusts the committee of the epoch
    /// in which it settled.
    pub fn verify(&self, header: &BatchHeader, trusted: &Checkpoint) -> Result<(), UnsettledError> {
        self.proof.verify(trusted, &self.outcome)?;
        let outcome: TransactionOutcome =
            codec::decode(&self.outcome).map_err(|_| UnsettledError::Batch)?;
        let result = usize::try_from(self.operation).ok().and_then(|at| outcome.results.get(at));
        match result.and_then(|result| codec::decode(result).ok()) {
            Some(OperationResult::Settled(of)) if of.header == Digest::of(&header.to_bytes()) => {
                Ok(())
            }
            _ => Err(UnsettledError::Batch),
        }
    }
}
