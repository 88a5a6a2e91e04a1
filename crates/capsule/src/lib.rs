//! Capsules: what a signed manifest says, how versions descend from one another, who is
//! declared to earn from them, and the chunk tree that binds their content.
//!
//! This crate knows no ledger, no licence terms beyond their digest and no disk.
//!
//! **Invariant**: a manifest that [`Manifest::check`] accepts has shares that sum to at
//! most the whole, edges within the named limits and no edge twice.

pub mod body;
pub mod chunks;
pub mod contributors;
pub mod lineage;
pub mod manifest;
pub mod plan;
pub mod sealing;

pub use body::{Body, Kind};
pub use contributors::{Contributor, ContributorTable};
pub use manifest::{Manifest, ManifestError, SignedManifest};
pub use plan::{Party, Plan};
