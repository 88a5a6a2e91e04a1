//! Requests to other nodes: one kept connection to each, HTTP/2 between two node keys.
//!
//! It deliberately knows no route and no ledger: where a node listens, what its key is, and
//! what is asked of it are handed in.
//!
//! **Invariant**: a request reaches the holder of the expected key or nobody; a request that
//! was given up is given up at the other side as well; a request that may have been begun is
//! never sent again.

mod body;
mod error;
mod grid;
pub(crate) mod identity;
mod link;
#[cfg(test)]
mod tests;

pub use body::PeerBody;
pub use error::{PeerError, Wait};
pub use identity::ALPN;

use ambar_base::{PublicKey, SecretKey};
use axum::body::{Body, Bytes};
use axum::http::uri::{Authority, Scheme};
use axum::http::{Request, Response, Uri};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use link::{Link, Sent};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Largest head of an answer, bytes.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Bytes of an answer that the other node may send before they are read.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
/// The same for all answers over one connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// How often it is asked whether the other node is there, and how long for.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// See [`PING_INTERVAL`].
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits of requests to other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerLimits {
    /// Connections that are kept.
    pub connections: usize,
    /// Requests under way over one connection.
    pub streams: usize,
    /// Until a connection is there: name, TCP, TLS.
    pub connect: Duration,
    /// Until the head of the answer is there.
    pub head: Duration,
    /// Between two pieces of the answer.
    pub silence: Duration,
    /// How long a connection is kept that nobody uses.
    pub idle: Duration,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            streams: 1_024,
            connect: Duration::from_secs(5),
            head: Duration::from_secs(120),
            silence: Duration::from_secs(120),
            idle: Duration::from_secs(300),
        }
    }
}

/// Other nodes, from here. Clones are the same.
#[derive(Clone)]
pub struct Peers {
    own: SecretKey,
    limits: PeerLimits,
    lines: Arc<Mutex<Lines>>,
    /// Connections are driven where they were made, whoever asks first.
    runtime: Handle,
}

type Place = (String, PublicKey);
type Lines = HashMap<Place, Line>;
type Opening = Shared<BoxFuture<'static, Result<Link, PeerError>>>;

/// The connection to one node, or the attempt.
struct Line {
    opening: Opening,
    under_way: Arc<AtomicUsize>,
    used: Instant,
}

/// A request under way, until it is dropped.
struct Turn(Arc<AtomicUsize>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Line {
    /// Whether a request may still use it: it is being opened, or open.
    fn is_usable(&self) -> bool {
        match self.opening.peek() {
            None => true,
            Some(Ok(link)) => link.is_open(),
            Some(Err(_)) => false,
        }
    }

    fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }
}

impl Peers {
    /// Dials other nodes as the holder of `own`.
    ///
    /// # Panics
    /// Outside a runtime.
    #[must_use]
    pub fn new(own: SecretKey, limits: PeerLimits) -> Self {
        Self { own, limits, lines: Arc::default(), runtime: Handle::current() }
    }

    /// Asks the node with `key` at `address`, a host and a port such as `192.0.2.7:7700`.
    /// Of the request's URI only path and query matter.
    ///
    /// Dropping the future, or the answer's body before its end, cancels the request at the
    /// other side at once.
    ///
    /// # Errors
    /// [`PeerError`]; it says whether the other node [may have begun](PeerError::may_have_begun).
    pub async fn request(
        &self,
        address: &str,
        key: PublicKey,
        request: Request<Bytes>,
    ) -> Result<Response<PeerBody>, PeerError> {
        let mut request = prepared(address, request)?;
        let late = || PeerError::Timeout { address: address.to_owned(), wait: Wait::Head };
        // A connection that closed just now gives the request back; a fresh one does not.
        for attempt in 0..2 {
            let (opening, turn) = self.line(address, key, attempt > 0)?;
            let link = opening.await?;
            match timeout(self.limits.head, link.send(request)).await.map_err(|_| late())? {
                Sent::Answered(response) => {
                    let (silence, address) = (self.limits.silence, address.to_owned());
                    return Ok(response.map(|body| PeerBody::new(body, address, silence, turn)));
                }
                Sent::Closed(again) => request = again,
                Sent::Broken(reason) => {
                    return Err(PeerError::ResetBeforeHead { address: address.to_owned(), reason });
                }
            }
        }
        let reason = "it closes connections as soon as they are open".to_owned();
        Err(PeerError::Foreign { address: address.to_owned(), reason })
    }

    /// The connection to a node, made if there is none, and a turn on it.
    fn line(
        &self,
        address: &str,
        key: PublicKey,
        again: bool,
    ) -> Result<(Opening, Turn), PeerError> {
        let place = (address.to_owned(), key);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if !lines.get(&place).is_some_and(Line::is_usable) {
            self.forget(&mut lines, &place);
            if lines.len() >= self.limits.connections && !lines.contains_key(&place) {
                return Err(PeerError::Busy);
            }
            let line = Line {
                opening: self.open(address.to_owned(), key),
                under_way: Arc::default(),
                used: Instant::now(),
            };
            lines.insert(place.clone(), line);
        }
        let Some(line) = lines.get_mut(&place) else { return Err(PeerError::Busy) };
        line.used = Instant::now();
        if line.under_way.load(Ordering::Acquire) >= self.limits.streams && !again {
            return Err(PeerError::Busy);
        }
        line.under_way.fetch_add(1, Ordering::AcqRel);
        Ok((line.opening.clone(), Turn(Arc::clone(&line.under_way))))
    }

    /// Begins to open a connection: whoever waits for it may leave, others may come.
    fn open(&self, address: String, key: PublicKey) -> Opening {
        let opening = Link::open(self.own.clone(), address.clone(), key, self.limits);
        let opening = self.runtime.spawn(opening);
        let opened = async move {
            let stopped = |_| PeerError::Refused { address, reason: "this node stops".into() };
            opening.await.map_err(stopped)?
        };
        opened.boxed().shared()
    }

    /// Closes what nobody uses: what was idle for long, what broke, and at the limit the one
    /// that was used last of all.
    fn forget(&self, lines: &mut Lines, wanted: &Place) {
        lines.retain(|place, line| {
            let old = line.used.elapsed() >= self.limits.idle;
            place == wanted || !line.is_idle() || (line.is_usable() && !old)
        });
        if lines.len() < self.limits.connections || lines.contains_key(wanted) {
            return;
        }
        let idle = lines.iter().filter(|(_, line)| line.is_idle());
        let oldest = idle.min_by_key(|(_, line)| line.used).map(|(place, _)| place.clone());
        if let Some(oldest) = oldest {
            lines.remove(&oldest);
        }
    }
}

/// The request as HTTP/2 sends it.
fn prepared(address: &str, request: Request<Bytes>) -> Result<Request<Body>, PeerError> {
    let refused = |error: &dyn std::fmt::Display| PeerError::Request(error.to_string());
    let authority: Authority = address.parse().map_err(|error| refused(&error))?;
    let (mut head, body) = request.into_parts();
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    (uri.scheme, uri.authority) = (Some(Scheme::HTTPS), Some(authority));
    if uri.path_and_query.is_none() {
        return Err(refused(&"it has no path"));
    }
    head.uri = Uri::from_parts(uri).map_err(|error| refused(&error))?;
    Ok(Request::from_parts(head, Body::from(body)))
}
