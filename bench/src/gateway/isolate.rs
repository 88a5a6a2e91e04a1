//! A network namespace in which nothing but the loopback can be reached (unshare(1)): what is
//! measured is not what the machine's network does, and no gateway can call home.
//!
//! The other gateways are installed before, because nothing can be fetched inside.

use super::install::Cache;
use super::peers::Peer;
use crate::plan::Plan;
use anyhow::Result;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Set for this program inside: what could not be installed, as JSON.
const INSIDE: &str = "AMBAR_BENCH_NOT_INSTALLED";
/// Set beside it if there is no other network.
const ALONE: &str = "AMBAR_BENCH_ALONE";
/// Brings the loopback up, then becomes what follows.
const ENTER: &str = "ip link set lo up && exec \"$0\" \"$@\"";
/// Ways to make a namespace: the first needs root, the second a kernel that lets users do it.
const WAYS: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];

/// What was found before this program went inside.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Whether nothing but the loopback can be reached.
    pub alone: bool,
    /// Why gateways could not be installed, by name.
    pub missing: BTreeMap<String, String>,
}

impl Surroundings {
    /// As this program was told.
    #[must_use]
    pub fn read() -> Self {
        let missing = std::env::var(INSIDE).ok();
        let missing = missing.and_then(|text| serde_json::from_str(&text).ok());
        Self { alone: std::env::var_os(ALONE).is_some(), missing: missing.unwrap_or_default() }
    }
}

/// Installs what the plan needs and starts this program again in a namespace, unless it is in
/// one. It returns only where no namespace can be made, and inside.
pub fn isolate(plan: &Plan, arguments: &[String]) -> Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let peers: Vec<Peer> = if plan.wants("gateway", false) { plan.peers() } else { Vec::new() };
    let missing = Cache::open()?.install(&peers);
    let missing: BTreeMap<&str, String> =
        missing.into_iter().map(|(peer, reason)| (peer.name(), reason)).collect();
    let program = std::env::current_exe()?;
    let mut again = match WAYS.into_iter().find(|way| works(way)) {
        Some(way) => {
            let mut command = Command::new("unshare");
            command.args(way).args(["--", "sh", "-c", ENTER]).arg(program).env(ALONE, "1");
            command
        }
        None => Command::new(program),
    };
    again.args(arguments).env(INSIDE, serde_json::to_string(&missing)?);
    Err(again.exec().into())
}

fn works(way: &[&str]) -> bool {
    let mut command = Command::new("unshare");
    command.args(way).args(["--", "sh", "-c", ENTER, "true"]).stdin(Stdio::null());
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
