//! What stands between proxy and node: it notes what the proxy sends, and changes what the node
//! answers if a test wants it.

use ambar_base::{Price, Signature};
use ambar_receipt::Voucher;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A call as the proxy sent it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub headers: Vec<(String, String)>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Sent>>,
    replace: Mutex<Option<(String, String)>>,
}

/// A relay on a port of its own, as long as the test runs.
pub struct Relay {
    url: String,
    shared: Arc<Shared>,
}

impl Sent {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    /// The voucher of the call.
    pub fn voucher(&self) -> Voucher {
        let mut signature = [0; 64];
        hex::decode_to_slice(self.header("ambar-voucher-signature"), &mut signature).unwrap();
        let total: Price = self.header("ambar-voucher").parse().unwrap();
        // The channel of the receipt's id is that of the certificate, which the test knows.
        Voucher { channel: 0, total, signature: Signature(signature) }
    }
}

impl Relay {
    /// Before the node at a URL.
    pub fn before(node: &str) -> Self {
        let node = node.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let of_all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (node, shared) = (node.clone(), Arc::clone(&of_all));
                // A connection that breaks is what the test is about, or its end.
                thread::spawn(move || drop(relay(&client, &node, &shared)));
            }
        });
        Self { url, shared }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls so far.
    pub fn requests(&self) -> Vec<Sent> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// From now on answers say something else, of the same length.
    pub fn replace(&self, what: &str, by: &str) {
        assert_eq!(what.len(), by.len());
        *self.shared.replace.lock().unwrap() = Some((what.to_owned(), by.to_owned()));
    }
}

fn relay(client: &TcpStream, node: &str, shared: &Arc<Shared>) -> std::io::Result<()> {
    let server = TcpStream::connect(node)?;
    let (mut back, mut answers) = (client.try_clone()?, server.try_clone()?);
    let of_answers = Arc::clone(shared);
    let answering = thread::spawn(move || {
        let mut bytes = [0; 64 * 1024];
        while let Ok(read @ 1..) = answers.read(&mut bytes) {
            let replace = of_answers.replace.lock().unwrap().clone();
            if let Some((what, by)) = replace {
                change(&mut bytes[..read], what.as_bytes(), by.as_bytes());
            }
            if back.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        // Each side hears that the other has left.
        let _ = (back.shutdown(Shutdown::Both), answers.shutdown(Shutdown::Both));
    });
    let forwarded = forward(client, &server, shared);
    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
    let _ = answering.join();
    forwarded
}

fn change(bytes: &mut [u8], what: &[u8], by: &[u8]) {
    let found = bytes.windows(what.len()).position(|window| window == what);
    if let Some(at) = found {
        bytes[at..at + by.len()].copy_from_slice(by);
    }
}

/// Hands requests on, one after another, and notes those that are calls.
fn forward(client: &TcpStream, mut server: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    loop {
        let (mut head, mut headers, mut length) = (String::new(), Vec::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            head += &line;
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
                if name == "content-length" {
                    length = value.parse().unwrap();
                }
                headers.push((name, value));
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if head.starts_with("POST /v1/") {
            shared.requests.lock().unwrap().push(Sent { headers });
        }
        server.write_all(head.as_bytes())?;
        server.write_all(&body)?;
    }
}
