//! `cargo xtask sim`: builds the simulator in `sim/`, a workspace of its own, and runs it.
//!
//! It hands all arguments on: what they mean is said in `sim/src/arguments.rs`.

use std::process::ExitCode;

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let lost = "the simulator itself ended; run the seeds after the last line one at a time";
    crate::apart::run("sim", arguments, lost)
}
