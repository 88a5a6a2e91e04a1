//! The node's own HTTP API under `/api/v1`, and what operators watch.
//!
//! Handlers read final blocks and translate; they decide who may see what ([`party`]) and
//! nothing else. Amounts leave as decimal texts, ids as texts.

mod accounts;
mod app;
mod blobs;
mod blocks;
mod call_metrics;
mod capsules;
mod certificates;
mod chain;
mod contents;
mod datanets;
mod departments;
mod disputes;
mod document;
mod door;
pub mod dto;
mod extract;
mod failure;
mod faucet;
pub(crate) mod gate;
mod keys;
mod lineage;
mod metrics;
mod offers;
mod party;
mod peers;
mod pools;
mod receipts;
mod router;
mod royalties;
mod serving;
mod statements;
mod status;
mod transactions;
mod validators;
mod views;

pub use app::App;
pub use document::document as openapi_document;
pub(crate) use door::Door;
pub use peers::peer_router;
pub use router::{paths, routes_of};
