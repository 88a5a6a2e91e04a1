//! A proxy that breaks connections at a place that can be named. It reads a request whole, finds
//! in it what is to go wrong, and hands bytes on until there.

use crate::script::{Act, Fault, Place};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::thread;
use std::time::Duration;

/// How long bytes are held back.
const DELAY: Duration = Duration::from_millis(30);
/// Bytes that come twice or never.
const BYTES: usize = 3;
/// What the client says of faults, in a header that nobody else reads.
pub const HEADER: &str = "x-fault";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Finds in a request what is to go wrong with it.
type Find = dyn Fn(&[u8]) -> Option<Fault> + Send + Sync;

/// A proxy on a port of its own, as long as the test runs.
pub struct Proxy {
    url: String,
    target: Arc<RwLock<String>>,
    links: Arc<Links>,
}

/// The connections, so that all can be cut.
type Links = Mutex<Vec<Weak<Link>>>;

/// A request as it came.
struct Came {
    bytes: Vec<u8>,
    head: usize,
}

/// One connection, both ways.
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// What goes wrong with each answer that is still to come.
    faults: Mutex<VecDeque<Option<Fault>>>,
    /// It was reset: nobody says goodbye.
    gone: AtomicBool,
}

impl Proxy {
    /// Before a server at a URL.
    pub fn before(
        url: &str,
        find: impl Fn(&[u8]) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let target = Arc::new(RwLock::new(url.to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (find, at): (Arc<Find>, _) = (Arc::new(find), Arc::clone(&target));
        let links = Arc::new(Links::default());
        let of_all = Arc::clone(&links);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (find, target) = (Arc::clone(&find), at.read().unwrap().clone());
                let links = Arc::clone(&of_all);
                thread::spawn(move || serve(&client, &target, &*find, &links));
            }
        });
        Self { url, target, links }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Resets every connection.
    pub fn cut(&self) {
        for link in self.links.lock().unwrap().drain(..).filter_map(|link| link.upgrade()) {
            cut(&link, Act::Reset);
        }
    }

    /// From now on new connections go there.
    pub fn point(&self, url: &str) {
        url.clone_into(&mut self.target.write().unwrap());
    }
}

/// Lets the connection end with a reset, once nobody has it any more (`SO_LINGER` of zero).
pub fn reset(stream: &TcpStream) {
    if let Ok(same) = stream.try_clone() {
        let _ = tokio::net::TcpSocket::from_std_stream(same).set_zero_linger();
    }
    // Wakes who reads here; nothing goes out.
    let _ = stream.shutdown(Shutdown::Read);
}

/// The fault that a client wishes for.
pub fn wished(request: &[u8]) -> Option<Fault> {
    let head = &request[..find(request, HEAD_END)?];
    let head = std::str::from_utf8(head).ok()?;
    let line = head.lines().find_map(|line| line.strip_prefix(HEADER)?.strip_prefix(": "))?;
    Fault::read(line)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Reads one request; nothing if the connection is over.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Came> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let begin = bytes.len();
        reader.read_until(b'\n', &mut bytes).ok().filter(|read| *read > 0)?;
        let line = String::from_utf8_lossy(&bytes[begin..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let head = bytes.len();
    bytes.resize(head + length, 0);
    reader.read_exact(&mut bytes[head..]).ok()?;
    Some(Came { bytes, head })
}

fn serve(client: &TcpStream, target: &str, look: &Find, links: &Links) {
    let _ = client.set_nodelay(true);
    let mut first = true;
    let mut link: Option<Arc<Link>> = None;
    let Ok(same) = client.try_clone() else { return };
    let mut reader = BufReader::new(&same);
    while let Some(came) = read(&mut reader) {
        let fault = look(&came.bytes);
        if first && let Some(Fault { place: Place::Connect, act }) = fault {
            match act {
                Act::Reset => return reset(client),
                Act::Delay => thread::sleep(DELAY),
                _ => return,
            }
        }
        first = false;
        if link.is_none() {
            link = open(client, target);
            let mut links = links.lock().unwrap();
            links.retain(|link| link.strong_count() > 0);
            links.extend(link.as_ref().map(Arc::downgrade));
        }
        let Some(link) = &link else { break };
        let placed = fault.and_then(|fault| Some((place_of(&came, fault.place)?, fault.act)));
        link.faults.lock().unwrap().push_back(fault.filter(|_| placed.is_none()));
        if !send(link, &came, placed) {
            break;
        }
    }
    // The client has left, or its server has: each side hears of the other.
    if let Some(link) = link.filter(|link| !link.is_gone()) {
        let _ = (link.server.shutdown(Shutdown::Both), link.client.shutdown(Shutdown::Read));
    }
}

fn open(client: &TcpStream, target: &str) -> Option<Arc<Link>> {
    let server = TcpStream::connect(target.strip_prefix("http://").unwrap()).ok()?;
    let _ = server.set_nodelay(true);
    let client = client.try_clone().ok()?;
    let gone = AtomicBool::new(false);
    let link = Arc::new(Link { client, server, faults: Mutex::default(), gone });
    let of_answers = Arc::clone(&link);
    thread::spawn(move || answers(&of_answers));
    Some(link)
}

/// Where in a request something happens.
fn place_of(came: &Came, place: Place) -> Option<usize> {
    Some(match place {
        Place::RequestLine => 5,
        // Inside the header of faults where there is one: what others say stays whole.
        Place::Header => {
            let own = find(&came.bytes[..came.head], HEADER.as_bytes());
            own.unwrap_or_else(|| find(&came.bytes, b"\r\n").unwrap_or_default() + 2) + 9
        }
        Place::BeforeBody => came.head,
        Place::Body => came.head + (came.bytes.len() - came.head) / 2,
        Place::Sent => came.bytes.len(),
        _ => return None,
    })
}

/// Hands a request on; false if that was the end.
fn send(link: &Link, came: &Came, placed: Option<(usize, Act)>) -> bool {
    let mut server = &link.server;
    let Some((at, act)) = placed else { return server.write_all(&came.bytes).is_ok() };
    let (before, after) = came.bytes.split_at(at);
    let begun = server.write_all(before).is_ok();
    let rest = |mut server: &TcpStream, from: usize| server.write_all(&came.bytes[from..]).is_ok();
    match act {
        Act::Reset | Act::End => {
            cut(link, act);
            false
        }
        Act::Delay => {
            thread::sleep(DELAY);
            begun && server.write_all(after).is_ok()
        }
        Act::Repeat => begun && rest(server, at.saturating_sub(BYTES)),
        Act::Skip => {
            let sent = begun && rest(server, (at + BYTES).min(came.bytes.len()));
            // What is lost never comes.
            let _ = link.server.shutdown(Shutdown::Write);
            sent
        }
    }
}

impl Link {
    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }
}

/// Ends both connections as the fault says.
fn cut(link: &Link, act: Act) {
    if act == Act::Reset {
        link.gone.store(true, Ordering::SeqCst);
        reset(&link.client);
        reset(&link.server);
    } else {
        let _ = link.client.shutdown(Shutdown::Both);
        let _ = link.server.shutdown(Shutdown::Both);
    }
}

/// An answer on its way.
#[derive(Default)]
struct Answer {
    seen: Vec<u8>,
    sent: usize,
    fault: Option<Fault>,
    /// Bytes were lost or came twice: the connection is of no use after it.
    spoilt: bool,
}

/// Hands answers on until one side ends.
fn answers(link: &Link) {
    let mut bytes = [0; 16 * 1024];
    let mut answer: Option<Answer> = None;
    loop {
        let read = (&link.server).read(&mut bytes).unwrap_or_default();
        if link.is_gone() {
            return;
        }
        if answer.is_none() {
            let fault = link.faults.lock().unwrap().pop_front();
            answer = Some(Answer { fault: fault.flatten(), ..Answer::default() });
        }
        let Some(now) = &mut answer else { return };
        now.seen.extend_from_slice(&bytes[..read]);
        let over = read == 0 || now.is_over();
        if !now.hand_on(link, over) {
            return;
        }
        if read == 0 || (over && now.spoilt) {
            let _ = (link.client.shutdown(Shutdown::Both), link.server.shutdown(Shutdown::Both));
            return;
        }
        if over {
            answer = None;
        }
    }
}

impl Answer {
    fn head(&self) -> Option<usize> {
        find(&self.seen, HEAD_END).map(|at| at + HEAD_END.len())
    }

    fn is_over(&self) -> bool {
        let Some(head) = self.head() else { return false };
        let text = String::from_utf8_lossy(&self.seen[..head]).to_ascii_lowercase();
        if text.contains("transfer-encoding: chunked") {
            return self.seen.ends_with(b"\r\n0\r\n\r\n");
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse::<usize>().ok());
        length.is_some_and(|length| self.seen.len() >= head + length)
    }

    /// Writes what may go out; false if that was the end.
    fn hand_on(&mut self, link: &Link, over: bool) -> bool {
        while let Some(Fault { place, act }) = self.fault {
            let Some(at) = self.place(place, over).filter(|at| *at >= self.sent) else {
                return self.write(link, if over { self.seen.len() } else { self.whole() });
            };
            self.fault = None;
            if !self.write(link, at) {
                return false;
            }
            match act {
                Act::Reset | Act::End => {
                    cut(link, act);
                    return false;
                }
                Act::Delay => thread::sleep(DELAY),
                Act::Repeat => (self.sent, self.spoilt) = (at.saturating_sub(BYTES), true),
                Act::Skip => {
                    (self.sent, self.spoilt) = ((at + BYTES).min(self.seen.len()), true);
                }
            }
        }
        self.write(link, self.seen.len())
    }

    fn write(&mut self, link: &Link, to: usize) -> bool {
        let from = self.sent;
        self.sent = to.max(from);
        let written = (&link.client).write_all(&self.seen[from..self.sent]).is_ok();
        if !written {
            let _ = link.server.shutdown(Shutdown::Both);
        }
        written
    }

    /// How much of it is whole events: nothing beyond goes out while a place is looked for.
    fn whole(&self) -> usize {
        let head = self.head().unwrap_or_default();
        let last = self.seen[head..].windows(2).rposition(|window| window == b"\n\n");
        last.map_or(head, |at| head + at + 2)
    }

    /// Where something happens, if that can be said.
    fn place(&self, place: Place, over: bool) -> Option<usize> {
        let head = self.head();
        let after = |from: usize, what: &[u8]| find(&self.seen[from..], what).map(|at| from + at);
        let said = |what: &[u8]| after(head?, what);
        // The beginning of the line that says it; a plain answer has one line.
        let line = |what: &[u8]| {
            let at = said(what)?;
            let before = self.seen[..at].windows(6).rposition(|window| window == b"data: ");
            Some(before.unwrap_or(at))
        };
        match place {
            Place::AnswerHead => (self.seen.len() > 12).then_some(12),
            Place::EventEnd => said(b"\n\n").map(|at| at + 2),
            Place::Line => said(b"data: ").map(|at| at + 3),
            Place::Token => {
                let mut from = head?;
                loop {
                    from = after(from, b"\"content\":\"")? + 11;
                    match self.seen.get(from)? {
                        b'"' => {}
                        _ => return Some(from + 1),
                    }
                }
            }
            Place::Character => {
                let from = head?;
                let at = self.seen[from..].iter().position(|byte| *byte >= 0xc2)?;
                (from + at + 1 < self.seen.len()).then_some(from + at + 1)
            }
            Place::BeforeUsage => line(b"\"prompt_tokens\""),
            Place::BeforeDone => said(b"data: [DONE]"),
            Place::Receipt => said(b": ambar-receipt").map(|at| at + 9),
            Place::Answered => over.then_some(self.seen.len()),
            _ => None,
        }
    }
}
