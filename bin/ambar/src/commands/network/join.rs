//! `ambar network join`: the home of a node that follows a network and has no seat in it.

use crate::context::Context;
use crate::failure::{Failure, OrFail, Outcome};
use crate::files;
use ambar_base::{ErrorCode, codec};
use ambar_ledger::Genesis;
use ambar_node::config::Peer;
use ambar_node::config::network::{HEARTBEAT_DEFAULT, heartbeat};
use ambar_node::founding::{self, Founded, Host, sites};
use clap::Args;
use std::path::{Path, PathBuf};

/// Largest genesis, bytes: with all the allocations that it may have.
const GENESIS_BYTES_MAX: u64 = 1 << 20;
/// Ports that homes of `ambar network init` on the same machine leave free.
const PEER_PORT: u16 = 7_900;
const API_PORT: u16 = 7_910;

/// Which network, and through whom.
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ambar network join genesis --peer did:key:z6Mk…@192.0.2.1:7800 --out home --host 192.0.2.9

The genesis is network/genesis of any home of the network; compare its id with what others say.
The node serves, calls and keeps the ledger; it does not vote. Its operator needs an account with
credits for the node's bond before the first start:
  ambar account fund 100 --as operator --home home --node http://127.0.0.1:7700")]
pub struct JoinArgs {
    /// The network's genesis
    #[arg(value_name = "GENESIS")]
    genesis: PathBuf,
    /// A validator and where it listens; several are dialled in turn
    #[arg(long = "peer", value_name = "DID@ADDR", required = true)]
    peers: Vec<Peer>,
    /// The new home
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where others reach this node: an IP address, or one with a port
    #[arg(long, value_name = "HOST[:PORT]", default_value = "127.0.0.1")]
    host: Host,
    /// Where it listens for peers
    #[arg(long, value_name = "PORT", default_value_t = PEER_PORT)]
    port: u16,
    /// Where it serves its API, on the loopback
    #[arg(long, value_name = "PORT", default_value_t = API_PORT)]
    api_port: u16,
    /// The network's heartbeat, milliseconds
    #[arg(long, value_name = "MS", default_value_t = HEARTBEAT_DEFAULT.as_millis() as u64)]
    heartbeat: u64,
    /// Keep all blocks from where it begins, not only the newest 65,536
    #[arg(long)]
    archive: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &JoinArgs) -> Outcome {
    let genesis = read(&args.genesis)?;
    let site = sites(1, &[args.host], (args.port, args.api_port))?;
    let heartbeat = heartbeat(args.heartbeat).or_fail(ErrorCode::RequestInvalid)?;
    let passphrase = context.passphrase();
    let place = (site[0], heartbeat, args.peers.clone());
    let retention = super::retention(args.archive);
    let founded = founding::join(&args.out, &genesis, place, retention, passphrase.as_ref())?;
    let document = super::home_document(&founded);
    context.print(&document, || describe(&genesis, &founded))
}

fn read(path: &Path) -> Outcome<Genesis> {
    let bytes = files::read(path, GENESIS_BYTES_MAX)?;
    let decoded = codec::decode(&bytes).or_fail(ErrorCode::DocumentInvalid);
    decoded.map_err(|failure: Failure| {
        failure.about(path.display()).helping("name network/genesis of a home of the network")
    })
}

fn describe(genesis: &Genesis, founded: &Founded) -> String {
    let home = founded.home.display();
    format!(
        "{home}: a home on the network {} ({})\n\n\
         let its peers know it, in [network] of their node.toml:\n  \
         peers = [{{ key = \"{}\", address = \"{}\" }}]\n\
         fund its operator at another node, then start it:\n  \
         ambar account fund 100 --as operator --home {home} --node URL\n  \
         ambar start --home {home}\n",
        genesis.name,
        genesis.network(),
        founded.validator.did(),
        founded.site.advertise,
    )
}
