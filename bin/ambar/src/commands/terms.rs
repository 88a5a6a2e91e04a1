//! `ambar terms`: checks terms, says them in plain words, compares them and writes them in
//! another language. Needs no node, except to compare with what a capsule is built on.

use crate::clock::now;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::publish::lineage;
use ambar_base::{Cid, ErrorCode, PublicKey};
use ambar_licence::terms::TERMS_BYTES_MAX;
use ambar_licence::{Change, OdrlExport, Terms};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with terms.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a terms file; every error is listed with its line
    #[command(after_help = "Example:\n  ambar terms check terms.toml --parent bafyrei…")]
    Check(CheckArgs),
    /// Say in plain words what a terms file permits
    #[command(after_help = "Example:\n  ambar terms explain terms.toml")]
    Explain(FileArgs),
    /// Say what changes for a licensee between two terms files
    #[command(
        long_about = "Say what changes for a licensee between two terms files, clause by clause: \
            wider or narrower, dearer or cheaper. Nothing is printed if they are equal.",
        after_help = "Example:\n  ambar terms diff old.toml new.toml"
    )]
    Diff(DiffArgs),
    /// Write terms in another rights language
    #[command(
        long_about = "Write terms in another rights language: ODRL 2.2, as JSON-LD.\n\n\
            What the other language cannot say is listed on standard error, and in the document \
            itself as its description: it still binds.",
        after_help = "Example:\n  ambar terms export terms.toml --format odrl --target ID > terms.jsonld"
    )]
    Export(ExportArgs),
}

/// A terms file, and what a capsule under it would be built on.
#[derive(Args, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Compare with this capsule's terms, and those of all that it is built on; may be repeated
    #[arg(long = "parent", value_name = "ID")]
    parents: Vec<Cid>,
}

/// Two terms files.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The terms as they were, a TOML file; `-` for standard input
    old: PathBuf,
    /// The terms as they are to be; `-` for standard input
    new: PathBuf,
}

/// Which terms, and of what.
#[derive(Args, Debug)]
pub struct ExportArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The language
    #[arg(long, value_enum)]
    format: Format,
    /// The capsule that the terms are for
    #[arg(long, value_name = "ID")]
    target: Option<Cid>,
    /// The owner's DID
    #[arg(long, value_name = "DID", value_parser = did)]
    assigner: Option<PublicKey>,
}

/// A rights language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The Open Digital Rights Language 2.2 of the W3C
    Odrl,
}

fn did(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_did(text).map_err(|error| error.to_string())
}

/// A terms file.
#[derive(Args, Debug)]
pub struct FileArgs {
    /// The terms, a TOML file; `-` for standard input
    file: PathBuf,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Check(args) => check(context, args).await,
        Command::Explain(args) => explain(context, &args.file),
        Command::Diff(args) => diff(context, args),
        Command::Export(args) => export(context, args),
    }
}

/// Reads a terms file.
fn read(path: &Path) -> Outcome<Terms> {
    Ok(Terms::parse(&text(path)?)?)
}

/// Reads a terms file under which a capsule can be published now.
pub fn read_enforced(path: &Path) -> Outcome<Terms> {
    let terms = Terms::parse(&text(path)?)?;
    // This machine's time: whether terms are over already is the ledger's to say.
    match terms.problem_at(now()) {
        Some(problem) => {
            Err(Failure::new(ErrorCode::TermsInvalid, format!("term.until: {problem}")))
        }
        None => Ok(terms),
    }
}

fn text(path: &Path) -> Outcome<String> {
    files::read_text(path, TERMS_BYTES_MAX as u64)
}

async fn check(context: &Context, args: &CheckArgs) -> Outcome {
    let terms = read_enforced(&args.file.file)?;
    for parent in &args.parents {
        for ancestor in lineage::ancestors(&context.client()?, parent).await? {
            lineage::not_wider(&terms, &ancestor)?;
        }
    }
    let id = terms.id().to_string();
    let document = json!({ "ok": true, "id": id });
    context.print(&document, || format!("the terms are good; their id is {id}\n"))
}

fn explain(context: &Context, path: &Path) -> Outcome {
    let terms = read(path)?;
    let sentences = terms.explain();
    let document = json!({ "id": terms.id().to_string(), "sentences": sentences });
    context.print(&document, || lines(&sentences))
}

fn diff(context: &Context, args: &DiffArgs) -> Outcome {
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let changes = old.diff(&new);
    let rows: Vec<_> = changes.iter().map(change_json).collect();
    let document = json!({ "old": old.id().to_string(), "new": new.id().to_string(),
        "changes": rows });
    context.print(&document, || changes.iter().map(|change| format!("{change}\n")).collect())
}

fn change_json(change: &Change) -> Value {
    let Change { key, before, after, effect } = change;
    json!({ "key": key, "before": before, "after": after, "effect": effect.text() })
}

fn export(context: &Context, args: &ExportArgs) -> Outcome {
    let terms = read(&args.file.file)?;
    let Format::Odrl = args.format;
    let target = args.target.map(|id| format!("urn:ambar:capsule:{id}"));
    let target = target.unwrap_or_else(|| "urn:ambar:capsule".to_owned());
    let assigner = args.assigner.map(|key| key.did());
    let OdrlExport { document, not_expressed } = terms.odrl(&target, assigner.as_deref());
    for (key, what) in &not_expressed {
        context.note(&format!("not in ODRL: {key}: {what}"));
    }
    context.print(&document, || format!("{document:#}\n"))
}

/// One sentence per line.
pub fn lines(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("{sentence}\n")).collect()
}
