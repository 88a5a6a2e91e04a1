//! `cargo xtask fuzz`: builds the runner in `fuzz/`, a workspace of its own, and runs it.
//!
//! It hands all arguments on: what they mean is said in `fuzz/src/arguments.rs`.

use std::process::ExitCode;

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    // A panic is caught and told; this was none.
    let lost = "an input ended the process; run again with the same --seed and --trace";
    crate::apart::run("fuzz", arguments, lost)
}
