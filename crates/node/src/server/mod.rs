//! The one port: it accepts connections within limits, tells plain HTTP from TLS and clients
//! from other nodes, and hands requests to routes.
//!
//! It deliberately knows no route, no certificate of a caller and no ledger.
//!
//! **Invariant**: off the loopback nothing is read of a request that did not come over TLS; a
//! route for nodes is reached by nobody else; everything that a client makes the port wait
//! for or keep ends by a limit of [`limits`].

mod addresses;
mod body;
pub mod certificate;
mod http;
mod io;
pub mod limits;
mod pulse;
mod refusal;
mod service;
#[cfg(test)]
pub(crate) mod tests;
pub mod tls;

pub(crate) use body::Holding;
pub use limits::Limits;
pub use refusal::{Figures, Reason};
pub use service::{Answers, Peer, Routes};
pub use tls::{Exposure, Tls, TlsError};

use addresses::{Place, Places};
use limits::{ACCEPT_PAUSE, REFUSALS_MAX};
use pulse::{Phase, Pulse};
use service::Answering;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

/// What a port answers, and within which limits.
#[derive(Clone)]
pub struct Server {
    /// For clients.
    pub routes: Routes,
    /// For other nodes alone; each of their requests carries a [`Peer`].
    pub peer_routes: Routes,
    /// How it speaks TLS.
    pub tls: Tls,
    /// Whether it speaks plain HTTP besides.
    pub exposure: Exposure,
    /// The limits.
    pub limits: Limits,
    /// What it did.
    pub figures: Arc<Figures>,
}

impl Server {
    /// Serves `listener` until `stop`, and then what is under way. Whoever drops this ends all
    /// connections at once.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) {
        let mut port = Port::new(self, stop.clone());
        let mut sweep = interval(port.server.limits.sweep());
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut resting, mut told) = (None, false);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = port.tasks.join_next() => resting = None,
                _ = sweep.tick() => port.look(),
                () = sleep_until(resting.unwrap_or_else(Instant::now)), if resting.is_some() => {
                    resting = None;
                }
                accepted = listener.accept(), if resting.is_none() => match accepted {
                    Ok((stream, from)) => {
                        told = false;
                        port.accept(stream, from);
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        port.server.figures.pauses.fetch_add(1, Ordering::Relaxed);
                        if !told {
                            tracing::error!(%error, "no connection can be accepted: the port rests");
                        }
                        told = true;
                        resting = Some(Instant::now() + ACCEPT_PAUSE);
                    }
                },
            }
        }
        drop(listener);
        while !port.tasks.is_empty() {
            tokio::select! {
                _ = port.tasks.join_next() => {}
                _ = sweep.tick() => port.look(),
            }
        }
    }
}

/// Whether an error of `accept` concerns a connection that is gone already.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// A port at work.
struct Port {
    server: Arc<Server>,
    stop: CancellationToken,
    places: Arc<Places>,
    refusals: Arc<Places>,
    tasks: JoinSet<()>,
    pulses: Vec<Weak<Pulse>>,
}

impl Port {
    fn new(server: Server, stop: CancellationToken) -> Self {
        Self {
            server: Arc::new(server),
            stop,
            places: Arc::default(),
            refusals: Arc::default(),
            tasks: JoinSet::new(),
            pulses: Vec::new(),
        }
    }

    /// Looks for connections that took too long.
    fn look(&mut self) {
        let figures = &self.server.figures;
        self.pulses.retain(|pulse| {
            let Some(pulse) = pulse.upgrade() else { return false };
            for _ in 0..pulse.look() {
                figures.count(Reason::Stalled);
            }
            true
        });
    }

    fn accept(&mut self, stream: TcpStream, from: SocketAddr) {
        let Server { limits, figures, .. } = &*self.server;
        let all = limits.connections;
        let place = self.places.take(from.ip(), all, limits.connections_per_address);
        let reason = match place {
            Ok(place) => {
                figures.accepted.fetch_add(1, Ordering::Relaxed);
                let pulse = Arc::new(Pulse::new(*limits));
                self.pulses.push(Arc::downgrade(&pulse));
                let connection = Connection {
                    server: Arc::clone(&self.server),
                    stop: self.stop.clone(),
                    pulse,
                    _open: Open::new(figures, place),
                };
                tune(&stream);
                self.tasks.spawn(connection.run(stream));
                return;
            }
            Err(reason) => reason,
        };
        figures.count(reason);
        let Ok(place) = self.refusals.take(from.ip(), REFUSALS_MAX, REFUSALS_MAX) else { return };
        let pulse = Arc::new(Pulse::new(*limits));
        self.pulses.push(Arc::downgrade(&pulse));
        let plain = self.server.exposure == Exposure::Machine;
        self.tasks.spawn(async move {
            let _place = place;
            refuse(stream, &pulse, plain.then_some(reason)).await;
        });
    }
}

/// Sends each piece at once, and keeps little of what cannot be sent.
fn tune(stream: &TcpStream) {
    // Tokens go out one by one: waiting for more would delay each of them. A socket that
    // refuses is about to fail anyhow.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(limits::UNSENT_BYTES_MAX);
}

/// Tells a client that begins in plain HTTP why it is refused.
async fn refuse(stream: TcpStream, pulse: &Pulse, reason: Option<Reason>) {
    let mut first = [0];
    let Ok(Ok(1)) = pulse.or_end(stream.peek(&mut first)).await else { return };
    let Some(answer) = reason.and_then(Reason::bytes) else { return };
    if first[0] != tls::HANDSHAKE_RECORD {
        http::farewell(stream, &answer).await;
    }
}

/// Counts a connection as open until it is dropped.
struct Open {
    figures: Arc<Figures>,
    _place: Place,
}

impl Open {
    fn new(figures: &Arc<Figures>, place: Place) -> Self {
        figures.open.fetch_add(1, Ordering::Relaxed);
        Self { figures: Arc::clone(figures), _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.figures.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection.
struct Connection {
    server: Arc<Server>,
    stop: CancellationToken,
    pulse: Arc<Pulse>,
    _open: Open,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let mut first = [0];
        match self.before_stop(self.pulse.or_end(stream.peek(&mut first))).await {
            Some(Ok(Ok(1))) => {}
            Some(Err(reason)) => return self.server.figures.count(reason),
            // It closed without a word, as probes do, or the port stops.
            Some(Ok(_)) | None => return,
        }
        let socket = io::Socket::new(stream, Arc::clone(&self.pulse));
        if first[0] == tls::HANDSHAKE_RECORD {
            return self.secured(socket).await;
        }
        if self.server.exposure == Exposure::Network {
            self.server.figures.count(Reason::Plain);
            return http::farewell(socket, &Reason::Plain.bytes().unwrap_or_default()).await;
        }
        self.pulse.enter(Phase::Head);
        http::serve1(socket, self.answering(None, false), &self.stop).await;
    }

    async fn secured(self, socket: io::Socket<TcpStream>) {
        let secured = tls::secure(socket, &self.server.tls, &self.pulse);
        let tls::Secured { stream, peer, http2 } = match self.before_stop(secured).await {
            Some(Ok(secured)) => secured,
            Some(Err(reason)) => return self.server.figures.count(reason),
            None => return,
        };
        let answering = self.answering(peer, http2);
        if http2 {
            http::serve2(stream, answering, &self.stop).await;
        } else {
            self.pulse.enter(Phase::Idle);
            http::serve1(stream, answering, &self.stop).await;
        }
    }

    /// Waits for `work` unless the port stops: nothing is under way yet.
    async fn before_stop<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            done = work => Some(done),
        }
    }

    fn answering(&self, peer: Option<Peer>, http2: bool) -> Answering {
        let routes = if peer.is_some() {
            self.server.figures.peers.fetch_add(1, Ordering::Relaxed);
            Arc::clone(&self.server.peer_routes)
        } else {
            Arc::clone(&self.server.routes)
        };
        let (pulse, figures) = (Arc::clone(&self.pulse), Arc::clone(&self.server.figures));
        Answering { routes, pulse, figures, peer, http2 }
    }
}
