//! Ordering: transactions go in, final blocks come out.
//!
//! The ledger is a [`StateMachine`] over bytes and the engine is a [`Consensus`] over
//! bytes, so either can be replaced without the other. What an engine needs besides votes is
//! here: the pool and what submitters, readers and engine share ([`core`]), making and checking
//! a block's content ([`draft`], over a state behind [`execute::Fetch`]), and the view that
//! everybody reads ([`database`]). Chains are executed again in [`replay`] and [`rest`].
//!
//! This crate deliberately knows no account, money or capsule, and no network, vote or
//! authenticated state.
//!
//! **Invariant**: executing the blocks again from genesis gives the same outcomes, roots and
//! state, byte for byte ([`replay`](replay::replay)).

pub mod block;
pub mod core;
pub mod database;
pub mod draft;
pub mod engine;
pub mod epoch;
pub mod error;
pub mod execute;
mod fates;
mod history;
pub mod limits;
pub mod listing;
pub mod machine;
mod mempool;
mod participation;
mod pending;
mod protocol;
pub mod replay;
pub mod rest;
pub mod settings;
pub mod state;

pub use block::Block;
pub use engine::{Committed, Consensus, Fate, Head, Status};
pub use epoch::EPOCH_BLOCKS_MIN;
pub use error::{Fault, OpenError, StoreError, SubmitError};
pub use history::{Base, History};
pub use machine::{
    Admission, Applied, BlockContext, Execution, Item, Lists, Need, NotAsked, ReadSet, Refusal,
    StateMachine, Step, Write, seats_outcome,
};
pub use mempool::{Answer, Candidate};
pub use participation::{Participation, SeatStatus};
pub use pending::Doubtful;
pub use protocol::{PROTOCOL, Protocols};
pub use rest::AtRest;
pub use settings::{
    BlockLimits, Clock, EPOCH_BLOCKS_DEFAULT, Patience, PeerSettings, PoolLimits, Rules, Settings,
    system_clock,
};
pub use state::{Entry, MemoryState, State, StateView};
