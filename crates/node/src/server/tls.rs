//! TLS on the port: which certificate a client is shown, and how another node is known.
//!
//! **Invariant**: which of the two it is, is decided by the client's first message, before
//! anything of HTTP; neither reaches the routes of the other.

use super::certificate::{CertificateFiles, Shown};
use super::io::Socket;
use super::pulse::Pulse;
use super::refusal::Reason;
use super::service::Peer;
use crate::peers::identity::{self, ALPN, provider, shown_key};
use ambar_base::{Coded, ErrorCode, SecretKey};
use rustls::ServerConfig;
use rustls::server::Acceptor;
use rustls::version::{TLS12, TLS13};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How often a given certificate's files are looked at.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// The byte that a TLS connection begins with: a record of type handshake (RFC 8446,
/// section 5.1). No method of HTTP begins with it.
pub(super) const HANDSHAKE_RECORD: u8 = 0x16;

/// HTTP/2 and HTTP/1.1, as ALPN names them (RFC 7301, section 6).
const H2: &[u8] = b"h2";
const HTTP11: &[u8] = b"http/1.1";

/// Why the port cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What happened.
        #[source]
        error: io::Error,
    },
    /// A file is no PEM of the right kind, or certificate and key do not fit.
    #[error("{}: {reason}", .path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The own certificate cannot be made.
    #[error("a certificate for these names cannot be made: {0}")]
    Make(String),
    /// The library refuses the configuration.
    #[error(transparent)]
    Library(#[from] rustls::Error),
}

impl TlsError {
    pub(super) fn file(path: &Path, error: io::Error) -> Self {
        Self::File { path: path.to_owned(), error }
    }

    pub(super) fn pem(path: &Path, reason: &dyn fmt::Display) -> Self {
        Self::Pem { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl Coded for TlsError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::File { .. } => ErrorCode::FileUnreadable,
            Self::Pem { .. } | Self::Make(_) => ErrorCode::DocumentInvalid,
            Self::Library(_) => ErrorCode::Internal,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Pem { .. } => Some("give a PEM certificate and the PEM key that fits it".into()),
            Self::Make(_) => Some("correct `names` in [tls] of node.toml".into()),
            _ => None,
        }
    }
}

/// Who may speak plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Nobody else than programs of this machine reaches the port: plain HTTP and TLS.
    Machine,
    /// Others may: TLS alone.
    Network,
}

impl Exposure {
    /// Of a port that is bound to an address.
    #[must_use]
    pub const fn of(bound: IpAddr) -> Self {
        if bound.to_canonical().is_loopback() { Self::Machine } else { Self::Network }
    }

    /// How a URL of the port begins.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Machine => "http",
            Self::Network => "https",
        }
    }
}

/// What the port shows to clients and to other nodes.
#[derive(Clone, Debug)]
pub struct Tls {
    shown: Arc<Shown>,
    clients: Arc<ServerConfig>,
    peers: Arc<ServerConfig>,
}

impl Tls {
    /// Shows the certificate in `files` to clients, and `node` to other nodes.
    ///
    /// # Errors
    /// [`TlsError`] if the files are not a certificate and its key.
    pub fn open(files: CertificateFiles, node: &SecretKey) -> Result<Self, TlsError> {
        let shown = Arc::new(Shown::open(files)?);
        let mut clients = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        clients.alpn_protocols = vec![H2.to_vec(), HTTP11.to_vec()];
        let peers = identity::server_config(node)?;
        Ok(Self { shown, clients: Arc::new(clients), peers })
    }

    /// The certificate that clients are shown.
    #[must_use]
    pub const fn shown(&self) -> &Arc<Shown> {
        &self.shown
    }

    /// Reads the certificate's files again whenever they changed, until `stop`.
    pub async fn follow(self, interval: Duration, stop: CancellationToken) {
        let mut told = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
            let shown = Arc::clone(&self.shown);
            // Reading two small files is short, but a disk may be slow.
            let read = tokio::task::spawn_blocking(move || shown.reload()).await;
            match read {
                Ok(Ok(true)) => {
                    told = false;
                    let fingerprint = self.shown.fingerprint();
                    tracing::info!(%fingerprint, "the certificate was replaced");
                }
                Ok(Err(error)) if !told => {
                    told = true;
                    tracing::warn!(%error, "the new certificate cannot be used; the last one stays");
                }
                _ => {}
            }
        }
    }
}

/// A connection after its handshake.
pub(super) struct Secured {
    pub stream: TlsStream<Socket<TcpStream>>,
    /// The other node, if it is one.
    pub peer: Option<Peer>,
    /// Whether it speaks HTTP/2.
    pub http2: bool,
}

/// Shakes hands.
pub(super) async fn secure(
    socket: Socket<TcpStream>,
    tls: &Tls,
    pulse: &Pulse,
) -> Result<Secured, Reason> {
    let failed = |_| Reason::Opening;
    let start = LazyConfigAcceptor::new(Acceptor::default(), socket);
    let start = pulse.or_end(start).await?.map_err(failed)?;
    let node = start.client_hello().alpn().is_some_and(|mut all| all.any(|name| name == ALPN));
    let config = if node { &tls.peers } else { &tls.clients };
    let stream = pulse.or_end(start.into_stream(Arc::clone(config))).await?.map_err(failed)?;
    let session = stream.get_ref().1;
    let peer = match session.peer_certificates() {
        Some([shown, ..]) if node => shown_key(shown).map(Peer),
        _ => None,
    };
    if node && peer.is_none() {
        return Err(Reason::Opening);
    }
    let http2 = node || session.alpn_protocol() == Some(H2);
    Ok(Secured { stream, peer, http2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_address_says_who_may_speak_plain_http() {
        let check = |address: &str, expect: Exposure| {
            assert_eq!(Exposure::of(address.parse().unwrap()), expect, "{address}");
        };
        check("127.0.0.1", Exposure::Machine);
        check("127.9.9.9", Exposure::Machine);
        check("::1", Exposure::Machine);
        check("::ffff:127.0.0.1", Exposure::Machine);
        check("0.0.0.0", Exposure::Network);
        check("::", Exposure::Network);
        check("192.0.2.1", Exposure::Network);
        check("10.0.0.1", Exposure::Network);
        check("2001:db8::1", Exposure::Network);
    }
}
