//! The engine: commonware's simplex consensus with the ledger's state in an authenticated
//! database.
//!
//! Only this module names the engine's libraries. A committee of one and a committee of many
//! run the same code; what differs is who is on the network.
//!
//! **Invariant**: nobody hears of a block before it is durable in the engine's own store,
//! from which the view is made again after a crash.

pub(crate) mod app;
mod begin;
mod catch_up;
mod conflict;
mod epochs;
mod gossip;
mod hearing;
mod import;
pub(crate) mod mark;
pub(crate) mod network;
mod on_demand;
mod parts;
mod peer_state;
#[cfg(feature = "chain")]
mod peers;
mod questions;
pub(crate) mod schemes;
mod state;
mod states;
#[cfg(feature = "chain")]
mod thread;
pub(crate) mod types;
mod votes;
pub(crate) mod wire;

pub use on_demand::AHEAD_MS_MAX;
pub(crate) use state::genesis_commitment;
#[cfg(feature = "chain")]
pub use thread::Chain;
#[cfg(feature = "chain")]
pub(crate) use thread::VIEW;
