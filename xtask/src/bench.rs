//! `cargo xtask bench`: builds the binary and the bench program, then runs the latter.

use std::process::ExitCode;

/// Runs the task; the arguments are the bench program's, which starts the binary.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    crate::program::run("ambar-bench", &["ambar"], arguments)
}
