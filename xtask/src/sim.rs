//! `cargo xtask sim`: builds the simulator and runs it.
//!
//! It hands all arguments on: what they mean is said in `sim/src/arguments.rs`.

use std::process::ExitCode;

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    crate::program::run("ambar-sim", &[], arguments)
}
