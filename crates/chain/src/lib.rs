//! The engine: commonware's simplex consensus with the ledger's state in an authenticated
//! database.
//!
//! A committee of one and a committee of many run the same code ([`wire::start`]); what differs
//! is who is on the network, and whether storage, time and network are real ([`Chain`]) or
//! simulated. What an engine needs besides votes is `ambar-consensus`.
//!
//! **Invariant**: nobody hears of a block before it is durable in the engine's own store,
//! from which the view is made again after a crash.

mod alone;
pub mod app;
mod around;
mod begin;
mod catch_up;
mod conflict;
mod epochs;
mod feed;
mod gossip;
mod hearing;
mod import;
mod keep;
pub mod mark;
pub mod network;
mod on_demand;
mod parts;
mod peer_state;
mod peers;
mod questions;
pub mod schemes;
pub mod state;
mod states;
mod thread;
pub mod types;
mod votes;
pub mod wire;

pub use on_demand::AHEAD_MS_MAX;
pub use thread::Chain;
