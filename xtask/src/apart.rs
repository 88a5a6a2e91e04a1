//! Workspaces of their own inside the repository: built and run with all arguments handed on.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;

/// Builds the program of the workspace in `directory` and runs it. Exit codes up to two are
/// the program's own; `lost` is said when another shows that it ended without them.
pub(crate) fn run(directory: &str, arguments: &[String], lost: &str) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root.join(directory)).args(["run", "--release", "--locked", "--"]);
    let status = cargo.args(arguments).status().context("start cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    if code.is_none_or(|code| code > 2) {
        eprintln!("{directory}: {lost}");
    }
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
