//! The same network over links that are slow, lose packets and are cut: each validator in a
//! network namespace of its own, joined by a bridge. It needs the right to make namespaces,
//! and says so where it has not.

use crate::cluster::init;
use crate::common::text;
use crate::support::market::until;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Validators, and their addresses' network.
const VALIDATORS: usize = 4;
const SUBNET: &str = "10.211.57";
/// What the kernel does to each packet that leaves a validator.
const TROUBLE: [&str; 4] = ["delay", "50ms", "loss", "1%"];

/// Says something even where the output of tests that pass is kept back.
fn tell(what: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "slow_lossy_and_cut_links_are_survived: {what}");
}

/// Runs `ip` or `tc`; why it failed, if it did.
fn run(line: &str) -> Result<(), String> {
    let mut words = line.split(' ');
    let output = Command::new(words.next().unwrap()).args(words).output();
    let output = output.map_err(|error| format!("{line}: {error}"))?;
    let why = || format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    if output.status.success() { Ok(()) } else { Err(why()) }
}

/// Namespaces that are removed in the end.
struct Namespaces {
    name: String,
}

impl Namespaces {
    fn open() -> Result<Self, String> {
        // Names of interfaces have at most 15 bytes.
        let made = Self { name: format!("amb{}", std::process::id() % 100_000) };
        let bridge = made.namespace(VALIDATORS);
        run(&format!("ip netns add {bridge}"))?;
        run(&format!("ip -n {bridge} link add br0 type bridge"))?;
        run(&format!("ip -n {bridge} link set br0 up"))?;
        for index in 0..VALIDATORS {
            made.join(index, &bridge)?;
        }
        Ok(made)
    }

    fn namespace(&self, index: usize) -> String {
        format!("{}n{index}", self.name)
    }

    fn address(index: usize) -> String {
        format!("{SUBNET}.{}", index + 1)
    }

    fn join(&self, index: usize, bridge: &str) -> Result<(), String> {
        let (inside, port) = (self.namespace(index), format!("p{index}"));
        run(&format!("ip netns add {inside}"))?;
        run(&format!("ip -n {inside} link set lo up"))?;
        run(&format!("ip -n {inside} link add eth0 type veth peer name {port} netns {bridge}"))?;
        run(&format!("ip -n {inside} addr add {}/24 dev eth0", Self::address(index)))?;
        run(&format!("ip -n {inside} link set eth0 up"))?;
        run(&format!("ip -n {bridge} link set {port} master br0"))?;
        run(&format!("ip -n {bridge} link set {port} up"))
    }

    /// Makes every link slow and lossy, as far as the kernel can.
    fn trouble(&self) -> Result<(), String> {
        let trouble = TROUBLE.join(" ");
        (0..VALIDATORS).try_for_each(|index| {
            let inside = self.namespace(index);
            run(&format!("ip netns exec {inside} tc qdisc add dev eth0 root netem {trouble}"))
        })
    }

    /// Cuts the link of a validator, or joins it again.
    fn link(&self, index: usize, state: &str) {
        let bridge = self.namespace(VALIDATORS);
        run(&format!("ip -n {bridge} link set p{index} {state}")).unwrap();
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for index in 0..=VALIDATORS {
            // One that was not made cannot be removed.
            let _ = run(&format!("ip netns del {}", self.namespace(index)));
        }
    }
}

/// A validator in its namespace.
struct Validator {
    namespace: String,
    home: PathBuf,
    child: Child,
    url: String,
}

impl Validator {
    fn start(namespaces: &Namespaces, index: usize, homes: &Path) -> Self {
        let (namespace, home) = (namespaces.namespace(index), homes.join((index + 1).to_string()));
        let mut command = inside(&namespace, &home);
        command.args(["start", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped());
        Self { namespace, home, child: command.spawn().unwrap(), url: String::new() }
    }

    /// Waits until it is ready.
    fn ready(&mut self) {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        self.url = text(&ready, "url");
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = inside(&self.namespace, &self.home);
        command.args(arguments).args(["--json", "--node", &self.url]).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Option<Value> {
        let output = self.ask(arguments);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    fn height(&self) -> Option<u64> {
        self.json(&["status"])?["height"].as_u64()
    }

    /// Waits for a height, and that it is reached by the same chain as `other`'s.
    fn reaches(&self, height: u64) {
        until("the height is reached", || (self.height()? >= height).then_some(()));
    }
}

impl Drop for Validator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary in a namespace.
fn inside(namespace: &str, home: &Path) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_ambar")]);
    command.env("AMBAR_HOME", home).env_remove("AMBAR_PASSPHRASE").env_remove("RUST_LOG");
    command
}

/// An account that is opened through a validator.
fn fund(validator: &Validator, name: &str) {
    validator.json(&["key", "new", name]).unwrap();
    let funded = validator.json(&["account", "fund", "1", "--as", name]).unwrap();
    assert_eq!(funded["opened"], true, "{funded}");
}

#[test]
fn slow_lossy_and_cut_links_are_survived() {
    let namespaces = match Namespaces::open() {
        Ok(namespaces) => namespaces,
        Err(why) => return tell(&format!("skipped: no network namespaces here: {why}")),
    };
    if let Err(why) = namespaces.trouble() {
        tell(&format!("tried without delay and loss on the links: {why}"));
    }
    let directory: TempDir = tempfile::tempdir().unwrap();
    let hosts: Vec<_> = (0..VALIDATORS).map(Namespaces::address).collect();
    init(&directory, &hosts);
    let homes = directory.path().join("network");
    let start = |index| Validator::start(&namespaces, index, &homes);
    let mut validators: Vec<_> = (0..VALIDATORS).map(start).collect();
    validators.iter_mut().for_each(Validator::ready);
    fund(&validators[0], "first");

    // One is cut off, alive: the others go on without it.
    namespaces.link(3, "down");
    fund(&validators[1], "second");
    let height = validators[1].height().unwrap();
    validators[0].reaches(height + 3);
    namespaces.link(3, "up");
    validators[3].reaches(height + 3);

    // Two halves: neither makes blocks. Joined, they go on.
    namespaces.link(2, "down");
    namespaces.link(3, "down");
    let problem =
        |validator: &Validator| validator.json(&["status"])?["problem"].as_str().map(str::to_owned);
    until("the halves say that they stand", || {
        let says = problem(&validators[0])?;
        says.contains("consensus stalled: 2 of 4 validators heard").then_some(())
    });
    let stands = validators[0].height().unwrap();
    namespaces.link(2, "up");
    namespaces.link(3, "up");
    validators.iter().for_each(|validator| validator.reaches(stands + 3));
    fund(&validators[3], "third");
}
