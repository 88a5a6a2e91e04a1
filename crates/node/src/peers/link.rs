//! One connection to another node: dialled, checked, kept alive.

use super::error::{PeerError, Wait};
use super::identity::{ALPN, client_config};
use super::{
    CONNECTION_WINDOW_BYTES, HEAD_BYTES_MAX, PING_INTERVAL, PING_TIMEOUT, PeerLimits,
    STREAM_WINDOW_BYTES,
};
use ambar_base::{PublicKey, SecretKey};
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use std::error::Error;
use std::net::SocketAddr;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection. It ends when all of its copies are dropped and its streams are over.
#[derive(Clone, Debug)]
pub(super) struct Link {
    sender: SendRequest<Body>,
}

/// What became of a request that was handed to a link.
pub(super) enum Sent {
    /// The head of the answer.
    Answered(Response<Incoming>),
    /// The link was closed already: the request was not sent, and is given back.
    Closed(Request<Body>),
    /// It broke before the head.
    Broken(String),
}

/// The innermost cause.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

impl Link {
    /// Dials `address` for the holder of `expected`.
    pub(super) async fn open(
        own: SecretKey,
        address: String,
        expected: PublicKey,
        limits: PeerLimits,
    ) -> Result<Self, PeerError> {
        let opening = dial(&own, &address, expected);
        let opened = timeout(limits.connect, async { handshake(opening.await?, &address).await });
        let late = |_| PeerError::Timeout { address: address.clone(), wait: Wait::Connection };
        opened.await.map_err(late)?
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Sent {
        let mut sender = self.sender.clone();
        if sender.ready().await.is_err() {
            return Sent::Closed(request);
        }
        match sender.try_send_request(request).await {
            Ok(response) => Sent::Answered(response),
            Err(mut error) => match error.take_message() {
                Some(request) => Sent::Closed(request),
                None => Sent::Broken(cause(&error.into_error())),
            },
        }
    }
}

async fn dial(
    own: &SecretKey,
    address: &str,
    expected: PublicKey,
) -> Result<TlsStream<TcpStream>, PeerError> {
    let stream = connect(address).await.map_err(|error| PeerError::Refused {
        address: address.to_owned(),
        reason: error.to_string(),
    })?;
    let foreign = |reason: String| PeerError::Foreign { address: address.to_owned(), reason };
    // Tokens go out one by one, and so do small requests.
    let _ = stream.set_nodelay(true);
    let to = stream.peer_addr().map_err(|error| foreign(error.to_string()))?;
    let (config, stranger) =
        client_config(own, expected).map_err(|error| foreign(error.to_string()))?;
    // A key is asked for, not a name: the name is never sent.
    let name = ServerName::IpAddress(to.ip().into());
    let secured = TlsConnector::from(config).connect(name, stream).await;
    let secured = secured.map_err(|error| match stranger.get() {
        Some(found) => PeerError::WrongKey { address: address.to_owned(), expected, found: *found },
        None => foreign(cause(&error)),
    })?;
    match secured.get_ref().1.alpn_protocol() {
        Some(ALPN) => Ok(secured),
        _ => Err(foreign("it does not speak ambar-node/1".into())),
    }
}

/// The first of an address's hosts that takes the connection.
async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    let all: Vec<SocketAddr> = lookup_host(address).await?.collect();
    for host in all {
        match TcpStream::connect(host).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn handshake(stream: TlsStream<TcpStream>, address: &str) -> Result<Link, PeerError> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| PeerError::Foreign {
        address: address.to_owned(),
        reason: cause(&error),
    })?;
    let address = address.to_owned();
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, reason = %cause(&error), "a connection to a node broke");
        }
    });
    Ok(Link { sender })
}
