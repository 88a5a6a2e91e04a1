//! HTTP/1.1 on a bare socket (RFC 9112): one request, one answer, one connection. Unlike a
//! real client it sends what is wrong, reads part of an answer and hangs up.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest silence of a node before the test fails.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The beginning of an answer, whose body is still to be read.
pub struct Opened {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let request = Self { method: "POST", body: body.into(), ..Self::get(path) };
        request.header("Content-Type", "application/json")
    }

    pub fn put(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "PUT", ..Self::post(path, body) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a certificate.
    pub fn bearer(self, certificate: &str) -> Self {
        self.header("Authorization", &format!("Bearer {certificate}"))
    }

    /// Sends the request and reads the whole answer.
    pub fn send(&self, url: &str) -> io::Result<Answer> {
        self.open(url)?.read()
    }

    /// Sends the request and reads the answer's head.
    pub fn open(&self, url: &str) -> io::Result<Opened> {
        let address = url.strip_prefix("http://").ok_or_else(|| broken("not an http URL"))?;
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(SILENCE_MAX))?;
        socket.set_nodelay(true)?;
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\n", self.method, self.path);
        head += &format!("Connection: close\r\nContent-Length: {}\r\n", self.body.len());
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        socket.write_all(head.as_bytes())?;
        // A node that refuses a body does not read it to its end, and answers all the same.
        let _ = socket.write_all(&self.body);
        Opened::read_head(BufReader::new(socket))
    }
}

impl Opened {
    fn read_head(mut reader: BufReader<TcpStream>) -> io::Result<Self> {
        let status = line(&mut reader)?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| broken("no status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = line(&mut reader)?;
            if line.is_empty() {
                return Ok(Self { status, headers, reader });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken("no header"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The body's next part as it was sent; empty at its end.
    pub fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let size = line(&mut self.reader)?;
        let size = usize::from_str_radix(&size, 16).map_err(|_| broken("no chunk"))?;
        let mut chunk = vec![0; size];
        self.reader.read_exact(&mut chunk)?;
        line(&mut self.reader)?;
        Ok(chunk)
    }

    /// Reads the rest. An answer that is cut off is an error.
    pub fn read(mut self) -> io::Result<Answer> {
        let text = String::from_utf8(self.bytes()?).map_err(|_| broken("not UTF-8"))?;
        Ok(Answer { status: self.status, headers: self.headers, text })
    }

    /// Reads the rest of whatever it is.
    pub fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if header(&self.headers, "transfer-encoding") != Some("chunked") {
            let length = header(&self.headers, "content-length").and_then(|n| n.parse().ok());
            body.resize(length.ok_or_else(|| broken("no length"))?, 0);
            self.reader.read_exact(&mut body)?;
            return Ok(body);
        }
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The document in the body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The document of an answer that is a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }

    /// The public code of an answer that is none.
    pub fn code(&self) -> String {
        assert_ne!(self.status, 200, "{self:?}");
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// That the answer is a refusal with this status and public code.
    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{self:?}");
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.strip_suffix("\r\n").ok_or_else(|| broken("the answer is cut off"))?;
    Ok(line.to_owned())
}

fn broken(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}
