//! `cargo xtask tidy`: what a compiler does not ask, and this house does.
//!
//! Crate edges against the table of rooms, purity of the pure crates, lengths,
//! module docs, unfinished code and words that promise. Each finding is one
//! line that says what to do instead. The same run is a test, so that `./check`
//! needs no other step. It does not parse Rust: it blanks comments and literals
//! and reads words and braces, which is enough and never out of date.

mod blank;
mod code;
mod edges;
mod file;
mod finding;
mod functions;
mod metadata;
mod purity;
mod rooms;
mod scan;
mod shape;
mod silent;
mod statistics;
#[cfg(test)]
mod tests;
mod words;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use file::File;
use finding::Finding;
use metadata::Package;

/// Runs the task; `--stats` prints the measures of the house instead.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let root = root()?;
    match arguments {
        [] => {}
        [flag] if flag == "--stats" => {
            print!("{}", statistics::page(&metadata::packages(root)?, &file::read_all(root)?));
            return Ok(ExitCode::SUCCESS);
        }
        _ => bail!("usage: cargo xtask tidy [--stats]"),
    }
    let findings = findings(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    eprintln!("tidy: {} findings", findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is inside the workspace")
}

/// Every finding in the workspace at `root`, sorted.
fn findings(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let packages = metadata::packages(root)?;
    let files = file::read_all(root)?;
    let mut findings: Vec<Finding> =
        files.iter().flat_map(|file| file_findings(file, is_pure(&packages, file))).collect();
    for package in &packages {
        let path = format!("{}/Cargo.toml", package.directory);
        let manifest = files.iter().find(|file| file.path == path).context(path)?;
        findings.extend(edges::check(package, manifest));
        findings.extend(silent::check(package, manifest, &files));
        if rooms::room(&package.name).is_some_and(rooms::Room::is_pure) {
            let reached = metadata::reached(root, &package.name)?;
            findings.extend(edges::check_reached(package, manifest, &reached));
        }
    }
    findings.sort();
    Ok(findings)
}

/// Whether the file belongs to a pure crate.
fn is_pure(packages: &[Package], file: &File) -> bool {
    packages
        .iter()
        .find(|package| package.holds(&file.path))
        .and_then(|package| rooms::room(&package.name))
        .is_some_and(rooms::Room::is_pure)
}

fn file_findings(file: &File, pure: bool) -> Vec<Finding> {
    let mut findings = shape::check(file);
    findings.extend(words::check(file));
    findings.extend(code::check(file));
    if pure {
        findings.extend(purity::check(file));
    }
    findings
}
