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

#![cfg_attr(
    not(feature = "chain"),
    expect(dead_code, reason = "a simulation has its own network, marks and openings")
)]

pub mod block;
mod chain;
mod core;
mod database;
mod draft;
pub mod engine;
mod epoch;
pub mod error;
mod execute;
mod fates;
mod history;
pub mod limits;
mod listing;
pub mod machine;
mod mempool;
mod participation;
mod pending;
mod protocol;
pub mod replay;
#[cfg(feature = "chain")]
mod rest;
pub mod settings;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod state;

pub use block::Block;
pub use chain::AHEAD_MS_MAX;
#[cfg(feature = "chain")]
pub use chain::Chain;
pub use engine::{Committed, Consensus, Fate, Head, Status};
pub use epoch::EPOCH_BLOCKS_MIN;
pub use error::{Fault, OpenError, StoreError, SubmitError};
pub use history::{Base, History};
pub use machine::{
    Admission, Applied, BlockContext, Execution, Item, Lists, Need, NotAsked, ReadSet, Refusal,
    StateMachine, Step, Write, seats_outcome,
};
pub use participation::{Participation, SeatStatus};
pub use protocol::{PROTOCOL, Protocols};
#[cfg(feature = "chain")]
pub use rest::AtRest;
pub use settings::{
    BlockLimits, Clock, EPOCH_BLOCKS_DEFAULT, Patience, PeerSettings, PoolLimits, Rules, Settings,
    system_clock,
};
pub use state::{Entry, MemoryState, State, StateView};

#[cfg(test)]
mod tests;
