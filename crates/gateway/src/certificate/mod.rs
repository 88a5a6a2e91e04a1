//! Certificates: the API keys of the grid, as Biscuits.
//!
//! This module is the only one that knows Biscuit. It writes narrowings into signed
//! blocks and reads them back as facts; whether a call may run is decided on those facts
//! by `ambar-licence`, so no Datalog engine and no wall-clock limit has a say. It knows no
//! ledger: the caller looks up session keys. It counts nothing and revokes nothing.
//!
//! A certificate is a Biscuit (specification 3, Datalog version 3.0), in URL-safe base64
//! with padding. Its root key is the channel's session key (Ed25519), its `rootKeyId` the
//! channel's number. The first block holds these facts, in this order, the last one
//! optional, each as Biscuit's own printer writes it:
//!
//! ```text
//! ambar(1);
//! network(hex:…64 digits…);
//! channel(7);
//! gateway(hex:…64 digits, the audience's key…);
//! session(hex:…64 digits, the root key…);
//! ```
//!
//! `session` is there for libraries that can append to a verified token only; who opens a
//! certificate trusts the looked-up key, and refuses another one here.
//!
//! Every block, the first included, may hold any of these checks and nothing else. Two
//! checks of one kind in a block are both meant.
//!
//! ```text
//! check if time($t), $t <= 2027-01-31T00:00:00Z;
//! check if budget($b), $b <= 5000000000;
//! check if calls($n), $n <= 100;
//! check if purpose($p), {"evaluation", "research"}.contains($p);
//! check if capsule($c), {"bafyrei…"}.contains($c);
//! check if agent("did:key:z6Mk…");
//! ```
//!
//! `$b` is what was spent under the block plus this call's hold, in nano-credit; `$n` the
//! calls under the block, this one included. Both count per block, so what a child spends
//! counts against all its ancestors. Sets print in the order of Biscuit's symbol table,
//! which depends on the library and the chain; any order is read. Rules, other facts,
//! `check all`, `reject if`, `trusting`, contexts and third-party blocks are refused.
//!
//! **Invariant**: a chain of blocks is accepted only if every signature in it verifies
//! from the looked-up key on, and its text is the one spelling of the token.

mod cache;
mod error;
mod inspect;
mod open;
mod vocabulary;
mod write;

pub use cache::{CERTIFICATES_CACHED_MAX, Certificates};
pub use error::CertificateError;
pub use inspect::{Description, inspect, revocation_ids};
pub use open::{Opened, open};
pub use vocabulary::Authority;
pub use write::{mint, narrow};

use ambar_licence::terms::DELEGATION_DEPTH_MAX;

/// Longest certificate, bytes of base64 text: what common HTTP servers take as a header.
pub const CERTIFICATE_BYTES_MAX: usize = 8 * 1024;
/// Most blocks of a certificate: the first, and one for each time it was passed on.
pub const CERTIFICATE_BLOCKS_MAX: usize = 1 + DELEGATION_DEPTH_MAX as usize;

#[cfg(test)]
mod tests;
