//! What a block says of a transaction.

use crate::{Reach, Target, promise};
use ambar_base::{AccountId, Amount, Cid, Digest, Encode, Height, Price};
use ambar_ledger::object::Lease;
use ambar_ledger::result::{
    AccountResult, DisputeClosed, DisputeOpened, DrawnResult, OperationResult, SaleResult,
    VersionResult,
};
use ambar_receipt::{BatchOutcome, TransactionOutcome};

pub(super) const TARGET: Target = Target { name: "outcome", seeds, attempt };

fn seeds() -> Vec<Vec<u8>> {
    let id = AccountId(Digest::of(b"account"));
    let (header, facts_root) = (Digest::of(b"header"), Digest::of(b"facts"));
    let results = [
        OperationResult::Done,
        OperationResult::Account(AccountResult { number: 300, id }),
        OperationResult::Version(VersionResult { number: 7, id: Cid::of(b"v"), line: 2 }),
        OperationResult::Grant(1),
        OperationResult::Leased(Lease { calls: 3, spend: Price(4), rate: 5, until: Height(300) }),
        OperationResult::Sold(SaleResult { royalty: 300, seller: id }),
        OperationResult::Recalled(Amount(1 << 70)),
        OperationResult::Drawn(DrawnResult { organisation: id, department: id, amount: Amount(9) }),
        OperationResult::Disputed(DisputeOpened { number: 3, deposit: Amount(8) }),
        OperationResult::DisputeClosed(DisputeClosed {
            number: 3,
            to: id,
            deposit: Amount(8),
            claimant: id,
            refund: Amount(9),
        }),
        OperationResult::Settled(BatchOutcome { header, facts: 12, facts_root }),
    ];
    let results: Vec<Vec<u8>> = results.iter().map(Encode::to_bytes).collect();
    let outcome = |results| TransactionOutcome { fee: Price(1_234), results }.to_bytes();
    vec![outcome(Vec::new()), outcome(results)]
}

fn attempt(input: &[u8]) -> Reach {
    let Some(outcome) = promise::compact::<TransactionOutcome>(input) else {
        return Reach::Refused;
    };
    let read = |result: &Vec<u8>| promise::compact::<OperationResult>(result).is_some();
    if outcome.results.iter().all(read) { Reach::Used } else { Reach::Decoded }
}
