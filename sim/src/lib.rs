//! Committees on a simulated network, lived through from a seed and judged.
//!
//! A seed draws a committee, its links, what befalls it and what people do with the real
//! ledger on it ([`scenario`]); simulated validators live it through ([`simulation`]); then it is
//! judged by what may never happen ([`judge`]). Which adversary takes part is said beside the
//! seed. Nothing depends on this crate.
//!
//! **Invariant**: a seed and an adversary determine a trial to the last bit.

pub mod calls;
pub mod cast;
pub mod clients;
pub mod faults;
pub mod forged;
pub mod judge;
pub mod market;
pub mod payer;
pub mod person;
pub mod scenario;
pub mod simulation;
pub mod told;
pub mod trial;
pub mod watchman;
