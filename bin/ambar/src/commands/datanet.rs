//! `ambar datanet` and `ambar trace`: whose records a datanet holds, and whose words a text
//! repeats.

use crate::context::Context;
use crate::draw::traced::traced;
use crate::failure::Outcome;
use crate::files::{self, STANDARD};
use crate::paint::{Paint, line, short};
use crate::table::{Side, Table, pairs};
use ambar_node::api::dto::{Datanet, TraceRequest};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Longest text that is traced, bytes.
const TEXT_BYTES_MAX: u64 = 64 * 1024;
/// Longest name of a contributor in the table, characters.
const NAME_CHARS_MAX: usize = 48;

/// What to do with datanets.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a datanet and its contributors
    #[command(after_help = "Example:\n  ambar datanet show bafyrei…")]
    Show(ShowArgs),
}

/// A datanet.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The datanet, by id or registered name
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
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    let Command::Show(args) = command;
    let datanet = context.client()?.datanet(&args.datanet).await?;
    context.print(&datanet, || describe(&datanet))
}

fn describe(datanet: &Datanet) -> String {
    let head = pairs(&[
        ("id", datanet.id.clone()),
        ("name", line(&datanet.name, NAME_CHARS_MAX)),
        ("owner", datanet.owner.clone()),
        ("treasury", datanet.treasury.clone()),
        ("records", datanet.records.to_string()),
        ("contributors' share", datanet.share.clone()),
        ("methods", datanet.methods.join(", ")),
        ("records here", if datanet.served { "yes" } else { "no" }.to_owned()),
    ]);
    let columns = [("contributor", Side::Left), ("account", Side::Left), ("kind", Side::Left)];
    let mut table = Table::new(&columns);
    for contributor in &datanet.contributors {
        let kind = if contributor.name.is_some() { "escrow" } else { "account" };
        let who = contributor.name.as_deref().or(contributor.did.as_deref()).unwrap_or("-");
        table.row([line(who, NAME_CHARS_MAX), short(&contributor.account), kind.to_owned()]);
    }
    format!("{head}\n{}", table.print("no contributors"))
}

/// Attributes a text.
pub async fn trace(context: &Context, args: &TraceArgs) -> Outcome {
    let text = files::read_text(&args.file, TEXT_BYTES_MAX)?;
    let request = TraceRequest { datanet: args.datanet.clone(), text };
    let answer = context.client()?.trace(&request).await?;
    context.print(&answer, || traced(&request.text, &answer, Paint::stdout()))
}
