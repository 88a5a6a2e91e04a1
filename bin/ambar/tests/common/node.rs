//! A node of its own, started by the real binary.

use super::common::{NOBODY, Person};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// A running node.
pub struct Node {
    child: Child,
    /// What it printed when it was ready.
    pub ready: Value,
}

/// A node that is being started.
pub struct Starting {
    child: Child,
}

impl Starting {
    /// Begins to start the node of a home on a free port.
    pub fn of(home: &Path) -> Self {
        Self::with(home, &[], None)
    }

    /// The same with more arguments; writes everything that it has to say into a file, if one
    /// is given.
    pub fn with(home: &Path, more: &[&str], log: Option<File>) -> Self {
        let person = Person::new(home, NOBODY);
        let arguments = [&["start", "--listen", "127.0.0.1:0", "--json"], more].concat();
        let mut command = person.command(&arguments);
        if let Some(log) = log {
            command.env("RUST_LOG", "trace").stderr(log);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        Self { child }
    }

    /// Waits until it is ready.
    pub fn ready(mut self) -> Node {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        Node { child: self.child, ready }
    }
}

impl Node {
    /// Starts the node of a home on a free port.
    pub fn start(home: &Path) -> Self {
        Starting::of(home).ready()
    }

    pub fn url(&self) -> &str {
        self.ready["url"].as_str().unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
