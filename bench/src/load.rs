//! Load on one server over kept-alive connections, and what came of it.
//!
//! - A *closed loop*: so many clients, each sending its next request when it has read the
//!   answer to the last.
//! - An *open loop*: requests fall due at a rate, whether or not the server keeps up, and
//!   latency counts from then: a server that stalls cannot hide behind requests that were
//!   never sent (coordinated omission, G. Tene).
//!
//! A refusal is counted by its code and ends nothing: whether one is a fault is for the caller.
//!
//! **Invariant**: every call that fell due is whole, refused or unsent, and counted once.

use crate::histogram::Histogram;
use crate::http::{Connection, Request};
use crate::pace::{Pacer, Schedule};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Longest time that one answer is waited for.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause before a broken connection is opened again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
/// Bytes at the end of a stream in which its last events are looked for.
const TAIL_BYTES: usize = 512;
/// What a whole stream of the `OpenAI` dialect ends with.
const STREAM_END: &[u8] = b"[DONE]";
/// What a stream that failed says before.
const STREAM_ERROR: &[u8] = b"\"error\":{";
/// Longest refusal that is quoted, characters.
const QUOTED_CHARS_MAX: usize = 120;

/// What is asked, and of whom.
#[derive(Clone, Debug)]
pub struct Calls {
    /// The server.
    pub address: SocketAddr,
    /// What the connections send: the nth connection always sends the nth, in turns.
    pub requests: Vec<Request>,
    /// Whether answers are streams, which are whole only with their last event.
    pub stream: bool,
}

/// An open loop.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Requests per second.
    pub rate: f64,
    /// For how long they fall due.
    pub time: Duration,
    /// Connections that carry them.
    pub connections: usize,
    /// How late a request may be sent for want of a free connection; later ones are not.
    pub patience: Duration,
}

/// What a load saw.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Whole answers: from when they were due to the last byte; of what was not sent, how long
    /// it had waited.
    whole: Histogram,
    /// The same to the first byte of the body.
    first: Histogram,
    /// The same from when they were sent.
    served: Histogram,
    answered: u64,
    /// Refusals by code.
    refused: BTreeMap<String, u64>,
    /// Requests for which no connection was free in time.
    unsent: u64,
    elapsed: Duration,
}

type Shared = Arc<Mutex<Load>>;

impl Load {
    /// A closed loop of `clients` for `time`.
    pub async fn closed(calls: &Calls, clients: usize, time: Duration) -> Result<Self> {
        let (shared, mut tasks) = (Shared::default(), JoinSet::new());
        let clients = Client::open_all(calls, clients, &shared).await?;
        let started = Instant::now();
        for mut client in clients {
            tasks.spawn(async move {
                while started.elapsed() < time {
                    client.call(Instant::now()).await;
                }
            });
        }
        finished(tasks, shared, started).await
    }

    /// An open loop.
    pub async fn open(calls: &Calls, open: Open) -> Result<Self> {
        let (shared, mut tasks) = (Shared::default(), JoinSet::new());
        let clients = Client::open_all(calls, open.connections, &shared).await?;
        let schedule = Schedule::new(Instant::now(), open.rate, open.time);
        let pacer = Pacer::start(schedule, open.connections)?;
        let started = Instant::now();
        for mut client in clients {
            let turns = pacer.turns();
            tasks.spawn(async move {
                while let Some(due) = turns.next().await {
                    if due.elapsed() > open.patience {
                        client.unsent(due);
                    } else {
                        client.call(due).await;
                    }
                }
            });
        }
        finished(tasks, shared, started).await
    }

    /// Whole answers.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.answered
    }

    /// Whole answers per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.calls() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time within which `percent` of the answers were whole, µs.
    pub fn percentile(&self, percent: f64) -> Result<f64> {
        self.whole.percentile(percent).context("no call was answered")
    }

    /// The time within which `percent` of the answers began, µs.
    pub fn first(&self, percent: f64) -> Result<f64> {
        self.first.percentile(percent).context("no call was answered")
    }

    /// The time from sending within which `percent` of the answers were whole, µs.
    pub fn served(&self, percent: f64) -> Result<f64> {
        self.served.percentile(percent).context("no call was answered")
    }

    /// Refusals by code.
    #[must_use]
    pub fn refused(&self) -> &BTreeMap<String, u64> {
        &self.refused
    }

    /// Requests that were due and not sent.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent
    }

    /// How many were refused.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// The same, if every call was answered.
    pub fn flawless(self) -> Result<Self> {
        let refused = self.refused.iter().next();
        if let Some((code, count)) = refused {
            bail!("{count} calls were refused: {code}");
        }
        ensure!(self.calls() > 0, "no call was answered");
        Ok(self)
    }
}

async fn finished(mut tasks: JoinSet<()>, shared: Shared, started: Instant) -> Result<Load> {
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    let mut load = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
    load.elapsed = started.elapsed();
    Ok(load)
}

/// An answer, whatever it says.
struct Ended {
    first: Instant,
    whole: Instant,
    refused: Option<String>,
}

/// One connection of a load.
struct Client {
    address: SocketAddr,
    request: Request,
    stream: bool,
    connection: Option<Connection>,
    body: Vec<u8>,
    shared: Shared,
}

impl Client {
    async fn open_all(calls: &Calls, count: usize, shared: &Shared) -> Result<Vec<Self>> {
        ensure!(!calls.requests.is_empty(), "a load needs a request");
        let mut clients = Vec::new();
        for request in calls.requests.iter().cycle().take(count) {
            clients.push(Self {
                address: calls.address,
                request: request.clone(),
                stream: calls.stream,
                connection: Some(Connection::open(calls.address).await?),
                body: Vec::new(),
                shared: shared.clone(),
            });
        }
        Ok(clients)
    }

    /// One call that was due at `due`.
    async fn call(&mut self, due: Instant) {
        let sent = Instant::now();
        let asked = timeout(ANSWER_TIME_MAX, self.ask()).await;
        let ended = match asked {
            Ok(Ok(Ended { first, whole, refused: None })) => {
                let mut load = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
                load.answered += 1;
                load.first.record(first.duration_since(due));
                load.whole.record(whole.duration_since(due));
                load.served.record(whole.duration_since(sent));
                return;
            }
            Ok(Ok(Ended { refused: Some(code), .. })) => return self.refused(code),
            Ok(Err(error)) => format!("connection: {error:#}"),
            Err(_) => "no answer in time".to_owned(),
        };
        self.refused(ended);
        self.connection = None;
        sleep(RECONNECT_PAUSE).await;
    }

    fn refused(&self, code: String) {
        let mut load = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        *load.refused.entry(code).or_default() += 1;
    }

    async fn ask(&mut self) -> Result<Ended> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.address).await?),
        };
        let exchange = connection.exchange(&self.request, &mut self.body).await?;
        let refused = refusal(exchange.status, self.stream, &self.body);
        Ok(Ended { first: exchange.first, whole: exchange.whole, refused })
    }

    fn unsent(&self, due: Instant) {
        let mut load = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        load.unsent += 1;
        // Left out, the worst calls would improve the figures.
        load.whole.record(due.elapsed());
    }
}

/// Why an answer is not a whole one, if it is not: the error's code, or what was seen.
pub fn refusal(status: u16, stream: bool, body: &[u8]) -> Option<String> {
    if status != 200 {
        return Some(code(body).unwrap_or_else(|| format!("HTTP {status}: {}", quoted(body))));
    }
    let tail = &body[body.len().saturating_sub(TAIL_BYTES)..];
    let has = |mark: &[u8]| tail.windows(mark.len()).any(|bytes| bytes == mark);
    if !stream {
        return None;
    }
    if has(STREAM_ERROR) {
        let text = String::from_utf8_lossy(tail);
        let event = text.lines().rev().find(|line| line.contains("\"error\":{"));
        let data = event.and_then(|line| line.strip_prefix("data:")).unwrap_or_default();
        return Some(code(data.as_bytes()).unwrap_or_else(|| "error in a stream".to_owned()));
    }
    (!has(STREAM_END)).then(|| "stream without an end".to_owned())
}

/// The code in an error of the `OpenAI` dialect.
fn code(body: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(document.get("error")?.get("code")?.as_str()?.to_owned())
}

fn quoted(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(QUOTED_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn refusals_have_a_name() {
        let check = |status, stream, body: &str, expect: Option<&str>| {
            assert_eq!(refusal(status, stream, body.as_bytes()).as_deref(), expect, "{body}");
        };
        check(200, false, "{}", None);
        check(200, true, "data: {}\n\ndata: [DONE]\n\n", None);
        check(200, true, "data: {}\n\n", Some("stream without an end"));
        check(429, false, r#"{"error":{"code":"overloaded"}}"#, Some("overloaded"));
        check(500, true, "Internal\n error", Some("HTTP 500: Internal error"));
        check(500, true, r#"{"error":{"code":500}}"#, Some(r#"HTTP 500: {"error":{"code":500}}"#));
        let failed = "data: {\"error\":{\"code\":\"engine_failed\"}}\n\ndata: [DONE]\n\n";
        check(200, true, failed, Some("engine_failed"));
    }

    /// A server that answers every other request with a refusal.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut seen, mut good) = (vec![0; 4096], true);
                    while stream.read(&mut seen).await.unwrap_or(0) > 0 {
                        let (status, body) = match good {
                            true => ("200 OK", "{}"),
                            false => ("429 No", r#"{"error":{"code":"overloaded"}}"#),
                        };
                        let length = body.len();
                        let answer =
                            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        good = !good;
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn every_call_of_an_open_loop_is_counted_once() {
        let requests = vec![Request::post("/", None, &json!({}))];
        let calls = Calls { address: server().await, requests, stream: false };
        let open = Open {
            rate: 2_000.0,
            time: Duration::from_millis(200),
            connections: 3,
            patience: Duration::from_secs(60),
        };
        let load = Load::open(&calls, open).await.unwrap();
        assert_eq!((load.calls() + load.refusals(), load.unsent()), (400, 0));
        assert_eq!(load.refused().keys().collect::<Vec<_>>(), ["overloaded"]);
        // Each of three connections may end with a good answer.
        assert!(load.refusals().abs_diff(200) <= 3, "{load:?}");
        assert!(load.clone().flawless().is_err());

        // Nobody waits: a call is sent in time or not at all.
        let load = Load::open(&calls, Open { patience: Duration::ZERO, ..open }).await.unwrap();
        assert_eq!(load.unsent(), 400);
        assert_eq!(load.refusals(), 0);
    }

    #[tokio::test]
    async fn a_closed_loop_keeps_its_connections() {
        let requests = vec![Request::post("/", None, &json!({}))];
        let calls = Calls { address: server().await, requests, stream: false };
        let load = Load::closed(&calls, 4, Duration::from_millis(100)).await.unwrap();
        assert!(load.calls() >= 4 && load.calls() - load.refusals() <= 4, "{load:?}");
    }
}
