//! Ambar as it runs in production, on one machine: a validator in a process of its own, and a
//! gateway that follows the ledger, serves one capsule with the mock behind it, and settles
//! through the validator.

use super::cores::Cores;
use super::script::MODEL;
use crate::http::{Connection, Request};
use crate::node::{Node, command, person, text};
use crate::server::free_address;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Channels, hence certificates, that the clients share: one alone could have no more than
/// 16,384 calls that are not settled.
const CHANNELS: usize = 8;
/// Credits in each.
const CHANNEL_CREDITS: &str = "100000";
/// Credits from which the gateway's operator pays its bond.
const OPERATOR_CREDITS: &str = "1000";
/// The terms of the model: a price per MU and one per call, no quota.
const TERMS: &str = "\
terms = 1
grants = [\"call\"]
[price]
per_mu = \"0.000000002\"
per_call = \"0.000000100\"
";
/// Longest time that calls may take to settle.
const SETTLING_TIME_MAX: Duration = Duration::from_secs(240);
/// Between two looks whether they have.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// The figure of `/metrics` that says how many have not.
const UNSETTLED: &str = "ambar_receipts_unsettled ";

/// A validator, a gateway, and what a client needs.
pub struct Network {
    /// The node that takes calls.
    pub gateway: Node,
    /// The one that makes blocks.
    _validator: Node,
    /// Certificates of different channels.
    pub certificates: Vec<String>,
    /// The capsule.
    pub model: String,
    runtime: Runtime,
}

impl Network {
    /// Founds and starts both below `directory`. `more` is for the gateway: arguments if it begins
    /// with a dash, else lines of its `node.toml`.
    pub fn start(
        directory: &Path,
        upstream: SocketAddr,
        cores: Cores,
        more: Option<&str>,
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let (validator, home) = found(directory)?;
        let arguments = settings(&home, more.unwrap_or_default())?;
        let gateway = Node::start_on(cores, &home, &arguments, &directory.join("gateway.log"))?;
        person(&home, validator.url())?;
        let (card, terms) = (directory.join("card.md"), directory.join("terms.toml"));
        fs::write(&card, "Twenty words.")?;
        fs::write(&terms, TERMS)?;
        let engine = format!("upstream:http://{upstream}/v1#{MODEL}");
        let model = gateway.publish((&card, "model"), &terms, &["--engine", &engine])?;
        let open = |_| gateway.license_with(&model, CHANNEL_CREDITS);
        let certificates = (0..CHANNELS).map(open).collect::<Result<_>>()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { gateway, _validator: validator, certificates, model, runtime })
    }

    /// Waits until every call is settled.
    pub fn settle(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let waiting = self.unsettled()?;
            if waiting == 0 {
                return Ok(());
            }
            if started.elapsed() > SETTLING_TIME_MAX {
                bail!("{waiting} receipts have not settled in {SETTLING_TIME_MAX:?}");
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }

    /// Receipts that wait to be final.
    pub fn unsettled(&self) -> Result<u64> {
        let answer = self.runtime.block_on(async {
            Connection::open(self.gateway.address).await?.ask(&Request::get("/metrics")).await
        })?;
        let text = String::from_utf8(answer.body)?;
        let found = text.lines().find_map(|line| line.strip_prefix(UNSETTLED));
        Ok(found.context("no figure of unsettled receipts")?.trim().parse()?)
    }

    /// What the audit says: by the gateway, which has its receipts.
    pub fn audit(&self) -> Result<Value> {
        self.gateway.command(&["audit"])
    }
}

/// Writes lines into the configuration of a home, or takes them as arguments.
fn settings<'a>(home: &Path, more: &'a str) -> Result<Vec<&'a str>> {
    if more.starts_with('-') {
        return Ok(more.split_whitespace().collect());
    }
    let file = home.join("node.toml");
    let present = fs::read_to_string(&file)?;
    // What is under no heading of its own stands above the first.
    let (first, second) = if more.starts_with('[') { (&*present, more) } else { (more, &*present) };
    fs::write(file, format!("{first}\n{second}\n"))?;
    Ok(Vec::new())
}

/// Founds a network of one validator and starts it; writes the home of a gateway that joins.
fn found(directory: &Path) -> Result<(Node, PathBuf)> {
    let (homes, joining) = (directory.join("network"), directory.join("gateway"));
    let nobody = directory.join("nobody");
    let (peers, own) = (free_address()?.to_string(), free_address()?.to_string());
    let out = homes.to_string_lossy();
    let init = ["network", "init", "--development", "--validators", "1", "--host", &peers];
    let founded = command(&nobody, None, &[&init[..], &["--out", &out]].concat())?;
    let key = text(&founded["homes"][0], "validator")?;
    let home = homes.join("1");
    let (genesis, peer) = (home.join("network/genesis"), format!("{key}@{peers}"));
    let (genesis, out) = (genesis.to_string_lossy(), joining.to_string_lossy());
    let join = ["network", "join", &genesis, "--peer", &peer, "--host", &own, "--out", &out];
    let joined = command(&nobody, None, &join)?;
    admit(&home, &text(&joined, "validator")?, &own)?;
    let validator = Node::start(&home)?;
    let fund = ["account", "fund", OPERATOR_CREDITS, "--as", "operator"];
    command(&joining, Some(validator.url()), &fund)?;
    Ok((validator, joining))
}

/// Has a validator accept the connections of a node without a seat.
fn admit(home: &Path, key: &str, address: &str) -> Result<()> {
    let file = home.join("node.toml");
    let (alone, present) = ("peers = []", fs::read_to_string(&file)?);
    ensure!(present.contains(alone), "the validator has other peers than was thought");
    let peers = format!("peers = [{{ key = \"{key}\", address = \"{address}\" }}]");
    Ok(fs::write(file, present.replace(alone, &peers))?)
}
