//! The load generator's HTTP: one kept-alive HTTP/1.1 connection that sends prepared bytes
//! and reads the answer (RFC 9112), with as little work of its own as possible. It runs in
//! this process; the server is another one.
//!
//! It knows what the servers of a bench send: a status line, headers, and a body with a length
//! or in chunks. An answer that ends with the connection is refused: it could be cut off.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BytesMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest head, or head of a chunk, bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Longest body, bytes.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// A request as it is sent, every time the same.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A JSON body for a path, with a bearer token if there is one.
    #[must_use]
    pub fn post(path: &str, bearer: Option<&str>, body: &serde_json::Value) -> Self {
        let bearer = bearer.map(|token| ("authorization", format!("Bearer {token}")));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Self::with(path, &headers, body)
    }

    /// A JSON body for a path, with more headers.
    #[must_use]
    pub fn with(path: &str, headers: &[(&str, &str)], body: &serde_json::Value) -> Self {
        let body = body.to_string();
        let more: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{more}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len(),
        );
        Self { bytes: bytes.into_bytes() }
    }

    /// Without a body.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self { bytes: format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes() }
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its headers, one per line.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
    /// From sending to the first bytes of the body.
    pub first: Duration,
    /// From sending to the last byte.
    pub whole: Duration,
}

impl Answer {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

/// When an answer came, and its status; the body is in the caller's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The status.
    pub status: u16,
    /// The first bytes of the body, or the end of an empty one.
    pub first: Instant,
    /// The last byte.
    pub whole: Instant,
}

/// How the rest of a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Length(usize),
    Chunks,
    Nothing,
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
    head: Vec<u8>,
    rest: Rest,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = BytesMut::with_capacity(READ_BYTES);
        Ok(Self { stream, buffer, head: Vec::new(), rest: Rest::Nothing })
    }

    /// Sends a request and reads the whole answer; refuses every status but 200.
    pub async fn ask(&mut self, request: &Request) -> Result<Answer> {
        let (started, mut body) = (Instant::now(), Vec::new());
        let exchange = self.exchange(request, &mut body).await?;
        if exchange.status != 200 {
            bail!("{}: {}", self.status_line(), String::from_utf8_lossy(&body));
        }
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let since = |at: Instant| at.duration_since(started);
        Ok(Answer { head, body, first: since(exchange.first), whole: since(exchange.whole) })
    }

    /// Sends a request and reads the answer of whatever status into `body`, which is emptied
    /// first.
    pub async fn exchange(&mut self, request: &Request, body: &mut Vec<u8>) -> Result<Exchange> {
        body.clear();
        let status = self.begin(request).await?;
        self.piece(body).await?;
        let first = Instant::now();
        while self.piece(body).await? {}
        Ok(Exchange { status, first, whole: Instant::now() })
    }

    /// Sends a request and reads the head of its answer; the status.
    pub async fn begin(&mut self, request: &Request) -> Result<u16> {
        self.stream.write_all(&request.bytes).await?;
        let end = self.until(b"\r\n\r\n").await?;
        self.head.clear();
        self.head.extend_from_slice(&self.buffer[..end]);
        self.buffer.advance(end);
        let head = std::str::from_utf8(&self.head).context("a head is not text")?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        self.rest = rest(head)?;
        status.with_context(|| format!("no status line: {}", self.status_line()))
    }

    /// Appends what the server sent next of the body, a chunk or a part of it; false at its end.
    pub async fn piece(&mut self, body: &mut Vec<u8>) -> Result<bool> {
        match self.rest {
            Rest::Nothing => return Ok(false),
            Rest::Length(bytes) => {
                self.append(body, bytes).await?;
                self.rest = Rest::Nothing;
            }
            Rest::Chunks => {
                let size = self.chunk_size().await?;
                self.append(body, size).await?;
                let end = self.until(b"\r\n").await?;
                ensure!(end == 2, "a chunk ends with an empty line");
                self.buffer.advance(end);
                if size == 0 {
                    self.rest = Rest::Nothing;
                }
            }
        }
        Ok(self.rest != Rest::Nothing)
    }

    async fn chunk_size(&mut self) -> Result<usize> {
        let end = self.until(b"\r\n").await?;
        let line = std::str::from_utf8(&self.buffer[..end])?;
        let digits = line.split([';', '\r']).next().unwrap_or_default();
        let size = usize::from_str_radix(digits.trim(), 16).context("a chunk's size")?;
        self.buffer.advance(end);
        Ok(size)
    }

    async fn append(&mut self, body: &mut Vec<u8>, bytes: usize) -> Result<()> {
        ensure!(body.len() + bytes <= BODY_BYTES_MAX, "more than {BODY_BYTES_MAX} bytes");
        let mut missing = bytes;
        loop {
            let here = missing.min(self.buffer.len());
            body.extend_from_slice(&self.buffer[..here]);
            self.buffer.advance(here);
            missing -= here;
            if missing == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Reads until `mark` is in the buffer; where it ends.
    async fn until(&mut self, mark: &[u8]) -> Result<usize> {
        let mut from = 0;
        loop {
            let found = self.buffer[from..].windows(mark.len()).position(|bytes| bytes == mark);
            if let Some(at) = found {
                return Ok(from + at + mark.len());
            }
            ensure!(self.buffer.len() <= HEAD_BYTES_MAX, "a head of over {HEAD_BYTES_MAX} bytes");
            from = self.buffer.len().saturating_sub(mark.len() - 1);
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        self.buffer.reserve(READ_BYTES);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed the connection");
        Ok(())
    }

    fn status_line(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        head.lines().next().unwrap_or_default().to_owned()
    }
}

fn rest(head: &str) -> Result<Rest> {
    if let Some(length) = header(head, "content-length") {
        return Ok(Rest::Length(length.parse()?));
    }
    let chunked = header(head, "transfer-encoding") == Some("chunked");
    ensure!(chunked, "the answer has neither a length nor chunks");
    Ok(Rest::Chunks)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answered(raw: &'static str) -> Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = vec![0; 1024];
            let count = stream.read(&mut seen).await.unwrap();
            stream.write_all(raw.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&seen[..count]).into_owned()
        });
        let request = Request::post("/x", Some("token"), &serde_json::json!({ "a": 1 }));
        let answer = Connection::open(address).await.unwrap().ask(&request).await;
        let seen = server.await.unwrap();
        assert!(seen.starts_with("POST /x HTTP/1.1\r\n") && seen.ends_with("\r\n\r\n{\"a\":1}"));
        assert!(seen.contains("authorization: Bearer token\r\n"));
        answer
    }

    #[tokio::test]
    async fn bodies_with_a_length_and_in_chunks() {
        let check = async |raw, expect: &str| {
            let answer = answered(raw).await.unwrap();
            assert_eq!(String::from_utf8(answer.body).unwrap(), expect);
            assert!(answer.first <= answer.whole);
        };
        check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc").await;
        check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "").await;
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                      3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        check(chunks, "abc0123456789").await;
    }

    #[tokio::test]
    async fn what_is_no_answer_is_refused() {
        let check = async |raw, expect: &str| {
            let error = answered(raw).await.unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("HTTP/1.1 429 Slow\r\ncontent-length: 4\r\n\r\nslow", "429 Slow: slow").await;
        check("HTTP/1.1 200 OK\r\n\r\n", "neither").await;
        check("HTTP/1.1 200 OK\r\n", "closed").await;
        check("HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n", "no status line").await;
        check("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", "closed").await;
    }
}
