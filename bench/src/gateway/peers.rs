//! The other gateways: how each is started before the mock, and how it is asked.
//!
//! Each is set up as its makers say for throughput: one worker, logs and observability off,
//! connections to the upstream kept. None gets a variable of this process's environment, in
//! which there may be secrets.

use super::cores::Cores;
use super::install::Cache;
use super::script::MODEL;
use super::target::{Asking, Target};
use crate::server::{Server, free_address};
use anyhow::{Context, Result, bail, ensure};
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Another gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// `proxy_pass` with kept connections.
    Nginx,
    /// The pass-through of this crate.
    Hyper,
    /// The gateway inside the Python package.
    TensorZero,
    /// On Node.js.
    Portkey,
    /// On Python.
    LiteLlm,
}

impl Peer {
    /// All, in the order of the tables.
    pub const ALL: [Self; 5] =
        [Self::Nginx, Self::Hyper, Self::TensorZero, Self::Portkey, Self::LiteLlm];

    /// As it is named on the command line and in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Hyper => "hyper",
            Self::TensorZero => "tensorzero",
            Self::Portkey => "portkey",
            Self::LiteLlm => "litellm",
        }
    }

    /// The version that is installed.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Nginx => "debian",
            Self::Hyper => "here",
            Self::TensorZero => "2026.6.0",
            Self::Portkey => "1.15.2",
            // Other releases were compromised; see docs/book/bench.md before changing it.
            Self::LiteLlm => "1.98.1",
        }
    }

    /// What is installed, and from where.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Nginx => "nginx from Debian's packages",
            Self::Hyper => "nothing",
            Self::TensorZero => "tensorzero 2026.6.0 from PyPI, wheels only",
            Self::Portkey => "@portkey-ai/gateway 1.15.2 from npm, without scripts",
            Self::LiteLlm => "litellm 1.98.1 from PyPI, wheels only",
        }
    }

    /// Those in a list separated by commas.
    pub fn parse(list: &str) -> Result<Vec<Self>> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let one = |name: &str| {
            let found = Self::ALL.into_iter().find(|peer| peer.name() == name);
            let known = Self::ALL.map(Self::name).join(", ");
            found.with_context(|| format!("no peer `{name}`; there are {known}"))
        };
        names.map(one).collect()
    }
}

/// Where and before what gateways are started.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Who runs where.
    pub cores: Cores,
    /// Where the gateways are installed.
    pub cache: Cache,
    /// The mock.
    pub upstream: SocketAddr,
    /// Where each may write.
    pub work: PathBuf,
    /// Whether nothing but the loopback can be reached.
    pub alone: bool,
}

impl Setting {
    /// Starts a gateway.
    pub fn start(&self, peer: Peer) -> Result<Target> {
        let work = self.work.join(peer.name());
        fs::create_dir_all(&work)?;
        let (server, asking) = match peer {
            Peer::Nginx => self.nginx(&work)?,
            Peer::Hyper => self.hyper()?,
            Peer::TensorZero => self.tensorzero(&work)?,
            Peer::Portkey => self.portkey(&work)?,
            Peer::LiteLlm => self.litellm(&work)?,
        };
        Ok(Target::server(peer.name(), server, asking))
    }

    /// A command that knows only where programs are.
    fn bare(&self, program: &Path, home: &Path) -> Command {
        let mut command = self.cores.gateway(program);
        command.env_clear().env("HOME", home).current_dir(home);
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    fn nginx(&self, work: &Path) -> Result<(Server, Asking)> {
        let (address, file) = (free_address()?, work.join("nginx.conf"));
        fs::write(&file, nginx_configuration(address, self.upstream, work)?)?;
        let program = self.cache.of(Peer::Nginx).join("usr/sbin/nginx");
        let mut command = self.bare(&program, work);
        command.arg("-e").arg(work.join("error.log"));
        command.arg("-p").arg(work).arg("-c").arg(file);
        let server = Server::told(command, address, &work.join("log"))?;
        Ok((server, Asking::plain("/v1/chat/completions", MODEL)))
    }

    fn hyper(&self) -> Result<(Server, Asking)> {
        let mut command = self.cores.gateway(std::env::current_exe()?);
        command.arg(super::pass::ARGUMENT).arg(self.upstream.to_string());
        let server = Server::telling(command)?;
        Ok((server, Asking::plain("/v1/chat/completions", MODEL)))
    }

    fn tensorzero(&self, work: &Path) -> Result<(Server, Asking)> {
        let (configuration, program) = (work.join("tensorzero.toml"), work.join("start.py"));
        fs::write(&configuration, tensorzero_configuration(self.upstream))?;
        fs::write(&program, TENSORZERO)?;
        let python = self.cache.of(Peer::TensorZero).join("bin/python");
        let mut command = self.bare(&python, work);
        command.arg(program).arg(configuration).env("RUST_LOG", "error");
        command.stderr(fs::File::create(work.join("log"))?);
        let model = format!("tensorzero::model_name::{MODEL}");
        Ok((Server::telling(command)?, Asking::plain("/openai/v1/chat/completions", &model)))
    }

    fn portkey(&self, work: &Path) -> Result<(Server, Asking)> {
        let (address, node) = (free_address()?, program("node")?);
        let package = self.cache.of(Peer::Portkey).join("node_modules/@portkey-ai/gateway");
        let mut command = self.bare(&node, work);
        command.arg(package.join("build/start-server.js"));
        command.arg(format!("--port={}", address.port())).arg("--headless");
        let server = Server::told(command, address, &work.join("log"))?;
        let mut asking = Asking::plain("/v1/chat/completions", MODEL);
        asking.header("authorization", "Bearer none");
        asking.header("x-portkey-provider", "openai");
        asking.header("x-portkey-custom-host", &format!("http://{}/v1", self.upstream));
        Ok((server, asking))
    }

    fn litellm(&self, work: &Path) -> Result<(Server, Asking)> {
        ensure!(self.alone, "it is run only where it can reach nothing but the loopback");
        let (address, file) = (free_address()?, work.join("litellm.yaml"));
        fs::write(&file, litellm_configuration(self.upstream))?;
        let bin = self.cache.of(Peer::LiteLlm).join("bin");
        let mut command = self.bare(&bin.join("python"), work);
        command.arg(bin.join("litellm")).arg("--config").arg(file);
        command.args(["--host", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--num_workers", "1"]).env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
        command.env("LITELLM_LOG", "ERROR");
        let server = Server::told(command, address, &work.join("log"))?;
        Ok((server, Asking::plain("/v1/chat/completions", MODEL)))
    }
}

/// Starts the gateway that the package carries, and says where it listens; what it logs on
/// standard output goes where standard error does.
const TENSORZERO: &str = "\
import os, signal, sys
out = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None,
                              valkey_url=None, async_setup=False)
address = gateway.base_url.split('//')[1].split('/')[0].replace('0.0.0.0', '127.0.0.1')
print(address, file=out, flush=True)
signal.pause()
";

fn tensorzero_configuration(upstream: SocketAddr) -> String {
    format!(
        "[gateway]\nobservability.enabled = false\n\n[models.{MODEL}]\nrouting = [\"{MODEL}\"]\n\n\
         [models.{MODEL}.providers.{MODEL}]\ntype = \"openai\"\nmodel_name = \"{MODEL}\"\n\
         api_base = \"http://{upstream}/v1/\"\napi_key_location = \"none\"\n"
    )
}

fn litellm_configuration(upstream: SocketAddr) -> String {
    format!(
        "model_list:\n  - model_name: {MODEL}\n    litellm_params:\n      model: openai/{MODEL}\n      \
         api_base: http://{upstream}/v1\n      api_key: none\nlitellm_settings:\n  \
         telemetry: false\n  num_retries: 0\n"
    )
}

/// One process without a master: a worker is what is measured, and one process needs no other
/// user to run as.
fn nginx_configuration(listen: SocketAddr, upstream: SocketAddr, work: &Path) -> Result<String> {
    let mut text = format!(
        "daemon off;\nmaster_process off;\npid {0}/pid;\nerror_log {0}/error.log;\n\
         events {{ worker_connections 4096; }}\nhttp {{\n    access_log off;\n",
        work.display()
    );
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(text, "    {kind}_temp_path {}/{kind};", work.display())?;
    }
    write!(
        text,
        "    keepalive_requests 1000000000;\n    upstream mock {{\n        server {upstream};\n        \
         keepalive 512;\n        keepalive_requests 1000000000;\n    }}\n    server {{\n        \
         listen {listen};\n        location / {{\n            proxy_pass http://mock;\n            \
         proxy_http_version 1.1;\n            proxy_set_header Connection \"\";\n            \
         proxy_buffering off;\n        }}\n    }}\n}}\n"
    )?;
    Ok(text)
}

/// A program that is found as a shell finds it.
fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|place| place.join(name)).find(|it| it.is_file());
    let Some(found) = found else { bail!("there is no {name}") };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_peers() {
        assert_eq!(Peer::parse("hyper, nginx").unwrap(), [Peer::Hyper, Peer::Nginx]);
        assert_eq!(Peer::parse("").unwrap(), []);
        let error = Peer::parse("hyper,ngnix").unwrap_err().to_string();
        assert!(error.contains("no peer `ngnix`") && error.contains("litellm"), "{error}");
    }

    #[test]
    fn configurations_name_both_ends() {
        let (here, there) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let nginx = nginx_configuration(here, there, Path::new("/w")).unwrap();
        assert!(nginx.contains("listen 127.0.0.1:1;") && nginx.contains("server 127.0.0.1:2;"));
        assert_eq!(nginx.matches('{').count(), nginx.matches('}').count());
        assert!(tensorzero_configuration(there).contains("http://127.0.0.1:2/v1/"));
        assert!(litellm_configuration(there).contains("http://127.0.0.1:2/v1\n"));
    }
}
