//! Ordering: transactions go in, final blocks come out.
//!
//! The ledger is a [`StateMachine`] over bytes and the engine is a [`Consensus`] over
//! bytes, so either can be replaced without the other. Today's engine is the
//! [`LocalOrderer`]: one process, one key, one embedded transactional store.
//!
//! This crate deliberately knows no account, money or capsule, and no network.
//!
//! **Invariant**: nobody hears of a block before it is durable, and executing the blocks
//! again from genesis gives the same outcomes, roots and state, byte for byte
//! ([`replay`](replay::replay)).

mod backend;
pub mod block;
mod database;
mod draft;
pub mod engine;
pub mod error;
mod execute;
mod fates;
pub mod limits;
pub mod machine;
mod mempool;
pub mod orderer;
pub mod replay;
pub mod settings;
mod shared;
pub mod state;
mod worker;

pub use block::Block;
pub use engine::{Committed, Consensus, Fate, Head, Status};
pub use error::{Fault, OpenError, StoreError, SubmitError};
pub use machine::{
    Admission, Applied, BlockContext, Execution, Item, NotAsked, ReadSet, Refusal, StateMachine,
    Step, Write,
};
pub use orderer::LocalOrderer;
pub use settings::{BlockLimits, Clock, PoolLimits, Settings, system_clock};
pub use state::{Entry, MemoryState, State, StateView};

#[cfg(test)]
mod tests;
