//! Receipts: what a call used, what that is in measurement units, what it costs and who
//! is paid, in a form that anyone recomputes offline.
//!
//! This crate knows no ledger state: what a bill refers to (terms, tariff, plan, ask) is
//! handed in, by the ledger from its state and by the verifier from attested facts. Whom the
//! verifier trusts is handed in as well; [`checkpoint`] is how people write that down.
//!
//! **Invariant**: the payouts of a leaf sum to its price exactly, whatever the counters.

pub mod audit;
pub mod batch;
pub mod bill;
pub mod checkpoint;
pub mod counters;
pub mod decision;
pub mod export;
pub mod fact;
pub mod leaf;
pub mod one_call;
pub mod outcome;
pub mod purse;
pub mod routing;
pub mod sharing;
pub mod subject;
pub mod tariff;
pub mod verify;
pub mod voucher;

pub use batch::{BatchHeader, NodeLines, ServedLine, SignedBatch};
pub use bill::{BillError, LineBill, Payee};
pub use counters::{Counter, Counters};
pub use export::{ReceiptDocument, ReceiptId};
pub use fact::Fact;
pub use leaf::{CallOutcome, CountCheck, Details, Leaf, Line, Shares, call_id, opening};
pub use one_call::{OneCall, SignedOneCall};
pub use outcome::{BatchOutcome, TransactionOutcome};
pub use purse::Purse;
pub use routing::{Candidate, Routing, Verdict};
pub use sharing::sharing;
pub use tariff::Tariff;
pub use verify::{Check, Report, verify};
pub use voucher::Voucher;
