//! What one connection and all of them may take: numbers, bytes, times.
//!
//! **Invariant**: everything that a client can make the port wait for or keep has a limit
//! here.

use std::fs;
use std::time::Duration;

/// Largest head of a request, bytes: request line and headers. A certificate takes 8 KiB.
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most headers of a request.
pub const HEADERS_MAX: usize = 100;
/// Bytes of an answer that one HTTP/1 connection keeps before it waits for the client.
pub(super) const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Unsent bytes of an answer that the kernel keeps for one connection.
pub(super) const UNSENT_BYTES_MAX: u32 = 64 * 1024;
/// Streams of one HTTP/2 connection at the same time, of a client and of another node.
pub const CLIENT_STREAMS_MAX: u32 = 100;
/// See [`CLIENT_STREAMS_MAX`].
pub const PEER_STREAMS_MAX: u32 = 1024;
/// Bytes of a request's body that one HTTP/2 stream may send before they are read.
pub(super) const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all streams of a connection.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Bytes of an answer that one HTTP/2 stream keeps before it waits for the client.
pub(super) const STREAM_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// Streams of one HTTP/2 connection that its client reset before they were looked at.
pub(super) const RESET_STREAMS_MAX: usize = 32;
/// How often an HTTP/2 connection is asked whether somebody is there, and how long for.
pub(super) const PING_INTERVAL: Duration = Duration::from_secs(30);
/// See [`PING_INTERVAL`].
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// A body has this much more time for each so many bytes that came: one second.
pub(super) const BODY_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
/// How long the port rests when the process has no file descriptor for another connection.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// How long, and for how many bytes, a closed connection is still read, so that its client
/// gets the last answer.
pub(super) const LINGER: Duration = Duration::from_millis(500);
/// See [`LINGER`].
pub(super) const LINGER_BYTES_MAX: usize = 256 * 1024;
/// Connections at the same time that are told why they are refused; others are closed.
pub(super) const REFUSALS_MAX: usize = 64;
/// How often it is looked for connections that took too long, at the least and at the most.
const SWEEP_MIN: Duration = Duration::from_millis(5);
const SWEEP_MAX: Duration = Duration::from_secs(1);
/// File descriptors that are left to the rest of the process.
const DESCRIPTORS_KEPT: usize = 128;

/// The limits that an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address: an IPv4 address, a /64 of IPv6. Programs of this machine,
    /// which come over the loopback, share the limit of all.
    pub connections_per_address: usize,
    /// From the connection to its first byte of plain HTTP, or to the end of the TLS handshake.
    pub opening: Duration,
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// Between requests of one connection.
    pub idle: Duration,
    /// The same for another node.
    pub peer_idle: Duration,
    /// Between two pieces of a body.
    pub body_gap: Duration,
    /// For a whole body, besides a second for each 16 KiB of it.
    pub body: Duration,
    /// How long a client may take nothing of an answer that is ready.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8_192,
            connections_per_address: 256,
            opening: Duration::from_secs(10),
            head: Duration::from_secs(15),
            idle: Duration::from_secs(90),
            peer_idle: Duration::from_secs(600),
            body_gap: Duration::from_secs(30),
            body: Duration::from_secs(60),
            stall: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// The same with no more connections than the process has file descriptors for, where the
    /// system tells how many.
    #[must_use]
    pub fn within_descriptors(self) -> Self {
        let most = descriptors_max()
            .map_or(usize::MAX, |all| all.saturating_sub(DESCRIPTORS_KEPT).max(all / 2));
        Self { connections: self.connections.min(most), ..self }
    }

    /// How often it is looked for what took too long: often enough for the shortest limit.
    pub(super) fn sweep(&self) -> Duration {
        let all = [self.opening, self.head, self.idle, self.peer_idle, self.stall];
        let shortest = all.into_iter().min().unwrap_or(SWEEP_MAX);
        (shortest / 4).clamp(SWEEP_MIN, SWEEP_MAX)
    }
}

/// How many files the process may have open, from `/proc`; nothing on other systems.
fn descriptors_max() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
