//! Calls under faults: connections that break anywhere, an upstream that does anything, clients
//! that leave, processes that are killed. What `docs/book/at-most-once.md` promises is what is
//! tested.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod books;
mod budgets;
mod chance;
mod client;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "../common/mod.rs"]
mod common;
mod leaving;
mod mock;
#[path = "../common/node.rs"]
mod node;
mod proxy;
mod queue;
mod rows;
mod script;
mod stalls;
mod stand;
mod storm;
#[expect(dead_code, reason = "each test file uses its own part")]
#[path = "../support/mod.rs"]
mod support;
