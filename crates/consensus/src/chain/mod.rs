//! The engine: commonware's simplex consensus with the ledger's state in an authenticated
//! database.
//!
//! Only this module names the engine's libraries. A committee of one and a committee of many
//! run the same code; what differs is who is on the network.
//!
//! **Invariant**: nobody hears of a block before it is durable in the engine's own store,
//! from which the view is made again after a crash.

mod app;
mod begin;
mod catch_up;
mod conflict;
mod epochs;
mod gossip;
mod hearing;
mod import;
mod mark;
mod network;
mod on_demand;
mod parts;
mod peer_state;
mod peers;
mod questions;
mod schemes;
mod state;
mod thread;
mod types;
mod votes;
mod wire;

pub use app::AHEAD_MS_MAX;
pub(crate) use state::genesis_commitment;
pub use thread::Chain;
pub(crate) use thread::{VIEW, genesis_writes};
