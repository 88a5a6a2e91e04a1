//! What Ambar adds to a call: the same requests of the same load generator against a node
//! with a null engine and against the bare route, in alternating rounds.

use crate::bare;
use crate::http::Request;
use crate::load::{Calls, Load};
use crate::node::Node;
use crate::plan::Plan;
use crate::server::Server;
use crate::table::Table;
use crate::usage::process_cpu;
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Clients of the closed loops.
const CLIENTS: [usize; 3] = [1, 16, 64];
/// What each call asks.
const QUESTION: &str = "Who kept the light burning when the storm came in from the west?";
/// Most tokens of an answer; the null engine gives 16.
const ANSWER_TOKENS_MAX: u32 = 16;
/// The terms of the null model: a price per MU and one per call, no quota.
const TERMS: &str = "\
terms = 1
grants = [\"call\"]
[price]
per_mu = \"0.000000002\"
per_call = \"0.000000100\"
";

/// What one server did in one round.
#[derive(Clone, Copy, Debug)]
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
    /// CPU time of the server per call, µs.
    cpu: f64,
}

/// A server and how it is asked.
struct Side {
    name: &'static str,
    address: SocketAddr,
    pid: u32,
    model: String,
    bearer: Option<String>,
}

/// Samples by server, whether streaming, and clients.
type Samples = BTreeMap<(&'static str, bool, usize), Vec<Measured>>;

/// Measures.
pub fn run(plan: &Plan) -> Result<Table> {
    let (home, bare) = (plan.directory()?, bare::start()?);
    let node = Node::start(home.path())?;
    let sides = [bare_side(&bare), node_side(&node, home.path())?];
    let rounds = plan.pick(5, 2);
    let time = Duration::from_millis(plan.pick(1_500, 300));
    let runtime = Runtime::new()?;
    // The first round warms caches, connections and allocators; it does not count.
    round(&runtime, &sides, time / 3)?;
    let mut samples = Samples::new();
    for _ in 0..rounds {
        for (key, measured) in round(&runtime, &sides, time)? {
            samples.entry(key).or_default().push(measured);
        }
    }
    node.stop()?;
    Ok(table(&samples))
}

fn bare_side(bare: &Server) -> Side {
    let (address, pid) = (bare.address, bare.pid());
    Side { name: "bare", address, pid, model: "null".into(), bearer: None }
}

fn node_side(node: &Node, directory: &Path) -> Result<Side> {
    let (card, terms) = (directory.join("card.md"), directory.join("terms.toml"));
    fs::write(&card, "Numbered words.")?;
    fs::write(&terms, TERMS)?;
    node.person()?;
    let model = node.publish((&card, "model"), &terms, &["--engine", "null"])?;
    let bearer = Some(node.license(&model)?);
    Ok(Side { name: "ambar", address: node.address, pid: node.pid(), model, bearer })
}

impl Side {
    fn request(&self, stream: bool) -> Request {
        let body = json!({
            "model": self.model,
            "messages": [{ "role": "user", "content": QUESTION }],
            "max_tokens": ANSWER_TOKENS_MAX,
            "stream": stream,
        });
        Request::post("/v1/chat/completions", self.bearer.as_deref(), &body)
    }

    fn measure(
        &self,
        runtime: &Runtime,
        stream: bool,
        clients: usize,
        time: Duration,
    ) -> Result<Measured> {
        let calls = Calls { address: self.address, requests: vec![self.request(stream)], stream };
        let before = process_cpu(self.pid)?;
        let load = runtime.block_on(Load::closed(&calls, clients, time))?.flawless()?;
        let used = process_cpu(self.pid)?.saturating_sub(before);
        let cpu = used.as_secs_f64() * 1e6 / load.calls().max(1) as f64;
        Ok(Measured {
            rate: load.rate(),
            p50: load.percentile(50.0)?,
            p99: load.percentile(99.0)?,
            cpu,
        })
    }
}

type Round = Vec<((&'static str, bool, usize), Measured)>;

/// Everything once, the two servers in turns.
fn round(runtime: &Runtime, sides: &[Side; 2], time: Duration) -> Result<Round> {
    let mut round = Vec::new();
    for stream in [false, true] {
        for clients in CLIENTS {
            for side in sides {
                let measured = side.measure(runtime, stream, clients, time)?;
                round.push(((side.name, stream, clients), measured));
            }
        }
    }
    Ok(round)
}

/// One figure of a measurement.
type Pick = fn(&Measured) -> f64;

fn table(samples: &Samples) -> Table {
    let mut table = Table::default();
    for stream in [false, true] {
        let kind = if stream { "stream" } else { "plain" };
        let of = |side, clients, pick: Pick| -> Vec<f64> {
            samples.get(&(side, stream, clients)).into_iter().flatten().map(pick).collect()
        };
        let added = |pick: Pick| {
            let (with, without) = (of("ambar", 1, pick), of("bare", 1, pick));
            with.iter().zip(without).map(|(with, without)| with - without).collect::<Vec<f64>>()
        };
        for (name, pick) in [("p50", (|m| m.p50) as Pick), ("p99", |m| m.p99)] {
            for side in ["bare", "ambar"] {
                table.row(format!("{kind}: {name} of 1 client, {side}"), "us", of(side, 1, pick));
            }
            table.row(format!("{kind}: added to the {name}"), "us", added(pick));
        }
        for clients in CLIENTS {
            for side in ["bare", "ambar"] {
                let what = format!("{kind}: calls of {clients} clients, {side}");
                table.row(what, "1/s", of(side, clients, |m| m.rate));
            }
        }
        for clients in CLIENTS {
            for side in ["bare", "ambar"] {
                let what = format!("{kind}: server CPU per call, {clients} clients, {side}");
                table.row(what, "us", of(side, clients, |m| m.cpu));
            }
        }
    }
    table.note("closed loops; the load generator and each server are processes of their own");
    table
}
