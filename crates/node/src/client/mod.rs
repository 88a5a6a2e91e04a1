//! A typed client of a node's own API: one method per endpoint.
//!
//! It knows HTTP and the request signature, and nothing of how a node answers. It speaks
//! plain HTTP, which is what a node on the loopback offers.

mod error;
mod methods;
mod transport;

pub use error::ClientError;
pub use methods::{DisputeQuery, ReceiptQuery};
pub use transport::{Client, Credential};
