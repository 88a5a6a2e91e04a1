//! A typed client of a node's own API: one method per endpoint.
//!
//! It knows HTTP and the request signature, and nothing of how a node answers. It speaks
//! plain HTTP to a node on the loopback, and TLS to any other.

mod error;
mod methods;
mod pools;
mod transport;
mod trust;

pub use error::ClientError;
pub use methods::{DisputeQuery, ReceiptQuery};
pub use transport::{Client, Credential};
pub use trust::{CA_VARIABLE, Trust};
