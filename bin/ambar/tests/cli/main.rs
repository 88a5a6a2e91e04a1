//! The command line without a node: help, bad input, exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod help;
mod quality;
mod terms;
