//! The published API against running nodes: what it says of itself is what it does.
//!
//! `fuzzed` lets a program of other people ask whatever the document allows and what it does not;
//! `provoked` brings about every failure that the document names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod content;
mod document;
mod excluded;
mod fuzzed;
mod ledger;
#[path = "../common/node.rs"]
mod node;
mod parties;
mod provoked;
mod requests;
mod starting;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "../support/mod.rs"]
mod support;
mod upstream;
mod witness;
mod world;
