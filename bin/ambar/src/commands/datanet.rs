//! `ambar datanet` and `ambar trace`: whose records a datanet holds, what speaks against records
//! that are to be one, and whose words a text repeats.

use super::pool;
use crate::context::Context;
use crate::draw::traced::traced;
use crate::failure::{Failure, Outcome};
use crate::files::{self, STANDARD};
use crate::paint::{Paint, line, short};
use crate::quality::{self, RULES_BYTES_MAX};
use crate::sharing;
use crate::table::{Side, Table, pairs};
use ambar_attribution::SpanProof;
use ambar_base::{Digest, ErrorCode};
use ambar_node::api::dto::{Datanet, TraceAnswer, TraceRequest, TraceSpan};
use ambar_quality::Rules;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Longest text that is traced, bytes.
const TEXT_BYTES_MAX: u64 = 64 * 1024;
/// Longest name of a contributor in the table, characters.
const NAME_CHARS_MAX: usize = 48;

/// What to do with datanets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a datanet and its contributors, or a pool and its rules
    #[command(after_help = "Example:\n  ambar datanet show bafyrei…")]
    Show(ShowArgs),
    /// Check records before they are published
    #[command(
        long_about = "Check records before they are published: copies, boilerplate, filler, text \
            that addresses a model, languages, personal data.\n\n\
            It fails if a record would be refused; what a reviewer decides is listed only.",
        after_help = "Example:\n  ambar datanet check my-texts/ --rules rules.toml"
    )]
    Check(CheckArgs),
    #[command(flatten)]
    Pool(pool::Command),
}

/// Records, and what is asked of them.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A directory or a file, as it would be published
    path: PathBuf,
    /// The datanet's rules, a TOML file; without it the default ones
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

/// A datanet.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The datanet, by id or registered name; or a pool, by number or name
    datanet: String,
}

/// A datanet and a text.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ambar call … | ambar trace bafyrei… -")]
pub struct TraceArgs {
    /// The datanet, by id or registered name
    datanet: String,
    /// The text, a file; `-` for standard input
    #[arg(default_value = STANDARD)]
    file: PathBuf,
    /// Search this datanet with it, as if they were one; may be repeated
    #[arg(long, value_name = "DATANET")]
    beside: Vec<String>,
    /// Have occurrences proven, and check the proofs here: all in records that you may fetch, and
    /// those in your own
    #[arg(long)]
    prove: bool,
    /// The key that asks for proofs
    #[arg(long = "as", value_name = "KEY", requires = "prove")]
    key: Option<String>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Show(args) => show(context, args).await,
        Command::Check(args) => check_records(context, args).await,
        Command::Pool(command) => pool::run(context, command).await,
    }
}

async fn show(context: &Context, args: &ShowArgs) -> Outcome {
    let client = context.client()?;
    match client.datanet(&args.datanet).await {
        Ok(datanet) => context.print(&datanet, || describe(&datanet)),
        // Whoever is in neither place is told of the first.
        Err(refused) => match client.pool(&args.datanet).await {
            Ok(found) => context.print(&found, || pool::shown(&found)),
            Err(_) => Err(refused.into()),
        },
    }
}

async fn check_records(context: &Context, args: &CheckArgs) -> Outcome {
    let rules = match &args.rules {
        Some(file) => files::read_text(file, RULES_BYTES_MAX)?.parse()?,
        None => Rules::default(),
    };
    let phase = context.progress().spinner("checking the records");
    let report = quality::check(&args.path, rules).await?;
    phase.finish("");
    context.print(&report.document(), || report.text())?;
    report.conclude()
}

fn describe(datanet: &Datanet) -> String {
    let mut head = vec![
        ("id", datanet.id.clone()),
        ("name", line(&datanet.name, NAME_CHARS_MAX)),
        ("owner", datanet.owner.clone()),
        ("treasury", datanet.treasury.clone()),
        ("records", datanet.records.to_string()),
        ("contributors' share", datanet.share.clone()),
        ("methods", datanet.methods.join(", ")),
        ("records here", if datanet.served { "yes" } else { "no" }.to_owned()),
    ];
    head.extend(sharing::rows(&datanet.sharing));
    let columns = [("contributor", Side::Left), ("account", Side::Left), ("kind", Side::Left)];
    let mut table = Table::new(&columns);
    for contributor in &datanet.contributors {
        let kind = if contributor.name.is_some() { "escrow" } else { "account" };
        let who = contributor.name.as_deref().or(contributor.did.as_deref()).unwrap_or("-");
        table.row([line(who, NAME_CHARS_MAX), short(&contributor.account), kind.to_owned()]);
    }
    format!("{}\n{}", pairs(&head), table.print("no contributors"))
}

/// Attributes a text.
pub async fn trace(context: &Context, args: &TraceArgs) -> Outcome {
    let text = files::read_text(&args.file, TEXT_BYTES_MAX)?;
    let (datanet, beside) = (args.datanet.clone(), args.beside.clone());
    let request = TraceRequest { datanet, beside, text, proofs: args.prove };
    let answer = if args.prove {
        context.signer(args.key.as_deref()).await?.client().trace(&request).await?
    } else {
        context.client()?.trace(&request).await?
    };
    let proven = answer.spans.iter().filter(|span| span.proof.is_some());
    proven.clone().try_for_each(|span| check(&request.text, &answer, span))?;
    let (proven, all) = (proven.count(), answer.spans.len());
    context.print(&answer, || {
        let text = traced(&request.text, &answer, Paint::stdout());
        let roots = answer.datanets.iter().map(|datanet| format!("root {}\n", datanet.root));
        let proven = format!("\n{proven} of {all} occurrences proven\n");
        if args.prove { text + &proven + &roots.collect::<String>() } else { text }
    })
}

/// Whether the record of an occurrence holds these bytes of the text.
fn check(text: &str, answer: &TraceAnswer, span: &TraceSpan) -> Outcome {
    let place = format!("{}-{} in {}", span.start, span.end, span.document);
    let failed = |why: &str| {
        Failure::new(ErrorCode::DocumentInvalid, format!("{place} is not proven: {why}"))
    };
    let datanet = answer.datanets.iter().find(|datanet| datanet.id == span.datanet);
    let root = datanet.and_then(|datanet| datanet.root.parse::<Digest>().ok());
    let root = root.ok_or_else(|| failed("its datanet has no root"))?;
    let words = text.as_bytes().get(span.start as usize..span.end as usize);
    let words = words.ok_or_else(|| failed("the text is shorter"))?;
    let proof = span.proof.as_deref().and_then(|proof| BASE64_STANDARD.decode(proof).ok());
    let proof = proof.ok_or_else(|| failed("there is no proof"))?;
    let proof = SpanProof::decode(&proof).map_err(|error| failed(&error.to_string()))?;
    let proven = proof.verify(&root, words).map_err(|error| failed(&error.to_string()))?;
    let titled = proof.title == Digest::of(span.document.as_bytes());
    if proven.offset == span.offset && titled {
        return Ok(());
    }
    Err(failed("the proof is of another place"))
}
