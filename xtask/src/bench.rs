//! `cargo xtask bench`: builds the binary and the bench program, then runs the latter.
//!
//! What measures lives in the package `ambar-bench`, so that this program, which every
//! other task needs, stays free of the crates that it measures.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

/// Built together, so that they share every dependency.
const BINARIES: [&str; 2] = ["ambar", "ambar-bench"];

/// Runs the task; the arguments are the bench program's.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["build", "--release", "--locked"]);
    // The whole workspace decides the features, as in ./check.
    cargo.arg("--workspace");
    for binary in BINARIES {
        cargo.args(["--bin", binary]);
    }
    ensure!(cargo.status()?.success(), "the bench does not build");
    // Cargo started this program from where it puts the others.
    let here = std::env::current_exe()?;
    let program = here.with_file_name(BINARIES[1]);
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| program.display().to_string())?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
