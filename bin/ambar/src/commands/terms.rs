//! `ambar terms`: checks terms and says them in plain words. Needs no node.

use crate::context::Context;
use crate::failure::Outcome;
use crate::files;
use ambar_licence::Terms;
use ambar_licence::terms::TERMS_BYTES_MAX;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What to do with terms.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a terms file; every error is listed with its line
    #[command(after_help = "Example:\n  ambar terms check terms.toml")]
    Check(FileArgs),
    /// Say in plain words what a terms file permits
    #[command(after_help = "Example:\n  ambar terms explain terms.toml")]
    Explain(FileArgs),
}

/// A terms file.
#[derive(Args, Debug)]
pub struct FileArgs {
    /// The terms, a TOML file; `-` for standard input
    file: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Check(args) => check(context, &args.file),
        Command::Explain(args) => explain(context, &args.file),
    }
}

/// Reads and checks a terms file.
pub fn read(path: &Path) -> Outcome<Terms> {
    let text = files::read_text(path, TERMS_BYTES_MAX as u64)?;
    Ok(Terms::parse(&text)?)
}

fn check(context: &Context, path: &Path) -> Outcome {
    let id = read(path)?.id().to_string();
    let document = json!({ "ok": true, "id": id });
    context.print(&document, || format!("the terms are good; their id is {id}\n"))
}

fn explain(context: &Context, path: &Path) -> Outcome {
    let terms = read(path)?;
    let sentences = terms.explain();
    let document = json!({ "id": terms.id().to_string(), "sentences": sentences });
    context.print(&document, || lines(&sentences))
}

/// One sentence per line.
pub fn lines(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("{sentence}\n")).collect()
}
