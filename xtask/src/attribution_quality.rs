//! `cargo xtask attribution-quality`: builds the bench program, which writes
//! `docs/book/attribution-quality.md`.

use std::process::ExitCode;

/// What makes the bench program write the page.
const ARGUMENT: &str = "--attribution-quality";

/// Runs the task; the arguments are the program's.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> =
        std::iter::once(ARGUMENT.to_owned()).chain(arguments.iter().cloned()).collect();
    crate::program::run("ambar-bench", &[], &arguments)
}
