//! Programs of this workspace: built, then run with all arguments handed on.
//!
//! They are packages of their own, so that this program, which every other task needs, stays
//! free of the crates that they call.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, ensure};

/// The repository.
pub(crate) fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has a parent")
}

/// The exit code of a program that ended by itself.
pub(crate) fn code(status: ExitStatus) -> Option<u8> {
    status.code().and_then(|code| u8::try_from(code).ok())
}

/// Builds `name` and what it starts itself, and runs it. Its exit code is the program's.
pub(crate) fn run(name: &str, beside: &[&str], arguments: &[String]) -> anyhow::Result<ExitCode> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()?).args(["build", "--release", "--locked"]);
    // The whole workspace decides the features, as in ./check: every dependency is shared.
    cargo.arg("--workspace");
    for binary in beside.iter().chain([&name]) {
        cargo.args(["--bin", binary]);
    }
    ensure!(cargo.status()?.success(), "{name} does not build");
    // Cargo started this program from where it puts the others.
    let here = std::env::current_exe()?;
    let program = here.with_file_name(name);
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| program.display().to_string())?;
    let Some(code) = code(status) else {
        eprintln!("{name} did not end by itself: {status}");
        return Ok(ExitCode::FAILURE);
    };
    Ok(ExitCode::from(code))
}
