//! The ledger: a pure state machine over keys and bytes.
//!
//! It knows no engine, clock, disk, network or thread. A transaction is admitted without the
//! state, many at once: see [`admission::Admitted`]. Then it asks for the keys it needs in
//! bounded rounds, is applied to what was read, and yields writes and an outcome: see
//! [`execution::Execution`].
//!
//! **Invariants** (written once in [`invariants`], used by tests, simulator and audit):
//! the sum of all balances, channels, bonds and burned credits is what was issued; money
//! moves only in [`postings`], where debits equal credits or the transaction fails whole;
//! nothing a node claims is believed that can be recomputed.

pub mod admission;
pub mod agenda;
pub mod committee;
pub mod execution;
pub mod fees;
pub mod genesis;
pub mod history;
pub mod invariants;
pub mod key;
pub mod memory;
pub mod object;
pub mod plan;
pub mod postings;
pub mod query;
pub mod quota;
pub mod refusal;
pub mod result;
pub mod roster;
pub mod sequence;
pub mod settle;
pub mod transaction;
pub mod view;

mod epoch;
mod execute;

pub use admission::Admitted;
pub use execution::{BlockContext, Execution, Need, Reads, Step};
pub use genesis::Genesis;
pub use key::Key;
pub use memory::MemoryLedger;
pub use refusal::Refusal;
pub use transaction::{Actor, Envelope, Operation, SignedTransaction};
