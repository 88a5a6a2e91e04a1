//! A node whose audit is half-way until it is told to go on.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Audit {
    HalfWay,
    Done,
    BrokenOff,
}

struct Shared {
    /// How the audit is, and how often somebody looked.
    state: Mutex<(Audit, usize)>,
    changed: Condvar,
}

/// The node. Its threads end with the test's process.
pub struct SlowNode {
    pub url: String,
    shared: Arc<Shared>,
}

impl SlowNode {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Mutex::new((Audit::HalfWay, 0));
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let answering = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let answering = Arc::clone(&answering);
                thread::spawn(move || answering.answer(stream.unwrap()));
            }
        });
        Self { url, shared }
    }

    /// Lets the audit end well.
    pub fn go_on(&self) {
        self.shared.become_(Audit::Done);
    }

    /// Lets the connection of whoever waits for the audit break.
    pub fn break_off(&self) {
        self.shared.become_(Audit::BrokenOff);
    }

    /// Waits until somebody looked so often how far the audit is.
    pub fn wait_for_looks(&self, looks: usize) {
        let state = self.shared.state.lock().unwrap();
        let seen = self.shared.changed.wait_while(state, |(_, seen)| *seen < looks);
        drop(seen.unwrap());
    }
}

impl Shared {
    fn become_(&self, audit: Audit) {
        self.state.lock().unwrap().0 = audit;
        self.changed.notify_all();
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
        let Some(Ok(first)) = request.next() else { return };
        // The rest of the head; requests here have no body.
        for line in request.by_ref() {
            if line.is_ok_and(|line| line.is_empty()) {
                break;
            }
        }
        if let Some(body) = self.body(first.split(' ').nth(1).unwrap()) {
            let body = body.to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            // Whoever asked may be gone.
            let _ = write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        }
    }

    /// The answer; nothing if the connection breaks.
    fn body(&self, path: &str) -> Option<Value> {
        if path == "/api/v1/audit/progress" {
            self.state.lock().unwrap().1 += 1;
            self.changed.notify_all();
            return Some(json!({ "phase": "blocks", "done": 40, "total": 100, "unit": "blocks" }));
        }
        assert_eq!(path, "/api/v1/audit");
        let state = self.state.lock().unwrap();
        let state = self.changed.wait_while(state, |(audit, _)| *audit == Audit::HalfWay).unwrap();
        (state.0 == Audit::Done).then(|| {
            json!({
                "ok": true, "height": 100, "calls": 0, "receipts": 0, "settled": 0,
                "debits": "0", "credits": "0", "problems": [],
            })
        })
    }
}
