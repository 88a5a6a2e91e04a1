//! Foreign API dialects, at the edge: each turns the requests of clients that already
//! exist into [`CallRequest`]s, and what comes back into the answers they expect.
//!
//! A dialect knows [`Calls`] and nothing else of the gateway: it opens no certificate,
//! prices nothing and makes no receipt.
//!
//! **Invariant**: a request is either carried whole or refused by name. What a
//! [`CallRequest`] has no room for is never dropped silently.

pub mod openai;

use crate::call::{Accepted, CallError, CallRequest, Callable};
use futures::future::BoxFuture;

pub use openai::{Dialect, covers, refusal, refused, routes};

/// What a dialect asks of the gateway.
pub trait Calls: Send + Sync + 'static {
    /// Admits a call. The answer comes through [`Accepted::events`]; dropping those, or
    /// this future, leaves the call.
    ///
    /// # Errors
    /// Whatever keeps the call from being admitted; nothing was charged unless the error
    /// names a receipt.
    fn call(&self, request: CallRequest) -> BoxFuture<'_, Result<Accepted, CallError>>;

    /// Everything that this certificate can call.
    ///
    /// # Errors
    /// A certificate that does not open, or a ledger that cannot be asked.
    fn callable(&self, certificate: &str) -> BoxFuture<'_, Result<Vec<Callable>, CallError>>;
}
