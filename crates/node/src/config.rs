//! A node's own configuration, `node.toml`: where it listens, who its peers are, how much of
//! the past it keeps, how its port speaks TLS and what it allows, what it asks, and with what it
//! serves which capsule. None of it is ever
//! part of a capsule.

pub mod engines;
pub mod network;
pub mod port;
pub mod queues;
pub mod retention;

pub use engines::{Engines, EnginesError};
pub use network::{NetworkConfig, NetworkConfigError, Peer};
pub use port::{PortConfigError, TlsConfig};
pub use queues::{Queues, QueuesError};
pub use retention::{Retention, RetentionError};

use crate::error::NodeError;
use crate::home::write_private;
use crate::server::Limits;
use ambar_base::{Cid, Price};
use ambar_compute::EngineSpec;
use ambar_ledger::object::Endpoint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

/// What a new node asks per MU, nano-credit.
pub const ASK_DEFAULT: Price = Price(500_000);

/// With what a capsule is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// An engine: models.
    Engine(EngineSpec),
    /// The corpus built from the blobs: datasets.
    Datanet,
    /// Nothing but its manifest: prompts.
    Template,
}

/// The configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Where to listen, unless told otherwise.
    pub listen: Option<SocketAddr>,
    /// Where other nodes reach this one, a host and a port, if it says so on the ledger.
    pub endpoint: Option<String>,
    /// How the port speaks TLS.
    pub tls: TlsConfig,
    /// What the port allows.
    pub limits: Limits,
    /// What the node asks per MU when it registers.
    pub ask: Option<Price>,
    /// The other validators of its network; nothing on a network of one.
    pub network: Option<NetworkConfig>,
    /// Which final blocks it keeps.
    pub retention: Retention,
    /// How it runs embedded language models.
    pub engines: Engines,
    /// How many calls engines have, and how many wait.
    pub queues: Queues,
    /// With what it serves which version.
    pub serving: BTreeMap<Cid, Served>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<port::WrittenTls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<port::WrittenLimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<network::Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<retention::Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engines: Option<Engines>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<Queues>,
    #[serde(default)]
    serving: BTreeMap<String, String>,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(spec) => spec.fmt(f),
            Self::Datanet => f.write_str("datanet"),
            Self::Template => f.write_str("template"),
        }
    }
}

impl FromStr for Served {
    type Err = ambar_compute::SpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "datanet" => Ok(Self::Datanet),
            "template" => Ok(Self::Template),
            spec => spec.parse().map(Self::Engine),
        }
    }
}

impl Config {
    /// Reads a configuration; a file that is not there is an empty one.
    pub fn read(path: &Path) -> Result<Self, NodeError> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|error| NodeError::file(path, error))?,
        };
        Self::parse(&text).map_err(|reason| NodeError::Config { path: path.to_owned(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let ask = written.ask.map(|ask| ask.parse::<Price>()).transpose();
        let serving = written.serving.into_iter().map(|(id, served)| {
            let id: Cid = id.parse().map_err(|error| format!("[serving] {id}: {error}"))?;
            let served: Served = served.parse().map_err(|error| format!("{error}"))?;
            Ok((id, served))
        });
        let network = written.network.as_ref().map(NetworkConfig::read).transpose();
        let retention = Retention::read(written.ledger.as_ref());
        let engines = Engines::read(written.engines);
        let queues = Queues::read(written.gateway);
        let limits = port::read_limits(written.limits.as_ref());
        Ok(Self {
            listen: written.listen,
            endpoint: written.endpoint.map(endpoint).transpose()?,
            tls: TlsConfig::read(written.tls).map_err(|error| format!("[tls] {error}"))?,
            limits: limits.map_err(|error| format!("[limits] {error}"))?,
            ask: ask.map_err(|error| format!("ask: {error}"))?,
            network: network.map_err(|error| format!("[network] {error}"))?,
            retention: retention.map_err(|error| format!("[ledger] {error}"))?,
            engines: engines.map_err(|error| format!("[engines] {error}"))?,
            queues: queues.map_err(|error| format!("[gateway] {error}"))?,
            serving: serving.collect::<Result<_, String>>()?,
        })
    }

    /// Writes the configuration whole.
    pub fn write(&self, path: &Path) -> Result<(), NodeError> {
        let written = Written {
            listen: self.listen,
            endpoint: self.endpoint.clone(),
            tls: self.tls.written(),
            limits: port::write_limits(&self.limits),
            ask: self.ask.map(|ask| ask.to_string()),
            network: self.network.as_ref().map(NetworkConfig::written),
            ledger: self.retention.written(),
            engines: self.engines.written(),
            gateway: self.queues.written(),
            serving: self.serving.iter().map(|(id, s)| (id.to_string(), s.to_string())).collect(),
        };
        let text = toml::to_string(&written).map_err(|error| NodeError::Config {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        write_private(path, text.as_bytes()).map_err(|error| NodeError::file(path, error))
    }
}

fn endpoint(address: String) -> Result<String, String> {
    let endpoint = Endpoint { address };
    if endpoint.is_sound() {
        return Ok(endpoint.address);
    }
    Err(format!("endpoint: `{}` is not a host and a port", endpoint.address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::{NonZeroU32, NonZeroU64};

    #[test]
    fn a_written_configuration_reads_the_same() {
        let id = |name: &str| Cid::of(name.as_bytes());
        let key = ambar_base::SecretKey::from_seed(&[1; 32]).public();
        let config = Config {
            listen: Some("127.0.0.1:7700".parse().unwrap()),
            endpoint: Some("node.example:7700".into()),
            tls: TlsConfig { names: vec!["gpu.example.org".into()], ..TlsConfig::default() },
            limits: Limits { connections: 9, ..Limits::default() },
            ask: Some(Price(500)),
            network: Some(NetworkConfig {
                listen: "0.0.0.0:7800".parse().unwrap(),
                advertise: "192.0.2.1:7800".parse().unwrap(),
                heartbeat: std::time::Duration::from_millis(250),
                peers: vec![Peer { key, address: "192.0.2.2:7800".parse().unwrap() }],
            }),
            retention: Retention::Newest(5_000),
            engines: Engines {
                streams: NonZeroU32::new(2),
                memory_mib: NonZeroU64::new(512),
                ..Engines::default()
            },
            queues: Queues { upstream_calls: NonZeroU32::new(8), ..Queues::default() },
            serving: [
                (id("a"), Served::Datanet),
                (id("b"), Served::Template),
                (id("c"), Served::Engine("gguf:/models/a b.gguf".parse().unwrap())),
            ]
            .into(),
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node.toml");
        assert_eq!(Config::read(&path).unwrap(), Config::default());
        config.write(&path).unwrap();
        assert_eq!(Config::read(&path).unwrap(), config);
        let files = crate::server::certificate::CertificateFiles {
            certificate: "a b.pem".into(),
            key: "key.pem".into(),
        };
        let tls = TlsConfig { files: Some(files), names: Vec::new(), required: true };
        let config = Config { retention: Retention::Archive, tls, ..config };
        config.write(&path).unwrap();
        assert_eq!(Config::read(&path).unwrap(), config);
    }

    #[test]
    fn a_window_that_is_too_small_is_refused() {
        let rules = ambar_ledger::Genesis::development(
            ambar_base::SecretKey::from_seed(&[1; 32]).public(),
            [0; 32],
        );
        let least = rules.parameters.settlement_window + retention::BODIES_KEPT_MARGIN;
        let check = |retention: Retention| retention.check(&rules.parameters);
        assert_eq!(check(Retention::Archive), Ok(()));
        assert_eq!(check(Retention::default()), Ok(()));
        assert_eq!(check(Retention::Newest(least)), Ok(()));
        let kept = least - 1;
        assert_eq!(check(Retention::Newest(kept)), Err(RetentionError::TooFew { kept, least }));
    }

    #[test]
    fn mistakes_are_named() {
        let check = |text: &str, expect: &str| {
            let reason = Config::parse(text).unwrap_err();
            assert!(reason.contains(expect), "{reason}");
        };
        check("listen = 1", "listen");
        check("port = 1", "port");
        check("endpoint = \"node.example\"", "endpoint: `node.example` is not a host");
        check("ask = \"x\"", "ask");
        check("[network]\nlisten = \"x\"", "advertise");
        let network = "[network]\nlisten = \"0.0.0.0:1\"\nadvertise = ";
        check(&format!("{network}\"0.0.0.0:1\""), "[network] 0.0.0.0:1 cannot be dialled");
        check(&format!("{network}\"192.0.2.1\""), "[network] `192.0.2.1` is no address");
        let network = format!("{network}\"192.0.2.1:1\"");
        check(&format!("{network}\nheartbeat_ms = 5000"), "heartbeat of 5000 ms");
        let key = ambar_base::SecretKey::from_seed(&[1; 32]).public().did();
        let peer = format!("{{ key = \"{key}\", address = \"192.0.2.2:1\" }}");
        check(&format!("{network}\npeers = [{peer}, {peer}]"), "is named twice");
        check("[ledger]\nbodies = 1", "bodies");
        check("[ledger]\nbodies_kept = 9\narchive = true", "[ledger] bodies_kept and archive");
        check("[engines]\nstreams = 0", "streams");
        check("[engines]\nstreams = 65", "[engines] streams = 65 is too many");
        check("[engines]\nstream = 1", "stream");
        check("[gateway]\nupstream_calls = 0", "upstream_calls");
        check("[gateway]\nupstream_calls = 16385", "[gateway] upstream_calls = 16385 is not 1 to");
        check("[gateway]\nwaiting_per_payer = 4097", "[gateway] waiting_per_payer = 4097 is not");
        check("[gateway]\nwaiting = 1", "waiting");
        check("[tls]\ncertificate = \"x\"", "[tls] certificate and key belong together");
        check("[tls]\nkeys = \"x\"", "keys");
        check("[limits]\nidle_seconds = 0", "[limits] idle_seconds = 0 is outside 1 to 86400");
        check("[limits]\nbodies = 1", "bodies");
        check("[serving]\nx = \"null\"", "[serving] x");
        check(&format!("[serving]\n{} = \"foo\"", Cid::of(b"")), "engine spec `foo`");
    }
}
