//! The real binary, run as a person or script runs it.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A port where nobody listens: the discard service's.
pub const NOBODY: &str = "http://127.0.0.1:9";

/// A home, and the node that its commands talk to.
pub struct Person {
    pub home: PathBuf,
    pub node: String,
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Person {
    pub fn new(home: &Path, node: &str) -> Self {
        Self { home: home.to_owned(), node: node.to_owned() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ambar"));
        command.args(arguments).env("AMBAR_HOME", &self.home).env("AMBAR_NODE", &self.node);
        for name in ["AMBAR_PASSPHRASE", "AMBAR_MODEL_GGUF", "AMBAR_MODEL_EMBED", "RUST_LOG"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// Runs a command with something on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that fails early does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Runs a command with `--json` that must succeed; its document.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).json()
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The document of a command that succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        self.document()
    }

    /// The one document on standard output.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That the command failed with this exit code and public code, and said what to do.
    pub fn failed(&self, exit: i32, code: &str) -> &Self {
        assert_eq!(self.code, exit, "{self:?}");
        assert!(self.err.contains(&format!("error[{code}]: ")), "{self:?}");
        assert!(self.err.contains("\nhelp: "), "{self:?}");
        self
    }
}

/// The text of a member.
pub fn text(document: &Value, member: &str) -> String {
    document[member].as_str().unwrap_or_else(|| panic!("no {member} in {document}")).to_owned()
}
