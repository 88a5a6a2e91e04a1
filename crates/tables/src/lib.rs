//! Tables of the embedded store (redb) in one file, for the rooms that keep some.
//!
//! redb refuses everything, reads too, once a write has failed, until its file is opened
//! again. [`Tables`] therefore never lets a failed write reach it: what the disk refuses
//! waits in memory and is tried again before anything else is written. This crate knows no
//! table, no key and no rule of what is kept.
//!
//! **Invariant**: what is read is what was written last, whether the disk has it or not;
//! what the disk has is always a state that was whole once.

mod deferred;
#[cfg(any(test, feature = "fixture"))]
#[doc(hidden)]
pub mod faulty;
mod tables;
#[cfg(test)]
mod tests;

pub use tables::Tables;
