//! Values to begin with, made by the project's own types.

pub mod dispute;
pub mod errand;
pub mod ledger;
pub mod manifest;
pub mod pool;
pub mod terms;

use ambar_base::{Digest, SecretKey};
use ambar_receipt::verify::fixture::World;
use std::sync::OnceLock;

/// Somebody's key.
#[must_use]
pub fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&Digest::of(name.as_bytes()).0)
}

/// A batch of five calls with everything that a receipt shows.
#[must_use]
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(World::new)
}
