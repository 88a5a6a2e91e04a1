//! The load generator's HTTP: one kept-alive HTTP/1.1 connection that sends prepared bytes
//! and reads the answer (RFC 9112), with as little work of its own as possible. It runs in
//! this process; the server is another one.
//!
//! It knows what our servers send: a status line, headers, and a body with a length or in
//! chunks.

use anyhow::{Context, Result, bail, ensure};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest header line or chunk head, bytes.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Longest body, bytes.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A request as it is sent, every time the same.
#[derive(Clone, Debug)]
pub struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A JSON body for a path, with a bearer token if there is one.
    #[must_use]
    pub fn post(path: &str, bearer: Option<&str>, body: &serde_json::Value) -> Self {
        let body = body.to_string();
        let bearer = bearer.map(|token| format!("authorization: Bearer {token}\r\n"));
        let bytes = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{}content-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            bearer.unwrap_or_default(),
            body.len(),
        );
        Self { bytes: bytes.into_bytes() }
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

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// Sends a request and reads the whole answer; refuses every status but 200.
    pub async fn ask(&mut self, request: &Request) -> Result<Answer> {
        let started = Instant::now();
        self.stream.get_mut().write_all(&request.bytes).await?;
        let status = self.line().await?;
        let mut head = String::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            head += &line;
            head.push('\n');
        }
        let (body, first) = self.body(&head, started).await?;
        let whole = started.elapsed();
        if !status.starts_with("HTTP/1.1 200") {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(Answer { head, body, first, whole })
    }

    async fn body(&mut self, head: &str, started: Instant) -> Result<(Vec<u8>, Duration)> {
        let mut body = Vec::new();
        if let Some(length) = header(head, "content-length") {
            self.append(&mut body, length.parse()?).await?;
            return Ok((body, started.elapsed()));
        }
        let chunked = header(head, "transfer-encoding") == Some("chunked");
        ensure!(chunked, "the answer has neither a length nor chunks");
        let mut first = None;
        loop {
            let size = usize::from_str_radix(&self.line().await?, 16).context("a chunk's size")?;
            self.append(&mut body, size).await?;
            first.get_or_insert_with(|| started.elapsed());
            ensure!(self.line().await?.is_empty(), "a chunk ends with an empty line");
            if size == 0 {
                return Ok((body, first.unwrap_or_default()));
            }
        }
    }

    async fn append(&mut self, body: &mut Vec<u8>, bytes: usize) -> Result<()> {
        ensure!(body.len() + bytes <= BODY_BYTES_MAX, "more than {BODY_BYTES_MAX} bytes");
        let start = body.len();
        body.resize(start + bytes, 0);
        self.stream.read_exact(&mut body[start..]).await?;
        Ok(())
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_BYTES_MAX as u64);
        limited.read_until(b'\n', &mut line).await?;
        ensure!(line.ends_with(b"\r\n"), "the server closed the connection or sent no line");
        line.truncate(line.len() - 2);
        Ok(String::from_utf8(line)?)
    }
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
        let chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                      3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
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
    }
}
