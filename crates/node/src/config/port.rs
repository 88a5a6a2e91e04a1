//! `[tls]` and `[limits]` of `node.toml`: what the port shows, and what it allows.
//!
//! It deliberately reads no certificate: whether files fit one another is seen when the port
//! opens.
//!
//! **Invariant**: a limit that is read is above zero, and a certificate comes with its key.

use crate::server::Limits;
use crate::server::certificate::CertificateFiles;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// Most names of the own certificate.
pub const NAMES_MAX: usize = 64;
/// Largest limit of a number of connections.
pub const CONNECTIONS_MAX: usize = 1 << 20;
/// Longest limit of a time, seconds.
pub const SECONDS_MAX: u64 = 24 * 3600;

/// What the port shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// The operator's certificate; the node makes its own if there is none.
    pub files: Option<CertificateFiles>,
    /// DNS names and IP addresses of the own certificate, besides those it listens on.
    pub names: Vec<String>,
    /// Whether the port speaks TLS alone on the loopback as well.
    pub required: bool,
}

/// Why `[tls]` or `[limits]` is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortConfigError {
    /// One without the other.
    #[error("certificate and key belong together: name both, or neither")]
    Half,
    /// Too many names.
    #[error("{0} names are too many; at most {NAMES_MAX} can be")]
    Names(usize),
    /// The operator's certificate has its own names.
    #[error("names are for the certificate that the node makes: leave them out")]
    NamesOfOthers,
    /// A limit is zero or too large.
    #[error("{what} = {given} is outside 1 to {most}")]
    Limit {
        /// Which.
        what: &'static str,
        /// What is said.
        given: u64,
        /// The largest that works.
        most: u64,
    },
}

/// `[tls]` as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTls {
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    required: bool,
}

/// `[limits]` as it is written.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections_per_address: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_gap_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stall_seconds: Option<u64>,
}

impl TlsConfig {
    pub(super) fn read(written: Option<WrittenTls>) -> Result<Self, PortConfigError> {
        let Some(written) = written else { return Ok(Self::default()) };
        let WrittenTls { certificate, key, names, required } = written;
        let files = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(CertificateFiles { certificate, key }),
            (None, None) => None,
            _ => return Err(PortConfigError::Half),
        };
        if names.len() > NAMES_MAX {
            return Err(PortConfigError::Names(names.len()));
        }
        if files.is_some() && !names.is_empty() {
            return Err(PortConfigError::NamesOfOthers);
        }
        Ok(Self { files, names, required })
    }

    pub(super) fn written(&self) -> Option<WrittenTls> {
        let files = self.files.as_ref();
        (*self != Self::default()).then(|| WrittenTls {
            certificate: files.map(|files| files.certificate.clone()),
            key: files.map(|files| files.key.clone()),
            names: self.names.clone(),
            required: self.required,
        })
    }
}

fn within(what: &'static str, given: u64, most: u64) -> Result<u64, PortConfigError> {
    let fits = (1..=most).contains(&given);
    if fits { Ok(given) } else { Err(PortConfigError::Limit { what, given, most }) }
}

fn number(
    what: &'static str,
    given: Option<u64>,
    default: usize,
) -> Result<usize, PortConfigError> {
    let Some(given) = given else { return Ok(default) };
    let most = CONNECTIONS_MAX as u64;
    Ok(usize::try_from(within(what, given, most)?).unwrap_or(CONNECTIONS_MAX))
}

fn seconds(
    what: &'static str,
    given: Option<u64>,
    default: Duration,
) -> Result<Duration, PortConfigError> {
    let Some(given) = given else { return Ok(default) };
    Ok(Duration::from_secs(within(what, given, SECONDS_MAX)?))
}

/// The limits that are written, and the defaults of those that are not.
pub(super) fn read_limits(written: Option<&WrittenLimits>) -> Result<Limits, PortConfigError> {
    let usual = Limits::default();
    let Some(written) = written else { return Ok(usual) };
    Ok(Limits {
        connections: number("connections", written.connections, usual.connections)?,
        connections_per_address: number(
            "connections_per_address",
            written.connections_per_address,
            usual.connections_per_address,
        )?,
        head: seconds("head_seconds", written.head_seconds, usual.head)?,
        idle: seconds("idle_seconds", written.idle_seconds, usual.idle)?,
        body_gap: seconds("body_gap_seconds", written.body_gap_seconds, usual.body_gap)?,
        body: seconds("body_seconds", written.body_seconds, usual.body)?,
        stall: seconds("stall_seconds", written.stall_seconds, usual.stall)?,
        ..usual
    })
}

/// Only what is not as usual is written.
pub(super) fn write_limits(limits: &Limits) -> Option<WrittenLimits> {
    let usual = Limits::default();
    let number = |value: usize, usual: usize| (value != usual).then_some(value as u64);
    let seconds = |value: Duration, usual: Duration| (value != usual).then_some(value.as_secs());
    let written = WrittenLimits {
        connections: number(limits.connections, usual.connections),
        connections_per_address: number(
            limits.connections_per_address,
            usual.connections_per_address,
        ),
        head_seconds: seconds(limits.head, usual.head),
        idle_seconds: seconds(limits.idle, usual.idle),
        body_gap_seconds: seconds(limits.body_gap, usual.body_gap),
        body_seconds: seconds(limits.body, usual.body),
        stall_seconds: seconds(limits.stall, usual.stall),
    };
    (written != WrittenLimits::default()).then_some(written)
}
