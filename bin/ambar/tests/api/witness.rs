//! Stands between whoever asks and a node, passes everything on as it is, and remembers which
//! operation failed with which code.

use crate::document::Document;
use crate::support::http::Answer;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Operations that failed, with their codes.
    pub failures: BTreeSet<(String, String)>,
    /// Answers that the document does not have.
    pub strays: BTreeSet<String>,
    /// Connections that are open.
    open: usize,
}

struct Inner {
    document: Document,
    node: Mutex<String>,
    seen: Mutex<Seen>,
    closed: Condvar,
}

/// A proxy that sees.
#[derive(Clone)]
pub struct Witness {
    url: String,
    inner: Arc<Inner>,
}

/// A message: its first line, and the bytes of all of it.
struct Message {
    first: String,
    bytes: Vec<u8>,
    body: Vec<u8>,
    whole: bool,
}

impl Witness {
    /// Before a node, which need not have this document.
    pub fn before(node: &str, document: Document) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (node, seen) = (Mutex::new(node.to_owned()), Mutex::default());
        let inner = Arc::new(Inner { document, node, seen, closed: Condvar::new() });
        let witness = Self { url, inner };
        let own = witness.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                own.inner.seen.lock().unwrap().open += 1;
                let own = own.clone();
                thread::spawn(move || {
                    // Whoever hangs up has heard enough.
                    let _ = own.pass(&client);
                    let _ = client.shutdown(Shutdown::Both);
                    own.inner.seen.lock().unwrap().open -= 1;
                    own.inner.closed.notify_all();
                });
            }
        });
        witness
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn document(&self) -> &Document {
        &self.inner.document
    }

    /// Goes on before another node, or the same on another port.
    pub fn turn_to(&self, node: &str) {
        node.clone_into(&mut self.inner.node.lock().unwrap());
    }

    /// Everything that was seen, once nobody is asking any more.
    pub fn seen(&self) -> (BTreeSet<(String, String)>, BTreeSet<String>) {
        let seen = self.inner.seen.lock().unwrap();
        let seen = self.inner.closed.wait_while(seen, |seen| seen.open > 0).unwrap();
        (seen.failures.clone(), seen.strays.clone())
    }

    /// Passes the requests of one connection on, one after another.
    fn pass(&self, client: &TcpStream) -> io::Result<()> {
        let node = self.inner.node.lock().unwrap().clone();
        let server = TcpStream::connect(node.trim_start_matches("http://"))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut asks, mut answers) = (BufReader::new(client), BufReader::new(&server));
        loop {
            let Some(request) = read(&mut asks, false)? else { return Ok(()) };
            // A node that refuses a body does not read it to its end.
            let _ = (&server).write_all(&request.bytes);
            let mut words = request.first.split(' ');
            let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let Some(answer) = read(&mut answers, method == "HEAD")? else { return Ok(()) };
            self.note(method, target, &answer);
            (&*client).write_all(&answer.bytes)?;
            if !request.whole || !answer.whole {
                return Ok(());
            }
        }
    }

    /// Remembers an answer that did not come through here.
    pub fn heard(&self, method: &str, target: &str, answer: &Answer) {
        self.judge(method, target, answer.status, answer.text.as_bytes());
    }

    fn note(&self, method: &str, target: &str, answer: &Message) {
        let status = answer.first.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.judge(method, target, status.unwrap_or_default(), &answer.body);
    }

    fn judge(&self, method: &str, target: &str, status: u16, body: &[u8]) {
        let path = target.split('?').next().unwrap_or_default();
        let Some(asked) = self.inner.document.asked(method, path) else { return };
        let mut seen = self.inner.seen.lock().unwrap();
        if status < 400 {
            if !asked.successes.contains(&status) {
                seen.strays.insert(format!("{} {status}", asked.id));
            }
            return;
        }
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        let code = told["error"]["code"].as_str().unwrap_or_default().to_owned();
        if asked.failures.contains(&(status, code.clone())) {
            seen.failures.insert((asked.id.clone(), code));
        } else if !of_the_port(status, &code) {
            let said = String::from_utf8_lossy(body);
            seen.strays.insert(format!("{} {status} {code}: {method} {target}: {said}", asked.id));
        }
    }
}

/// What the port refuses for every path alike.
fn of_the_port(status: u16, code: &str) -> bool {
    matches!(
        (status, code),
        (408, "invalid_request") | (431, "request_too_large") | (429 | 503, "overloaded")
    )
}

/// Reads a message to its end; nothing if there is none. One that is malformed is read as far as
/// it is sound.
fn read(from: &mut impl BufRead, headless: bool) -> io::Result<Option<Message>> {
    let mut bytes = Vec::new();
    if from.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    let first = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    let (mut length, mut chunked, mut closes) = (None, false, false);
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes[start..]).trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name {
            "content-length" => length = value.trim().parse().ok(),
            "transfer-encoding" => chunked = value.contains("chunked"),
            "connection" => closes = value.contains("close"),
            _ => (),
        }
    }
    let answers = first.starts_with("HTTP/");
    let mut message = Message { first, bytes, body: Vec::new(), whole: true };
    if headless {
        return Ok(Some(message));
    }
    if chunked {
        message.whole = read_chunks(from, &mut message)?;
    } else {
        let wanted: usize = length.unwrap_or_default();
        message.body.resize(wanted, 0);
        from.read_exact(&mut message.body)?;
        message.bytes.extend_from_slice(&message.body);
    }
    message.whole &= !(answers && closes);
    Ok(Some(message))
}

/// The chunks of a body; whether they were sound.
fn read_chunks(from: &mut impl BufRead, message: &mut Message) -> io::Result<bool> {
    loop {
        let start = message.bytes.len();
        from.read_until(b'\n', &mut message.bytes)?;
        let line = String::from_utf8_lossy(&message.bytes[start..]).trim().to_owned();
        let Ok(size) = usize::from_str_radix(&line, 16) else { return Ok(false) };
        let mut chunk = vec![0; size + 2];
        from.read_exact(&mut chunk)?;
        message.bytes.extend_from_slice(&chunk);
        message.body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Ok(true);
        }
    }
}
