//! One node, wired together: its home, its keys, the ledger's engine, the gateway, the
//! index, what it serves, and the HTTP API over all of them.
//!
//! This crate decides nothing about money or licences: the ledger and the gateway do. It
//! is also what programs use to talk to a node ([`client`]) and to keep keys ([`keys`]).
//!
//! **Invariant**: one process uses a home at a time, and what a node says of itself under
//! [`api`] is read from final blocks.

mod accuse;
pub mod api;
pub mod audit;
mod background;
pub mod chain_file;
pub mod client;
pub mod config;
pub mod contributors;
mod corpus_engine;
mod custody;
pub mod disk;
mod endpoint;
mod engine;
mod engine_keys;
pub mod error;
pub mod export;
pub mod files;
mod follow;
pub mod founding;
mod health;
pub mod home;
pub mod keys;
mod ledger;
pub mod node;
pub mod peers;
pub mod progress;
mod register;
pub mod restore;
mod serve;
pub mod server;
pub mod signing;
pub mod submit;

pub use error::NodeError;
pub use home::Home;
pub use keys::{KeyError, KeyStore, Passphrase};
pub use node::{Node, NodeSettings, Running};
pub use peers::Peers;
pub use progress::Gauge;
