//! `ambar chain`: all blocks in one file, and a ledger made again from it.

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::progress::watch;
use crate::table::pairs;
use ambar_base::{ErrorCode, Height};
use ambar_node::chain_file::ChainReader;
use ambar_node::config::Config;
use ambar_node::export::{Blocks, Exported};
use ambar_node::home::{GENESIS_PATH, HomeKeys, found};
use ambar_node::restore::{self, RestoreError, Restored};
use ambar_node::{Gauge, Home};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write final blocks into a file
    Export(ExportArgs),
    /// Execute the blocks of a file into a home in which no node has run
    Import(ImportArgs),
    /// Execute the blocks of a file and check everything about them, keeping nothing
    Check(CheckArgs),
}

/// Which blocks, and where to.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar chain export --out all.chain                  # from the node that --node names
  ambar chain export --out all.chain --home network/1 --at-rest
  ambar chain export --out more.chain --from 5001

The file holds the genesis, every block with its votes, and a digest. It ends with the first block
from --to on that was voted on itself. It is written beside its name and gets it when it is whole.")]
pub struct ExportArgs {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The first block
    #[arg(long, value_name = "H", default_value_t = 0)]
    from: u64,
    /// The last block; without it the newest
    #[arg(long, value_name = "H")]
    to: Option<u64>,
    /// Read the ledger of this home, in which no node runs, instead of asking a node
    #[arg(long)]
    at_rest: bool,
}

/// Which file.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ambar chain import all.chain --home copy

Every block is executed again; votes, outcomes, writes and headers must agree with the file. A
home that is not there yet is made, with keys of its own. What was executed stays: interrupted or
with a damaged file, import goes on where it was. A validator's home needs its engine's own votes
to vote again, which no file holds: `ambar start` refuses it; a home without a seat follows.")]
pub struct ImportArgs {
    /// The chain file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Which file.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  ambar chain check all.chain")]
pub struct CheckArgs {
    /// The chain file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the command.
pub async fn run(context: &Context, command: &Command) -> Outcome {
    match command {
        Command::Export(args) => export(context, args).await,
        Command::Import(args) => import(context, args).await,
        Command::Check(args) => check(context, args).await,
    }
}

async fn export(context: &Context, args: &ExportArgs) -> Outcome {
    let mut blocks = if args.at_rest {
        check_home(context.home())?;
        Blocks::of_home(Home::open(context.home(), context.passphrase())?)?
    } else {
        Blocks::of_node(context.client()?)
    };
    let range = (Height(args.from), args.to.map(Height));
    let mut writing = None;
    let told = |done: u64, total: u64| {
        let begin = || context.progress().steps("writing the blocks", total, "blocks");
        writing.get_or_insert_with(begin).counter().at(done);
    };
    let exported = blocks.export(&args.out, range, told).await?;
    let network = blocks.genesis().await?.network();
    if let Some(phase) = writing {
        phase.finish(&format!("{} blocks", exported.last.0 - exported.first.0 + 1));
    }
    let Exported { first, last, bytes } = exported;
    let out = args.out.display().to_string();
    let document = json!({
        "network": network.to_string(), "first": first.0, "last": last.0, "bytes": bytes, "out": out,
    });
    context.print(&document, || format!("{out}: blocks {first} to {last}, {bytes} bytes\n"))
}

async fn import(context: &Context, args: &ImportArgs) -> Outcome {
    let mut file = ChainReader::open(&args.file)?;
    let root = context.home();
    if !root.join(GENESIS_PATH).exists() {
        found_for(context, root, &file)?;
    }
    let home = Home::open(root, context.passphrase())?;
    interrupt::advise("what was executed stays: import the same file again to go on");
    let restored =
        executing(context, move |gauge| restore::restore(&home, &mut file, gauge)).await?;
    let home = root.display().to_string();
    print(context, &restored, Some(&home))
}

/// Makes the home that the file is imported into.
fn found_for(context: &Context, root: &Path, file: &ChainReader) -> Outcome {
    let empty = !root.exists() || root.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if !empty {
        let message = format!("{} is neither a home nor empty", root.display());
        return Err(Failure::input(message).helping("name another directory with --home"));
    }
    let (keys, config) = (HomeKeys::random(false)?, Config::default());
    Ok(found(root, &file.genesis, &keys, &config, context.passphrase().as_ref())?)
}

async fn check(context: &Context, args: &CheckArgs) -> Outcome {
    let mut file = ChainReader::open(&args.file)?;
    let passing = tempfile::tempdir().map_err(Failure::internal)?;
    let directory = passing.path().to_owned();
    let restored =
        executing(context, move |gauge| restore::execute(&directory, &mut file, gauge)).await?;
    print(context, &restored, None)
}

/// Executes blocks off the runtime, and shows how far it is.
async fn executing(
    context: &Context,
    execute: impl FnOnce(&Gauge) -> Result<Restored, RestoreError> + Send + 'static,
) -> Outcome<Restored> {
    let gauge = Gauge::default();
    let (telling, seen) = (gauge.clone(), gauge.watch());
    let work = tokio::task::spawn_blocking(move || execute(&telling));
    let work = async { work.await.map_err(Failure::internal)?.map_err(Failure::from) };
    watch::following(context.progress(), "opening the file", work, seen).await
}

fn print(context: &Context, restored: &Restored, home: Option<&str>) -> Outcome {
    context.print(&document(restored, home), || {
        pairs(&[
            ("up to block", restored.height.to_string()),
            ("its digest", restored.digest.to_string()),
            ("state root", restored.state_root.to_string()),
            ("executed", format!("{} blocks", restored.blocks)),
            ("transactions", restored.transactions.to_string()),
            ("home", home.unwrap_or("none: nothing is kept").to_owned()),
        ])
    })
}

fn document(restored: &Restored, home: Option<&str>) -> Value {
    json!({
        "height": restored.height.0,
        "digest": restored.digest.to_string(),
        "state_root": restored.state_root.to_string(),
        "blocks": restored.blocks,
        "transactions": restored.transactions,
        "home": home,
    })
}

/// A directory that is no home is not made one by looking at it.
fn check_home(root: &Path) -> Outcome {
    if root.join(GENESIS_PATH).exists() {
        return Ok(());
    }
    let message = format!("{} is no home", root.display());
    Err(Failure::new(ErrorCode::FileUnreadable, message).helping("name a home with --home"))
}
