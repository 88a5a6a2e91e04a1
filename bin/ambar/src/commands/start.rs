//! `ambar start`: runs the node of this home until it is interrupted.

use crate::context::Context;
use crate::embedded::{Embedded, interrupted};
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::interrupt;
use crate::logging::{self, Format};
use ambar_base::ErrorCode;
use ambar_node::client::Client;
use ambar_node::config::{Config, Retention};
use ambar_node::home::CONFIG_FILE;
use ambar_node::node::NodeSettings;
use clap::{Args, value_parser};
use serde_json::json;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::pin::pin;

/// Most threads that answer calls: more than a machine has cores only wait for one another.
const THREADS_MAX: i64 = 1_024;

/// How the node is started.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar start
  ambar start --home other --listen 127.0.0.1:7701
  ambar start --home network/1        # one of the homes of `ambar network init`
  ambar start --archive               # keep all blocks, not only the newest 65,536
  ambar start --resume                # the only validator, after `ambar chain import`
  ambar start --listen 0.0.0.0:7700   # for others: TLS alone
  ambar start --log json              # a line for each call, without its content

The node prints its address when it answers; with --json as one JSON document, and runs until
SIGINT or SIGTERM. A home with [network] in its node.toml joins the validators named there; its
first start waits until enough of them run to make blocks. Set AMBAR_PASSPHRASE to encrypt the keys of a new home, and to open them.
AMBAR_LOG=info shows what it does.")]
pub struct StartArgs {
    /// Where to listen; port 0 is a free one [default: 127.0.0.1:7700]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A configuration that becomes the home's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep all blocks for ever; from now on, as `archive = true` in node.toml says
    #[arg(long)]
    archive: bool,
    /// Vote although the votes of before are not here, as after `ambar chain import`: only if no
    /// block is final that is newer than this home's
    #[arg(long)]
    resume: bool,
    /// Log each call to standard error, for people or as JSON lines
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<Format>,
    /// Log prompts and answers as well: whoever reads the log reads them
    #[arg(long)]
    log_prompts: bool,
    /// Threads that answer calls; settling and the ledger have their own [default: one per core]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=THREADS_MAX))]
    threads: Option<u16>,
}

impl StartArgs {
    /// Threads that answer calls, if it was said.
    pub fn threads(&self) -> Option<NonZeroUsize> {
        self.threads.and_then(|threads| NonZeroUsize::new(threads.into()))
    }
}

/// Runs the node.
pub async fn run(context: &Context, args: &StartArgs) -> Outcome {
    logging::begin(args.log, args.log_prompts, context.progress())?;
    if let Some(file) = &args.config {
        configure(context.home(), file)?;
    }
    if args.archive {
        keep_all(context.home())?;
    }
    interrupt::advise("what was not built is built at the next start");
    let (home, progress) = (context.home(), context.progress());
    let settings = NodeSettings {
        home: home.to_owned(),
        listen: args.listen,
        passphrase: context.passphrase(),
        resume: args.resume,
        log_prompts: args.log_prompts,
    };
    let node = Embedded::start(settings, progress).await?;
    // Signals are heard before the address is told: whoever reads it may end the node at once.
    let mut ended = pin!(interrupted());
    let outcome = tokio::select! {
        biased;
        ended = &mut ended => ended,
        announced = announce(context, &node) => match announced {
            Ok(()) => ended.await,
            failed => failed,
        },
    };
    node.stop().await;
    outcome
}

/// Checks a configuration and makes it the home's.
fn configure(home: &Path, file: &Path) -> Outcome {
    if !file.exists() {
        let message = format!("{}: no such file", file.display());
        return Err(Failure::new(ErrorCode::FileUnreadable, message));
    }
    let config = Config::read(file)?;
    files::private_directory(home)?;
    Ok(config.write(&home.join(CONFIG_FILE))?)
}

/// Writes into the home's configuration that all blocks are kept, so that the next start does
/// not forget them.
fn keep_all(home: &Path) -> Outcome {
    let path = home.join(CONFIG_FILE);
    let config = Config::read(&path)?;
    if config.retention == Retention::Archive {
        return Ok(());
    }
    files::private_directory(home)?;
    Ok(Config { retention: Retention::Archive, ..config }.write(&path)?)
}

async fn announce(context: &Context, node: &Embedded) -> Outcome {
    let status = Client::trusting(node.url(), node.trust())?.status().await?;
    let (files, fingerprint) = node.certificate();
    let certificate = files.certificate.display().to_string();
    let document = json!({
        "url": node.url(),
        "network": status.network,
        "network_key": status.network_key,
        "epoch": status.epoch,
        "validators": status.validators,
        "node": status.node.did,
        "owner": status.node.owner,
        "height": status.height,
        "certificate": certificate,
        "certificate_sha256": fingerprint.to_string(),
    });
    context.print(&document, || {
        format!(
            "listening on {}\nnetwork {}, block {}\ncertificate {certificate}\n  \
             SHA-256 {fingerprint}\n",
            node.url(),
            status.network,
            status.height
        )
    })
}
