//! Ordering: transactions go in, final blocks come out.
//!
//! The ledger is a [`StateMachine`] over bytes and the engine is a [`Consensus`] over
//! bytes, so either can be replaced without the other. The engine is the [`Chain`]: Byzantine
//! fault tolerant consensus among a committee, which may be of one.
//!
//! This crate deliberately knows no account, money or capsule.
//!
//! **Invariant**: nobody hears of a block before it is durable, and executing the blocks
//! again from genesis gives the same outcomes, roots and state, byte for byte
//! ([`replay`](replay::replay)).

pub mod block;
mod chain;
mod core;
mod database;
mod draft;
pub mod engine;
pub mod error;
mod execute;
mod fates;
pub mod limits;
pub mod machine;
mod mempool;
mod pending;
pub mod replay;
pub mod settings;
pub mod state;

pub use block::Block;
pub use chain::{AHEAD_MS_MAX, Chain};
pub use draft::PROTOCOL;
pub use engine::{Committed, Consensus, Fate, Head, Status};
pub use error::{Fault, OpenError, StoreError, SubmitError};
pub use machine::{
    Admission, Applied, BlockContext, Execution, Item, NotAsked, ReadSet, Refusal, StateMachine,
    Step, Write,
};
pub use settings::{
    BlockLimits, Clock, Patience, PeerSettings, PoolLimits, Settings, system_clock,
};
pub use state::{Entry, MemoryState, State, StateView};

#[cfg(test)]
mod tests;
