//! What tests against a running node share: a small HTTP client that can also misbehave,
//! and a market with something to call.
//!
//! It starts nodes through `common` and knows nothing of how they answer: what a test
//! expects stands in the test.

pub mod http;
pub mod market;
pub mod server;
