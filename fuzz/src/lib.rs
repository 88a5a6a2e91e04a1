//! What every decoder of the pure crates promises, tried with inputs that nobody wrote.
//!
//! A [`Target`] is a plain function over bytes that panics when a promise is broken. The
//! same functions are driven by [`run`] on any toolchain, and by libFuzzer through
//! `fuzz_targets/`. The wiring crates are too large for this workspace. Of the gateway it compiles
//! two files for itself: the frames of the call journal, and the words between nodes.
//!
//! **Invariant**: a target is one file in `targets/` and one row of [`TARGETS`]; its seeds
//! are made by the project's own encoders, so that they follow every change of a format.

pub mod mutate;
pub mod promise;
pub mod random;
pub mod run;
pub mod sample;
pub mod targets;
#[path = "../../crates/gateway/src/errand/wire.rs"]
pub mod wire;

pub use targets::TARGETS;

/// How far an input came. Those that came further are changed more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The decoder refused it.
    Refused,
    /// It decoded.
    Decoded,
    /// What decodes was also used: applied, verified, paid.
    Used,
}

/// A decoder with its promises.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What one types.
    pub name: &'static str,
    /// Good inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Tries an input; panics when a promise is broken.
    pub attempt: fn(&[u8]) -> Reach,
}

/// Tries an input with the target of this name: the body of every libFuzzer target.
///
/// # Panics
/// When a promise is broken, or if no target has this name.
pub fn attempt(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a libFuzzer target has a row in TARGETS").attempt)(input);
}
