//! `ambar network init`: the homes of a new network, each with its keys and the addresses
//! of the others.

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::paint::short;
use crate::table::{Side, Table};
use ambar_base::Price;
use ambar_ledger::Genesis;
use ambar_ledger::genesis::{EPOCH_BLOCKS_DEFAULT, EPOCH_BLOCKS_MAX, EPOCH_BLOCKS_MIN};
use ambar_node::config::network::{HEARTBEAT_DEFAULT, heartbeat};
use ambar_node::founding::{
    API_PORT_DEFAULT, Foundation, Founded, Host, OPERATOR_CREDITS_DEFAULT, PEER_PORT_DEFAULT, sites,
};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Longest name of a network, bytes.
const NAME_BYTES_MAX: usize = 64;

/// What the network is like.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  ambar network init --validators 4 --out network --development
  ambar network init --validators 4 --out network --name grid \\
      --host 192.0.2.1 --host 192.0.2.2 --host 192.0.2.3 --host 192.0.2.4

Each home in DIR holds a validator's key, a node's key, an operator's key with the credits that
node and seat cost, and a node.toml that names the other validators. Without --host all run on
this machine, one port after another; with it one home is for each host. Carry each home to its
host over a channel that you trust, start all, and delete the copies: a key that two processes
vote with is a fault of its validator.

On a development network credits are free at every node, and one key of the council is enough;
elsewhere more than half of its keys must sign. Set AMBAR_PASSPHRASE to encrypt the keys.")]
pub struct InitArgs {
    /// How many validators
    #[arg(long, value_name = "N")]
    validators: usize,
    /// The directory for the homes; it is made, or is empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What people call the network
    #[arg(long, value_name = "NAME", default_value = "network")]
    name: String,
    /// An IP address, or one with a port for peers; once for each validator
    #[arg(long = "host", value_name = "HOST[:PORT]")]
    hosts: Vec<Host>,
    /// Where the first validator of a host listens for its peers
    #[arg(long, value_name = "PORT", default_value_t = PEER_PORT_DEFAULT)]
    port: u16,
    /// Where the first node of a host serves its API, on the loopback
    #[arg(long, value_name = "PORT", default_value_t = API_PORT_DEFAULT)]
    api_port: u16,
    /// Give credits for nothing, and let payees spend at once
    #[arg(long)]
    development: bool,
    /// The longest time between blocks when nothing happens, milliseconds
    #[arg(long, value_name = "MS", default_value_t = HEARTBEAT_DEFAULT.as_millis() as u64)]
    heartbeat: u64,
    /// Blocks of an epoch: the committee may change at the end of each
    #[arg(long, value_name = "N", default_value_t = EPOCH_BLOCKS_DEFAULT)]
    epoch_blocks: u64,
    /// What each operator can spend at first, in credits
    #[arg(long, value_name = "C", default_value_t = OPERATOR_CREDITS_DEFAULT)]
    credits: Price,
    /// Let every node keep all blocks for ever, not only the newest 65,536
    #[arg(long)]
    archive: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &InitArgs) -> Outcome {
    let foundation = foundation(args)?;
    let passphrase = context.passphrase();
    let writing = context.progress().steps("writing the homes", args.validators as u64, "homes");
    let mut homes = Vec::new();
    let genesis = foundation.found(&args.out, passphrase.as_ref(), |founded| {
        homes.push(founded.clone());
        writing.advance(1);
    })?;
    writing.clear();
    context.print(&document(&genesis, &homes), || describe(&genesis, &homes))
}

fn foundation(args: &InitArgs) -> Outcome<Foundation> {
    let named = !args.name.trim().is_empty() && args.name.len() <= NAME_BYTES_MAX;
    if !named {
        let message = format!("a network's name has 1 to {NAME_BYTES_MAX} bytes");
        return Err(Failure::input(message));
    }
    let longest: Duration =
        heartbeat(args.heartbeat).map_err(|error| Failure::input(error.to_string()))?;
    Ok(Foundation {
        name: args.name.clone(),
        development: args.development,
        epoch_blocks: epoch_blocks(args.epoch_blocks)?,
        credits: args.credits,
        heartbeat: longest,
        retention: super::retention(args.archive),
        sites: sites(args.validators, &args.hosts, (args.port, args.api_port))?,
    })
}

fn epoch_blocks(blocks: u64) -> Outcome<u64> {
    if (EPOCH_BLOCKS_MIN..=EPOCH_BLOCKS_MAX).contains(&blocks) {
        return Ok(blocks);
    }
    Err(Failure::input(format!("an epoch has {EPOCH_BLOCKS_MIN} to {EPOCH_BLOCKS_MAX} blocks")))
}

fn document(genesis: &Genesis, homes: &[Founded]) -> Value {
    json!({
        "network": genesis.network().to_string(),
        "name": genesis.name,
        "development": genesis.development,
        "homes": homes.iter().map(super::home_document).collect::<Vec<_>>(),
    })
}

fn describe(genesis: &Genesis, homes: &[Founded]) -> String {
    let columns = ["home", "validator", "peers at", "API"].map(|name| (name, Side::Left));
    let mut table = Table::new(&columns);
    for Founded { home, validator, site } in homes {
        let validator = short(&validator.did());
        let (peers, api) = (site.advertise.to_string(), format!("http://{}", site.api));
        table.row([home.display().to_string(), validator, peers, api]);
    }
    let mut text = format!("network {} ({})\n\n", genesis.name, genesis.network());
    text += &table.print("no homes");
    text += "\nstart each, on its host:\n";
    for founded in homes {
        text += &format!("  ambar start --home {}\n", founded.home.display());
    }
    let first = homes.first().map(|founded| founded.site.api.to_string()).unwrap_or_default();
    text + &format!("then look:\n  ambar status --node http://{first}\n")
}
