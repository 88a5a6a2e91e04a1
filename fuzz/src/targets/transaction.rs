//! Transactions: decoded, signed anew as if their actor had meant them, and applied.
//!
//! Whatever is signed, the ledger refuses it whole or keeps every invariant.

use crate::sample::ledger::{Stage, actor_key, recast, stage};
use crate::{Reach, Target, promise};
use ambar_base::Encode;
use ambar_ledger::transaction::{BatchSigners, OPERATIONS_MAX, SIGNATURES_MAX};
use ambar_ledger::{Actor, Admitted, Envelope, Operation, SignedTransaction};
use ambar_receipt::TransactionOutcome;

pub(super) const TARGET: Target = Target { name: "transaction", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    stage().transactions()
}

fn attempt(input: &[u8]) -> Reach {
    let Some(transaction) = promise::compact::<SignedTransaction>(input) else {
        return Reach::Refused;
    };
    if let Ok(admitted) = Admitted::of(stage().network, input) {
        let signatures = transaction.signatures.len() + transaction.payer_signatures.len();
        assert!(signatures <= SIGNATURES_MAX, "the limit of signatures");
        assert!(admitted.envelope().operations.len() <= OPERATIONS_MAX, "the limit of operations");
    }
    let meant = apply(input);
    let signed = apply(&meant_by_all(stage(), transaction.envelope).to_bytes());
    meant.max(signed)
}

/// The envelope as its actor would sign it now, with batches that gateway and node sign and
/// votes that the validator casts.
fn meant_by_all(stage: &Stage, mut envelope: Envelope) -> SignedTransaction {
    envelope.network = stage.network;
    envelope.nonce = stage.nonce(&envelope.actor);
    for operation in &mut envelope.operations {
        if let Operation::Settle(settle) = operation
            && let Some(batch) = stage.batch(&settle.leaves)
        {
            settle.signers = BatchSigners::single(actor_key().public(), &batch.header);
            settle.batch = batch;
        }
        if let Operation::ReportConflict(evidence) = operation {
            *evidence = recast(stage.network, evidence);
        }
    }
    if let (Actor::Nobody, [Operation::ReportConflict(evidence)]) =
        (&envelope.actor, &envelope.operations[..])
    {
        return SignedTransaction::report(stage.network, evidence.clone());
    }
    envelope.sign(&actor_key())
}

fn apply(transaction: &[u8]) -> Reach {
    let before = &stage().ledger;
    let mut ledger = before.clone();
    let Ok(outcome) = ledger.apply(transaction) else {
        assert!(ledger == *before, "a transaction that is refused writes nothing");
        return Reach::Decoded;
    };
    assert!(promise::compact::<TransactionOutcome>(&outcome).is_some(), "its outcome is read");
    if let Err(violation) = ledger.check() {
        panic!("an invariant is broken: {violation}");
    }
    Reach::Used
}
