//! Nodes that are not as a market's node is: one that waits for the other validators of its
//! network, and one of a network where credits are not for free.

use crate::common::{NOBODY, Person};
use crate::node::Node;
use crate::support::http::Request;
use crate::support::market::until;
use crate::world::{Ask, Section, World};
use ambar_base::{Encode, Inception, NetworkId, SecretKey};
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{self, Child, Stdio};

/// What is provoked here, by what it is about.
pub const SECTIONS: &[Section] = &[("alone", alone), ("in earnest", in_earnest)];

/// A node that is not ready as long as it runs.
struct Alone(Child);

impl Drop for Alone {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Addresses that are free, all at once, on a loopback address of this process alone.
fn free_addresses<const N: usize>() -> [String; N] {
    let [_, _, high, low] = process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high, low, 200);
    let listeners = [(); N].map(|()| TcpListener::bind((ip, 0)).unwrap());
    listeners.map(|one| one.local_addr().unwrap().to_string())
}

/// The homes of a network.
fn found(folder: &Path, name: &str, more: &[&str]) -> String {
    let out = folder.join(name).to_str().unwrap().to_owned();
    let init = ["network", "init", "--heartbeat", "200", "--out", &out];
    Person::new(&folder.join("nobody"), NOBODY).json(&[&init[..], more].concat());
    out
}

/// Whoever waits for others refuses everything but to say that it runs.
fn alone(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [one, two, port] = free_addresses();
    let hosts = ["--host", &one, "--host", &two];
    let out = found(folder, "two", &[&["--validators", "2", "--development"], &hosts[..]].concat());
    let person = Person::new(&Path::new(&out).join("1"), NOBODY);
    let mut command = person.command(&["start", "--listen", &port, "--json"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _alone = Alone(command.spawn().unwrap());
    let url = format!("http://{port}");
    until("the port is open", || {
        let answer = Request::get("/healthz").send(&url).ok()?;
        (answer.status == 200).then_some(())
    });
    world.witness.turn_to(&url);
    for operation in &world.witness.document().operations {
        let path = operation.path.replace(['{', '}'], "");
        let ask = Ask::new(&operation.method, path, "");
        if operation.id == "healthy" {
            assert_eq!(world.send(&ask).status, 200);
        } else {
            world.refused(&ask, "ledger_stale");
        }
    }
    world.witness.turn_to(world.market.url());
}

/// Where credits are not free the faucet gives none.
fn in_earnest(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let [host] = free_addresses();
    let out = found(folder, "one", &["--validators", "1", "--host", &host]);
    let node = Node::start(&Path::new(&out).join("1"));
    let status = Request::get("/api/v1/status").send(node.url()).unwrap().ok();
    let network = NetworkId(status["network"].as_str().unwrap().parse().unwrap());
    world.witness.turn_to(node.url());
    world.refused(&credits(network, &SecretKey::from_seed(&[3; 32]), "1"), "not_authorised");
    world.witness.turn_to(world.market.url());
}

/// A request for credits.
pub fn credits(network: NetworkId, key: &SecretKey, amount: &str) -> Ask {
    let inception = Inception::single(key.public()).sign(network, key);
    let inception = hex::encode(inception.to_bytes());
    Ask::post("/api/v1/faucet", &json!({ "inception": inception, "amount": amount }))
}
