//! Something that answers chat requests, and how it is asked: the mock itself, another
//! gateway, or Ambar.

use super::ambar::Network;
use crate::http::Request;
use crate::load::Calls;
use crate::server::Server;
use crate::usage::{tree_cpu, tree_peak_megabytes};
use anyhow::Result;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

/// What each call asks.
const QUESTION: &str = "Who kept the light burning when the storm came in from the west?";
/// Most tokens of an answer.
const ANSWER_TOKENS_MAX: u32 = 32;

/// How a server is asked: path, headers, model.
#[derive(Clone, Debug)]
pub struct Asking {
    path: String,
    headers: Vec<(String, String)>,
    model: String,
}

impl Asking {
    /// Without more headers.
    #[must_use]
    pub fn plain(path: &str, model: &str) -> Self {
        Self { path: path.to_owned(), headers: Vec::new(), model: model.to_owned() }
    }

    /// Adds a header.
    pub fn header(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// A request; `mark` tells the mock how to answer.
    #[must_use]
    pub fn request(&self, stream: bool, mark: &str) -> Request {
        let mut body = json!({
            "model": self.model,
            "messages": [{ "role": "user", "content": format!("{mark}{QUESTION}") }],
            "max_tokens": ANSWER_TOKENS_MAX,
            "stream": stream,
        });
        if stream {
            body["stream_options"] = json!({ "include_usage": true });
        }
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Request::with(&self.path, &headers, &body)
    }
}

/// What has to be kept for it to run.
enum Kept {
    Server { _server: Server },
    Network(Box<Network>),
    Nothing,
}

/// Something that answers.
pub struct Target {
    /// As it stands in tables.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// How it is asked; connections take them in turns.
    asking: Vec<Asking>,
    kept: Kept,
}

impl Target {
    /// The mock itself.
    #[must_use]
    pub fn direct(mock: &Server) -> Self {
        let asking = vec![Asking::plain("/v1/chat/completions", super::script::MODEL)];
        let (address, pid) = (mock.address, mock.pid());
        Self { name: super::report::DIRECT.to_owned(), address, pid, asking, kept: Kept::Nothing }
    }

    /// Another gateway.
    #[must_use]
    pub fn server(name: &str, server: Server, asking: Asking) -> Self {
        let (address, pid) = (server.address, server.pid());
        Self {
            name: name.to_owned(),
            address,
            pid,
            asking: vec![asking],
            kept: Kept::Server { _server: server },
        }
    }

    /// Ambar.
    #[must_use]
    pub fn ambar(name: &str, network: Network) -> Self {
        let (address, pid) = (network.gateway.address, network.gateway.pid());
        let ask = |certificate: &String| {
            let mut asking = Asking::plain("/v1/chat/completions", &network.model);
            asking.header("authorization", &format!("Bearer {certificate}"));
            asking
        };
        let asking = network.certificates.iter().map(ask).collect();
        let name = name.to_owned();
        Self { name, address, pid, asking, kept: Kept::Network(Box::new(network)) }
    }

    /// What its clients send.
    #[must_use]
    pub fn calls(&self, stream: bool) -> Calls {
        self.marked(stream, "")
    }

    /// The same; the mock answers as `mark` says.
    #[must_use]
    pub fn marked(&self, stream: bool, mark: &str) -> Calls {
        let requests = self.asking.iter().map(|asking| asking.request(stream, mark)).collect();
        Calls { address: self.address, requests, stream }
    }

    /// Its CPU time so far.
    pub fn cpu(&self) -> Result<Duration> {
        tree_cpu(self.pid)
    }

    /// The most memory that it had, MB.
    pub fn peak(&self) -> Result<f64> {
        tree_peak_megabytes(self.pid)
    }

    /// Waits until what it did is settled, so that it takes no time from the next one measured.
    pub fn settle(&self) -> Result<()> {
        match &self.kept {
            Kept::Network(network) => network.settle(),
            Kept::Server { .. } | Kept::Nothing => Ok(()),
        }
    }

    /// Ambar's network, if it is Ambar.
    #[must_use]
    pub fn network(&self) -> Option<&Network> {
        match &self.kept {
            Kept::Network(network) => Some(network),
            Kept::Server { .. } | Kept::Nothing => None,
        }
    }
}
