//! Errands: what a gateway asks another node to do for one call, and what that node answers.
//!
//! The gateway has the caller's certificate, the money and the receipt; the serving node has
//! the engine or the records. What goes between them is a one-call certificate with the work it
//! is for ([`wire`]), and the answer as frames. [`remote`] is the gateway's side, [`service`]
//! the serving node's, [`served`] what that keeps until the call has settled, [`sign`] how its
//! signature gets into a batch.
//!
//! **Invariants**: the caller's certificate never leaves its gateway. What a node serves is
//! durable there before it says that it is done, and it signs no line that says more.

mod convert;
pub mod remote;
pub mod served;
pub mod service;
pub mod sign;
pub mod wire;
#[cfg(test)]
mod wire_tests;
mod work;

pub use service::{Errands, ErrandsSettings};

/// Where work is asked for.
pub const WORK_PATH: &str = "/peer/v1/errands";
/// Where work is ended before its time.
pub const CANCEL_PATH: &str = "/peer/v1/errands/cancel";
/// Where lines of a batch are signed.
pub const SIGN_PATH: &str = "/peer/v1/signatures";
/// Longest request to another node, bytes.
pub const REQUEST_BYTES_MAX: usize = 32 << 20;
