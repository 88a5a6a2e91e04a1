//! A server in a process of its own, which ends with the value.
//!
//! **Invariant**: nothing that the process started outlives the value either, and only
//! processes that it started are ended.

use crate::usage::descendants;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest time that a server may take until it listens: one in Python on a busy machine.
const START_TIME_MAX: Duration = Duration::from_secs(180);
/// Between two looks whether it listens.
const LOOK_PAUSE: Duration = Duration::from_millis(50);
/// Lines of a server's log that say why it did not start.
const LOG_LINES_QUOTED: usize = 4;
/// Longest line that is quoted, characters.
const LOG_LINE_CHARS_MAX: usize = 160;

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server that prints its address as its first line.
    pub fn telling(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("its output is a pipe")?;
        BufReader::new(output).read_line(&mut line)?;
        let Ok(address) = line.trim().parse() else {
            end(&mut child);
            bail!("a server did not start: {line:?}");
        };
        Ok(Self { child, address })
    }

    /// Starts a server that was told where to listen, and waits until it does. What it says
    /// goes to a file.
    pub fn told(mut command: Command, address: SocketAddr, log: &Path) -> Result<Self> {
        let (out, err) = (File::create(log)?, File::options().append(true).open(log)?);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn();
        let mut server = Self { child: child.context("it cannot be started")?, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("it ended with {status}: {}", last_lines(log));
            }
            if started.elapsed() > START_TIME_MAX {
                bail!("it does not listen: {}", last_lines(log));
            }
            sleep(LOOK_PAUSE);
        }
        Ok(server)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a process and all that it started, each by its own id.
pub fn end(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(Some(_))) {
        let mut ids: Vec<String> = descendants(child.id()).iter().map(u32::to_string).collect();
        ids.push(child.id().to_string());
        // One that has ended meanwhile cannot be ended.
        let _ = Command::new("kill").arg("-KILL").args(ids).stderr(Stdio::null()).status();
    }
    let _ = child.wait();
}

/// An address that is free now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The last lines of a log, as one.
pub fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_QUOTED));
    let cut = |line: &&str| line.trim().chars().take(LOG_LINE_CHARS_MAX).collect::<String>();
    last.map(cut).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo first; echo no such thing >&2; exit 3"]);
        let error = Server::told(command, free_address().unwrap(), &log).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("first | no such thing"));
        let mut silent = Command::new("sh");
        silent.args(["-c", "echo here I am"]);
        assert!(Server::telling(silent).unwrap_err().to_string().contains("here I am"));
    }
}
