//! `ambar start`: runs the node of this home until it is interrupted.

use crate::context::Context;
use crate::embedded::{Embedded, interrupted};
use crate::failure::{Failure, Outcome};
use crate::files;
use ambar_base::ErrorCode;
use ambar_node::client::Client;
use ambar_node::config::Config;
use clap::Args;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;

/// The node's configuration within a home.
const CONFIG_FILE: &str = "node.toml";

/// How the node is started.
#[derive(Args, Debug)]
#[command(after_help = "\
The node prints its address when it answers; with --json as one JSON document, and runs until
SIGINT or SIGTERM. Set AMBAR_PASSPHRASE to encrypt the keys of a new home, and to open them.
RUST_LOG=info shows what it does.")]
pub struct StartArgs {
    /// Where to listen; port 0 is a free one [default: 127.0.0.1:7700]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// A configuration that becomes the home's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the node.
pub async fn run(context: &Context, args: &StartArgs) -> Outcome {
    log_to_stderr();
    if let Some(file) = &args.config {
        configure(context.home(), file)?;
    }
    let node = Embedded::start(context.home(), args.listen, context.passphrase()).await?;
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

fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    // A subscriber that is set already is as good.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
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

async fn announce(context: &Context, node: &Embedded) -> Outcome {
    let status = Client::new(node.url())?.status().await?;
    let document = json!({
        "url": node.url(),
        "network": status.network,
        "network_key": status.network_key,
        "epoch": status.epoch,
        "validators": status.validators,
        "node": status.node.did,
        "owner": status.node.owner,
        "height": status.height,
    });
    context.print(&document, || {
        format!(
            "listening on {}\nnetwork {}, block {}\n",
            node.url(),
            status.network,
            status.height
        )
    })
}
