//! A real node: `ambar start` in a process of its own, and `ambar` as the person who
//! publishes, accepts and calls.
//!
//! **Invariant**: nothing of it outlives the value, and nothing of the user's own home or
//! environment reaches it.

use crate::gateway::Cores;
use crate::plan::beside;
use crate::server::last_lines;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The key of the person who does everything.
pub const PERSON: &str = "bench";
/// Credits that the person takes from the faucet.
const FAUCET_CREDITS: &str = "1000000";
/// Credits of a channel.
const CHANNEL_CREDITS: &str = "900000";
/// The most per MU that a channel pays, credits: above any price here.
const UNIT_PRICE_MAX: &str = "1";
/// Environment variables that would change what a node or command does.
const VARIABLES: [&str; 4] = ["AMBAR_HOME", "AMBAR_NODE", "AMBAR_PASSPHRASE", "RUST_LOG"];

/// A running node.
#[derive(Debug)]
pub struct Node {
    child: Child,
    home: PathBuf,
    url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process until it said that it answers.
    pub ready: Duration,
}

fn ambar() -> Result<Command> {
    let program = beside()?.join("ambar");
    ensure!(program.exists(), "{} is not built: use `cargo xtask bench`", program.display());
    let mut command = Command::new(program);
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    Ok(command)
}

/// Runs a command in a home, against a node if it needs one; the JSON that it prints.
pub fn command(home: &Path, url: Option<&str>, arguments: &[&str]) -> Result<Value> {
    let mut command = ambar()?;
    command.args(arguments).arg("--json").arg("--home").arg(home);
    if let Some(url) = url {
        command.args(["--node", url]);
    }
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("ambar {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Makes the person in a home, with credits from a node's faucet.
pub fn person(home: &Path, url: &str) -> Result<()> {
    command(home, None, &["key", "new", PERSON])?;
    command(home, Some(url), &["account", "fund", FAUCET_CREDITS, "--as", PERSON])?;
    Ok(())
}

impl Node {
    /// Starts a node in a home, which may be new.
    pub fn start(home: &Path) -> Result<Self> {
        Self::start_by(ambar()?, home, &[])
    }

    /// The same where gateways under test run, with more arguments; what it has to say goes to
    /// a file.
    pub fn start_on(cores: Cores, home: &Path, more: &[&str], log: &Path) -> Result<Self> {
        let plain = ambar()?;
        let mut command = cores.node(plain.get_program());
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command.stderr(File::create(log)?);
        let started = Self::start_by(command, home, &[cores.arguments(), more].concat());
        let node = started.with_context(|| format!("it says: {}", last_lines(log)))?;
        cores.divide(node.pid())?;
        Ok(node)
    }

    fn start_by(mut command: Command, home: &Path, more: &[&str]) -> Result<Self> {
        command.args(["start", "--json", "--listen", "127.0.0.1:0", "--home"]).arg(home);
        command.args(more);
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("its output is a pipe")?;
        BufReader::new(output).read_line(&mut line)?;
        let ready = started.elapsed();
        let said: Value = serde_json::from_str(&line).context("the node did not start")?;
        let url = text(&said, "url")?;
        let address = url.trim_start_matches("http://").parse()?;
        Ok(Self { child, home: home.to_owned(), url, address, ready })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as an operator does and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let signal = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        ensure!(signal.success(), "the node cannot be told to stop");
        let status = self.child.wait()?;
        ensure!(status.success(), "the node ended with {status}");
        Ok(())
    }

    /// Runs a command against this node, in its home; the JSON that it prints.
    pub fn command(&self, arguments: &[&str]) -> Result<Value> {
        command(&self.home, Some(&self.url), arguments)
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes the person and gives them credits.
    pub fn person(&self) -> Result<()> {
        person(&self.home, &self.url)
    }

    /// Publishes and serves a capsule; its id.
    pub fn publish(
        &self,
        (path, kind): (&Path, &str),
        terms: &Path,
        more: &[&str],
    ) -> Result<String> {
        let (path, terms) = (path.to_string_lossy(), terms.to_string_lossy());
        let mut arguments = vec!["publish", &path, "--kind", kind, "--name", kind];
        arguments.extend(["--terms", &terms, "--as", PERSON]);
        arguments.extend(more);
        text(&self.command(&arguments)?, "id")
    }

    /// Accepts a capsule's terms, as the author of another one does.
    pub fn accept(&self, id: &str) -> Result<()> {
        self.command(&["license", id, "--as", PERSON, "--no-channel", "--yes"])?;
        Ok(())
    }

    /// Accepts a capsule's terms and opens a channel; its certificate.
    pub fn license(&self, id: &str) -> Result<String> {
        self.license_with(id, CHANNEL_CREDITS)
    }

    /// The same with so many credits in the channel.
    pub fn license_with(&self, id: &str, credits: &str) -> Result<String> {
        let mut arguments = vec!["license", id, "--as", PERSON, "--yes"];
        arguments.extend(["--fund", credits, "--unit-price-max", UNIT_PRICE_MAX]);
        let channel = text(&self.command(&arguments)?, "channel")?;
        text(&self.command(&["cert", "mint", "--channel", &channel])?, "cert")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already unless something broke.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A member of a document that is text.
pub fn text(value: &Value, member: &str) -> Result<String> {
    let text = value[member].as_str().map(str::to_owned);
    text.with_context(|| format!("no `{member}` in {value}"))
}
