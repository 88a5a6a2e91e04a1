//! `ambar network`: founding networks, joining them, and what others need to know of them.

mod init;
mod join;

use super::validators;
use crate::context::Context;
use crate::failure::Outcome;
use crate::files;
use ambar_base::{Checkpoint, PublicKey};
use ambar_node::config::Retention;
use ambar_node::founding::Founded;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the homes of a new network of validators
    Init(init::InitArgs),
    /// Write the home of a node that joins a network without a seat
    Join(join::JoinArgs),
    /// Print or write the checkpoint that `receipt verify --network-key` takes
    Checkpoint(CheckpointArgs),
    #[command(flatten)]
    Validators(validators::Command),
}

/// Where to write the checkpoint.
#[derive(Args, Debug)]
#[command(after_help = "\
The file says whose votes make blocks final. It is this node's word and nothing in it is
signed: compare it with what other nodes say before you verify receipts with it.

Example:
  ambar network checkpoint --out network.toml")]
pub struct CheckpointArgs {
    /// The file to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Validators(command) => validators::run(context, command).await,
        Command::Init(args) => init::run(context, args),
        Command::Join(args) => join::run(context, args),
        Command::Checkpoint(args) => checkpoint(context, args).await,
    }
}

/// Which blocks a new home keeps.
fn retention(archive: bool) -> Retention {
    if archive { Retention::Archive } else { Retention::default() }
}

async fn checkpoint(context: &Context, args: &CheckpointArgs) -> Outcome {
    let found = context.client()?.checkpoint().await?;
    let text = ambar_receipt::checkpoint::write(&found);
    let Some(path) = &args.out else {
        return context.print(&document(&found, None), || text);
    };
    files::write(path, text.as_bytes())?;
    let out = path.display().to_string();
    context.print(&document(&found, Some(&out)), || {
        let (epoch, seats) = (found.committee.epoch(), found.committee.seats().len());
        format!("{out}: the committee of epoch {epoch}, {seats} in number\n")
    })
}

fn document(checkpoint: &Checkpoint, out: Option<&str>) -> Value {
    let Checkpoint { network, committee } = checkpoint;
    json!({
        "network": network.to_string(),
        "epoch": committee.epoch(),
        "validators": committee.seats().iter().map(PublicKey::did).collect::<Vec<_>>(),
        "out": out,
    })
}

/// A home as scripts read of it.
fn home_document(founded: &Founded) -> Value {
    json!({
        "home": founded.home.display().to_string(),
        "validator": founded.validator.did(),
        "listen": founded.site.listen.to_string(),
        "advertise": founded.site.advertise.to_string(),
        "api": format!("http://{}", founded.site.api),
    })
}
