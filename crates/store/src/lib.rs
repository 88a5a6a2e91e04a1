//! Blobs on disk, named by the root of their chunk tree.
//!
//! A blob is a file and, beside it, its outboard: the chaining values of its 16 KiB groups.
//! This crate knows no capsule, no name and no network; it never says what a blob is for.
//!
//! **Invariant**: bytes leave this crate only after they were checked against the root
//! that was asked for. A blob is either there, whole and durable, or not there: it gets
//! its name by one rename after everything was synced.

mod blob;
mod cache;
pub mod error;
pub mod limits;
mod staging;
pub mod store;

pub use ambar_capsule::chunks::ContentRoot;
pub use error::StoreError;
pub use store::Store;

#[cfg(test)]
mod tests;
