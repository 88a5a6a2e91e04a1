//! A server that speaks the OpenAI dialect as far as an upstream engine is asked for chat
//! completions. It counts what it was asked and what it wrote, does what scripts say, and can be
//! killed and started again.

use crate::chance::Chance;
use crate::proxy::reset;
use crate::script::{Manner, Script};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;

/// Prompt tokens of each answer.
pub const TOKENS_IN: u64 = 7;
/// Answer tokens that an answer says it has which says too many.
pub const TOKENS_MUCH: u64 = 100_000;
/// Pieces of an answer without an end, which is then ended by the test's own patience.
pub const ENDLESS_PIECES_MAX: u32 = 50_000;
/// How long an answer that pauses does so, unless its reader leaves.
const PAUSE: Duration = Duration::from_secs(60);
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// What the server knows of a call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// How often it was asked for it.
    pub asked: u32,
    /// Pieces that it wrote, all times together, whether or not anybody read them.
    pub pieces: u32,
    /// Pieces that were written when the reader left in a pause.
    pub left_after: Option<u32>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<BTreeMap<u64, Seen>>,
    down: AtomicBool,
    /// Requests that are being answered.
    busy: AtomicU64,
    asked: AtomicU64,
    connections: Mutex<Vec<Weak<TcpStream>>>,
}

/// The server, as long as the test runs.
pub struct Mock {
    url: String,
    shared: Arc<Shared>,
}

impl Mock {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let of_all = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                of_all.accept(stream);
            }
        });
        Self { url, shared }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends every connection with a reset, and every new one, until it is started again.
    pub fn kill(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
        let mut connections = self.shared.connections.lock().unwrap();
        for stream in connections.drain(..).filter_map(|stream| stream.upgrade()) {
            reset(&stream);
        }
    }

    pub fn start_again(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }

    pub fn seen(&self, id: u64) -> Seen {
        self.shared.seen().get(&id).copied().unwrap_or_default()
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Whether nobody waits for an answer.
    pub fn is_idle(&self) -> bool {
        self.shared.busy.load(Ordering::SeqCst) == 0
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, BTreeMap<u64, Seen>> {
        self.seen.lock().unwrap()
    }

    fn accept(self: &Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        if self.down.load(Ordering::SeqCst) {
            return reset(&stream);
        }
        let (stream, shared) = (Arc::new(stream), Arc::clone(self));
        let mut connections = self.connections.lock().unwrap();
        connections.retain(|one| one.strong_count() > 0);
        connections.push(Arc::downgrade(&stream));
        drop(connections);
        thread::spawn(move || {
            let mut reader = BufReader::new(&*stream);
            while let Some(body) = read(&mut reader) {
                shared.busy.fetch_add(1, Ordering::SeqCst);
                let answered = shared.answer(&stream, &body);
                shared.busy.fetch_sub(1, Ordering::SeqCst);
                if answered.is_err() {
                    return;
                }
            }
        });
    }

    fn answer(&self, stream: &TcpStream, body: &[u8]) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let body: Value = serde_json::from_slice(body)?;
        let last = body["messages"].as_array().and_then(|messages| messages.last());
        let said = last.and_then(|last| last["content"].as_str()).unwrap_or_default();
        let script = Script::find(said.as_bytes());
        let mut script = script.unwrap_or_else(|| Script::new(0, 3, Manner::Well));
        let mut seen = self.seen();
        let one = seen.entry(script.id).or_default();
        one.asked += 1;
        let first = one.asked == 1;
        drop(seen);
        let streams = body["stream"] == true;
        // Of a plain answer that is broken nothing is delivered, so that it is asked for again.
        let once = script.manner == Manner::Pause
            || (!streams && matches!(script.manner, Manner::Close | Manner::Fail));
        if once && !first {
            script.manner = Manner::Well;
        }
        let error = |status: &str, more: &str| {
            let message = match script.manner {
                Manner::Newer => "say max_completion_tokens in place of max_tokens",
                _ => "as the script says",
            };
            let body = json!({"error": {"message": message, "param": "script"}});
            whole(stream, status, &format!("application/json\r\n{more}"), &body.to_string())
        };
        match script.manner {
            Manner::Broken if first => error("500 Broken", "x: y"),
            Manner::Busy if first => error("429 Busy", "retry-after-ms: 20"),
            Manner::Refuse => error("400 Refused", "x: y"),
            // Both names at once are as wrong as the older one.
            Manner::Newer if !body["max_tokens"].is_null() => error("400 Refused", "x: y"),
            Manner::Html if first => whole(stream, "200 OK", "text/html", "<html>Hello</html>"),
            _ if streams => self.stream(stream, &script),
            _ => self.plain(stream, &script),
        }
    }

    fn wrote(&self, script: &Script, pieces: u32) {
        self.seen().entry(script.id).or_default().pieces += pieces;
    }

    fn plain(&self, stream: &TcpStream, script: &Script) -> io::Result<()> {
        let pieces = if script.manner == Manner::Silent { 0 } else { script.tokens };
        if script.manner == Manner::Pause {
            self.pause(stream, script, 0)?;
        }
        let message = json!({"role": "assistant", "content": script.text(pieces)});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let mut answer = json!({"object": "chat.completion", "choices": [choice]});
        if let Some(usage) = usage(script) {
            answer["usage"] = usage;
        }
        let body = match script.manner {
            Manner::Fail => json!({"error": {"message": "as the script says"}}).to_string(),
            _ => answer.to_string(),
        };
        let length = body.len();
        let written = if script.manner == Manner::Close { length / 3 } else { length };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
        self.wrote(script, pieces);
        let mut out = format!("{head}{length}\r\n\r\n").into_bytes();
        out.extend_from_slice(&body.as_bytes()[..written]);
        (&mut &*stream).write_all(&out)?;
        if script.manner == Manner::Close {
            Err(ErrorKind::ConnectionAborted.into())
        } else {
            Ok(())
        }
    }

    fn stream(&self, stream: &TcpStream, script: &Script) -> io::Result<()> {
        let mut out = Out { stream, split: None };
        (&mut &*stream).write_all(STREAM.as_bytes())?;
        if script.manner == Manner::Split {
            out.split = Some(Chance::new(script.id));
        }
        out.event(
            &json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
        )?;
        let half = script.tokens.div_ceil(2);
        let pieces = match script.manner {
            Manner::Endless => ENDLESS_PIECES_MAX,
            Manner::Close | Manner::Fail => half,
            Manner::Silent => 0,
            _ => script.tokens,
        };
        for at in 0..pieces {
            if script.pace_ms > 0 {
                wait(stream, Duration::from_millis(script.pace_ms))?;
            }
            if script.manner == Manner::Pause && at == half {
                self.pause(stream, script, at)?;
            }
            let delta = json!({"content": script.piece(at)});
            self.wrote(script, 1);
            out.event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))?;
        }
        match script.manner {
            Manner::Close => return Err(ErrorKind::ConnectionAborted.into()),
            Manner::Fail => out.event(&json!({"error": {"message": "as the script says"}}))?,
            _ => {
                out.event(
                    &json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
                )?;
            }
        }
        if let Some(usage) = usage(script) {
            out.event(&json!({"choices": [], "usage": usage}))?;
        }
        if script.manner != Manner::NoDone {
            out.write(b"data: [DONE]\n\n")?;
        }
        (&mut &*stream).write_all(b"0\r\n\r\n")
    }

    /// Waits for the reader to leave.
    fn pause(&self, stream: &TcpStream, script: &Script, written: u32) -> io::Result<()> {
        let left = wait(stream, PAUSE);
        if left.is_err() {
            self.seen().entry(script.id).or_default().left_after = Some(written);
        }
        left
    }
}

/// What an answer says that it used.
fn usage(script: &Script) -> Option<Value> {
    let (tokens_in, tokens_out) = match script.manner {
        Manner::NoUsage | Manner::Fail => return None,
        Manner::ZeroUsage => (0, 0),
        Manner::MuchUsage => (TOKENS_MUCH, TOKENS_MUCH),
        Manner::Silent => (TOKENS_IN, 0),
        _ => (TOKENS_IN, u64::from(script.tokens)),
    };
    let total = tokens_in + tokens_out;
    let usage = json!({"prompt_tokens": tokens_in, "completion_tokens": tokens_out});
    let mut usage = usage;
    usage["total_tokens"] = total.into();
    Some(usage)
}

/// Waits, unless the reader leaves.
fn wait(stream: &TcpStream, how_long: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(how_long))?;
    let looked = stream.peek(&mut [0]);
    stream.set_read_timeout(None)?;
    match looked {
        // There is a further request: nobody sends one before the answer is there.
        Ok(0 | 1..) => Err(ErrorKind::ConnectionAborted.into()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Events on their way out.
struct Out<'a> {
    stream: &'a TcpStream,
    /// Where they are cut, if anywhere.
    split: Option<Chance>,
}

impl Out<'_> {
    fn event(&mut self, value: &Value) -> io::Result<()> {
        self.write(format!("data: {value}\n\n").as_bytes())
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(chance) = &mut self.split
            && bytes.len() > 1
        {
            let (one, rest) = bytes.split_at(1 + chance.below(bytes.len() as u64 - 1) as usize);
            chunk(self.stream, one)?;
            bytes = rest;
        }
        chunk(self.stream, bytes)
    }
}

/// One write: a chunk (RFC 9112, section 7.1).
fn chunk(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut out = format!("{:x}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
    stream.write_all(&out)
}

fn whole(mut stream: &TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: ");
    stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes())
}

/// The body of one request; nothing if the connection is over.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}
