//! What people ask of the ledger that its state does not answer: statements, receipts by
//! party, what was published when, and a search over it.
//!
//! The index is derived from final blocks and can be thrown away: it decides nothing, and
//! nothing on the ledger depends on it. It knows no engine, no HTTP and no permission: who
//! may see a row is for the caller to say.
//!
//! **Invariant**: taking in the blocks from genesis gives the same rows however often the
//! process stops in between, and the rows of an account sum to its balance on the ledger. An
//! index that begins after a later block has the same rows of all blocks after it, an opening
//! row for what each account held, and the same catalogue.

mod begin;
mod catalogue;
mod consolidated;
mod disputes;
pub mod error;
mod index;
mod movements;
mod offers;
pub mod payout;
mod queries;
pub mod rows;
mod royalties;
pub mod search;
mod tables;
mod take;
#[cfg(test)]
mod tests;

pub use consolidated::Place;
pub use disputes::Subject;
pub use error::IndexError;
pub use index::{BlockInput, Index};
pub use payout::{Facts, Payout, payouts};
pub use rows::{BatchRow, CatalogueRow, EntryKind, Placed, ReceiptEntry, StatementEntry};
pub use search::{Hit, SEARCH_RULE};
