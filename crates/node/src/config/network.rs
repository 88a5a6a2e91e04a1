//! `[network]` of `node.toml`: where the validators of a network reach one another.
//!
//! It deliberately knows no genesis and no committee: a peer is a key and an address, and
//! whether its votes count is the ledger's business.
//!
//! **Invariant**: what is read can be dialled: no key twice, no address without a port or
//! that stands for any interface.

use ambar_base::PublicKey;
use ambar_base::finality::SEATS_MAX;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// Most peers that a configuration names.
pub const PEERS_MAX: usize = SEATS_MAX;
/// The time between blocks when nothing happens, unless told otherwise.
pub const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(1);
/// Shortest and longest heartbeat, ms. Gateways refuse calls when the last block is older
/// than 5 s.
pub const HEARTBEAT_MS_MIN: u64 = 50;
/// See [`HEARTBEAT_MS_MIN`].
pub const HEARTBEAT_MS_MAX: u64 = 4_000;

/// Who is on the network, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Where to listen for peers.
    pub listen: SocketAddr,
    /// Where peers reach this node.
    pub advertise: SocketAddr,
    /// The longest time between blocks when nothing happens; alike on every validator.
    pub heartbeat: Duration,
    /// Validators to dial at first; others are found through them.
    pub peers: Vec<Peer>,
}

/// A validator, written `did:key:…@192.0.2.7:7800`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The key that it votes with.
    pub key: PublicKey,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Why a peer or the network's configuration is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkConfigError {
    /// No `@` between key and address.
    #[error("`{0}` is no peer: write did:key:…@192.0.2.7:7800")]
    Form(String),
    /// The key is none.
    #[error("`{text}` is no did:key of an Ed25519 key: {reason}")]
    Key {
        /// What stands there.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// The address is none.
    #[error("`{0}` is no address: write an IP address and a port, like 192.0.2.7:7800")]
    Address(String),
    /// Nobody can be reached there.
    #[error("{0} cannot be dialled: name one interface and a port above 0")]
    Undiallable(SocketAddr),
    /// A key stands there twice.
    #[error("the peer {0} is named twice")]
    Twice(String),
    /// Too many.
    #[error("{0} peers are named; at most {PEERS_MAX} can be")]
    TooMany(usize),
    /// Too short or too long.
    #[error(
        "a heartbeat of {0} ms is outside {HEARTBEAT_MS_MIN} to {HEARTBEAT_MS_MAX} ms, in which \
         gateways still take calls"
    )]
    Heartbeat(u64),
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    listen: String,
    advertise: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_ms: Option<u64>,
    #[serde(default)]
    peers: Vec<WrittenPeer>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPeer {
    key: String,
    address: String,
}

/// An address as people write it.
pub fn address(text: &str) -> Result<SocketAddr, NetworkConfigError> {
    text.parse().map_err(|_| NetworkConfigError::Address(text.to_owned()))
}

/// An address that others can dial.
fn diallable(text: &str) -> Result<SocketAddr, NetworkConfigError> {
    let address = address(text)?;
    let somewhere = !address.ip().is_unspecified() && address.port() > 0;
    if somewhere { Ok(address) } else { Err(NetworkConfigError::Undiallable(address)) }
}

/// A heartbeat within its bounds.
pub fn heartbeat(ms: u64) -> Result<Duration, NetworkConfigError> {
    let fits = (HEARTBEAT_MS_MIN..=HEARTBEAT_MS_MAX).contains(&ms);
    if fits { Ok(Duration::from_millis(ms)) } else { Err(NetworkConfigError::Heartbeat(ms)) }
}

impl Peer {
    fn read(key: &str, at: &str) -> Result<Self, NetworkConfigError> {
        let reason = |reason: &dyn fmt::Display| NetworkConfigError::Key {
            text: key.to_owned(),
            reason: reason.to_string(),
        };
        let read = PublicKey::from_did(key).map_err(|error| reason(&error))?;
        Ok(Self { key: read, address: diallable(at)? })
    }
}

impl FromStr for Peer {
    type Err = NetworkConfigError;

    fn from_str(text: &str) -> Result<Self, NetworkConfigError> {
        let form = || NetworkConfigError::Form(text.to_owned());
        let (key, address) = text.split_once('@').ok_or_else(form)?;
        Self::read(key, address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.key.did(), self.address)
    }
}

impl NetworkConfig {
    pub(super) fn read(written: &Written) -> Result<Self, NetworkConfigError> {
        if written.peers.len() > PEERS_MAX {
            return Err(NetworkConfigError::TooMany(written.peers.len()));
        }
        let peers = written.peers.iter().map(|peer| Peer::read(&peer.key, &peer.address));
        let peers = distinct(peers.collect::<Result<_, _>>()?)?;
        Ok(Self {
            listen: address(&written.listen)?,
            advertise: diallable(&written.advertise)?,
            heartbeat: written.heartbeat_ms.map_or(Ok(HEARTBEAT_DEFAULT), heartbeat)?,
            peers,
        })
    }

    pub(super) fn written(&self) -> Written {
        let ms = u64::try_from(self.heartbeat.as_millis()).unwrap_or(u64::MAX);
        let peers = self.peers.iter();
        let peers = peers.map(|Peer { key, address }| WrittenPeer {
            key: key.did(),
            address: address.to_string(),
        });
        Written {
            listen: self.listen.to_string(),
            advertise: self.advertise.to_string(),
            heartbeat_ms: Some(ms),
            peers: peers.collect(),
        }
    }
}

/// The same peers, if no key is there twice.
pub fn distinct(peers: Vec<Peer>) -> Result<Vec<Peer>, NetworkConfigError> {
    let mut seen = BTreeSet::new();
    match peers.iter().find(|peer| !seen.insert(peer.key)) {
        Some(peer) => Err(NetworkConfigError::Twice(peer.key.did())),
        None => Ok(peers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambar_base::SecretKey;

    fn did(seed: u8) -> String {
        SecretKey::from_seed(&[seed; 32]).public().did()
    }

    #[test]
    fn peers_are_written_as_they_are_read() {
        for address in ["192.0.2.7:7800", "[2001:db8::7]:1"] {
            let text = format!("{}@{address}", did(1));
            assert_eq!(text.parse::<Peer>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_peer_says_why() {
        let check = |text: &str, expect: &str| {
            let error = text.parse::<Peer>().unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("192.0.2.7:7800", "is no peer");
        check("did:key:x@192.0.2.7:7800", "`did:key:x` is no did:key");
        check(&format!("{}@192.0.2.7", did(1)), "`192.0.2.7` is no address");
        check(&format!("{}@example.org:1", did(1)), "`example.org:1` is no address");
        check(&format!("{}@0.0.0.0:7800", did(1)), "cannot be dialled");
        check(&format!("{}@192.0.2.7:0", did(1)), "cannot be dialled");
    }
}
