//! The nodes of one network, started from the homes that `ambar network init` wrote.

use crate::common::{NOBODY, Person, text};
use crate::node::{Node, Starting};
use crate::support::http::Request;
use crate::support::market::{until, within};
use serde_json::Value;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use tempfile::TempDir;

/// The time between blocks when nothing happens, ms.
const HEARTBEAT_MS: &str = "200";

/// A network on this machine.
pub struct Cluster {
    directory: TempDir,
    /// The validators as others dial them.
    peers: Vec<String>,
    nodes: Vec<Option<Node>>,
}

/// Addresses that are free, all at once, on a loopback address that only one cluster has: while
/// a node is not running, nobody else's connection takes its port.
fn free_addresses(count: usize) -> Vec<String> {
    static CLUSTERS: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high, low, CLUSTERS.fetch_add(1, Ordering::Relaxed));
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind((ip, 0)).unwrap()).collect();
    listeners.iter().map(|one| one.local_addr().unwrap().to_string()).collect()
}

/// Writes the homes of a development network at these hosts.
pub fn init(directory: &TempDir, hosts: &[String]) -> Value {
    let (validators, out) = (hosts.len().to_string(), directory.path().join("network"));
    let mut arguments = vec!["network", "init", "--development", "--heartbeat", HEARTBEAT_MS];
    arguments.extend(["--validators", &validators, "--out", out.to_str().unwrap()]);
    hosts.iter().for_each(|host| arguments.extend(["--host", host]));
    Person::new(&directory.path().join("nobody"), NOBODY).json(&arguments)
}

impl Cluster {
    /// Founds a network and starts all its validators.
    pub fn start(validators: usize) -> Self {
        let mut cluster = Self::found(validators);
        cluster.start_again(&(0..validators).collect::<Vec<_>>());
        cluster
    }

    /// The same, one of them with more in its configuration.
    pub fn start_configured(validators: usize, node: usize, more: &str) -> Self {
        let mut cluster = Self::found(validators);
        let file = cluster.home(node).join("node.toml");
        let present = fs::read_to_string(&file).unwrap();
        fs::write(&file, present + more).unwrap();
        cluster.start_again(&(0..validators).collect::<Vec<_>>());
        cluster
    }

    fn found(validators: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hosts = free_addresses(validators);
        let founded = init(&directory, &hosts);
        let homes = founded["homes"].as_array().unwrap();
        let peer = |(home, host): (&Value, _)| format!("{}@{host}", text(home, "validator"));
        let peers = homes.iter().zip(&hosts).map(peer).collect();
        Self { directory, peers, nodes: (0..validators).map(|_| None).collect() }
    }

    /// Makes the home of a further node, which has no seat; its place among the nodes.
    pub fn join(&mut self) -> usize {
        let node = self.nodes.len();
        let (genesis, out) = (self.home(0).join("network/genesis"), self.home(node));
        let (genesis, out) = (genesis.to_str().unwrap(), out.to_str().unwrap());
        let mut arguments = vec!["network", "join", genesis, "--out", out];
        let host = free_addresses(1).remove(0);
        arguments.extend(["--host", &host, "--heartbeat", HEARTBEAT_MS]);
        self.peers.iter().for_each(|peer| arguments.extend(["--peer", peer]));
        let joined = Person::new(&self.path("nobody"), NOBODY).json(&arguments);
        self.nodes.push(None);
        self.admit(&text(&joined, "validator"), &host);
        node
    }

    /// Lets the only validator know a node without a seat, and starts it again.
    fn admit(&mut self, key: &str, host: &str) {
        self.kill(0);
        let file = self.home(0).join("node.toml");
        let (nobody, present) = ("peers = []", fs::read_to_string(&file).unwrap());
        assert!(present.contains(nobody), "{present}");
        let known = format!("peers = [{{ key = \"{key}\", address = \"{host}\" }}]");
        fs::write(&file, present.replace(nobody, &known)).unwrap();
        self.start_again(&[0]);
    }

    /// The same, each writing all it has to say into `N.log` beside the homes.
    pub fn start_logging(validators: usize) -> Self {
        let mut cluster = Self::found(validators);
        for node in 0..validators {
            cluster.write(&format!("{node}.log"), "");
        }
        cluster.start_again(&(0..validators).collect::<Vec<_>>());
        cluster
    }

    /// Where a node writes what it has to say, if it does.
    fn log(&self, node: usize) -> Option<File> {
        File::options().append(true).open(self.path(&format!("{node}.log"))).ok()
    }

    /// A path beside the homes.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The home of a node.
    pub fn home(&self, node: usize) -> PathBuf {
        self.path("network").join((node + 1).to_string())
    }

    /// Writes a file; its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Where a running node listens.
    pub fn url(&self, node: usize) -> &str {
        self.nodes[node].as_ref().unwrap().url()
    }

    /// Where the running ones listen.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().flatten().map(|node| node.url().to_owned()).collect()
    }

    /// Kills a node's process.
    pub fn kill(&mut self, node: usize) {
        // Dropping a node kills its process and waits for its end.
        self.nodes[node] = None;
    }

    /// Starts nodes; all must run before the first is ready.
    pub fn start_again(&mut self, nodes: &[usize]) {
        self.start_with(nodes, &[]);
    }

    /// The same with more arguments.
    pub fn start_with(&mut self, nodes: &[usize], more: &[&str]) {
        let start = |node: &usize| Starting::with(&self.home(*node), more, self.log(*node));
        let starting = nodes.iter().map(start);
        let starting: Vec<_> = starting.collect();
        for (node, starting) in nodes.iter().zip(starting) {
            self.nodes[*node] = Some(starting.ready());
        }
    }

    /// Waits until every running node has the newest block of any, and that it is the same.
    pub fn agree(&self) {
        agree(&self.urls());
    }

    /// Waits until a node says that this is wrong.
    pub fn wait_for_problem(&self, node: usize, problem: &str) {
        let (url, mut seen) = (self.url(node), Value::Null);
        let said = || {
            let status = status(url)?;
            (status["problem"] == problem).then_some(()).or_else(|| {
                seen = status;
                None
            })
        };
        assert!(within(said).is_some(), "node {node} says not {problem:?}, but {seen:#}");
        let shown = Person::new(&self.path("nobody"), url).run(&["status"]);
        assert!(shown.out.contains(problem), "{shown:?}");
    }

    /// Waits until no running node says that anything is wrong.
    pub fn wait_until_sound(&self) {
        for url in self.urls() {
            until("nothing is wrong", || status(&url)?["problem"].is_null().then_some(()));
        }
    }
}

/// Waits until every node has the newest block of any, and that it is the same.
pub fn agree(urls: &[String]) {
    let newest = urls.iter().filter_map(|url| height(url)).max().unwrap();
    let digests: Vec<_> = urls.iter().map(|url| digest(url, newest)).collect();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{newest}: {digests:?}");
}

/// What a node says of itself, if it answers.
pub fn status(url: &str) -> Option<Value> {
    let answer = Request::get("/api/v1/status").send(url).ok()?;
    (answer.status == 200).then(|| answer.json())
}

/// The newest block of a node.
pub fn height(url: &str) -> Option<u64> {
    status(url)?["height"].as_u64()
}

/// The digest of a block, which commits to the state after it; waits until it is there.
pub fn digest(url: &str, height: u64) -> String {
    until("the block is there", || {
        let answer = Request::get(format!("/api/v1/blocks/{height}")).send(url).ok()?;
        (answer.status == 200).then(|| text(&answer.json(), "digest"))
    })
}
