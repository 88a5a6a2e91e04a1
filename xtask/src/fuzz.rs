//! `cargo xtask fuzz`: builds the runner in `fuzz/`, a workspace of its own, and runs it.
//!
//! It hands all arguments on: what they mean is said in `fuzz/src/arguments.rs`.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::program::{code, root};

/// Runs the task. Exit codes up to two are the runner's own.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()?.join("fuzz")).args(["run", "--release", "--locked", "--"]);
    let status = cargo.args(arguments).status().context("start cargo")?;
    let code = code(status);
    if code.is_none_or(|code| code > 2) {
        // A panic is caught and told; this was none.
        eprintln!("fuzz: an input ended the process; run again with the same --seed and --trace");
    }
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
