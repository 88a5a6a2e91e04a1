//! Which core a process runs on. The gateway under test has one to itself; whatever feeds it,
//! answers it or settles what it did has another.
//!
//! It is done by `taskset` (util-linux), which everything that a pinned process starts
//! inherits; without it, or on a machine of one core, nothing is pinned and that is said.

use anyhow::{Result, ensure};
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::process::{Command, Stdio};

/// The core of the gateway under test.
const GATEWAY: usize = 1;
/// The core of everything else.
const REST: usize = 0;

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// The gateway has a core of its own.
    Apart,
    /// The kernel decides.
    Anywhere,
}

impl Cores {
    /// Moves this process, and with it all that it starts, away from the gateway's core.
    pub fn arrange() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pinned = cores > GATEWAY && pin(std::process::id(), REST).is_ok();
        if pinned { Self::Apart } else { Self::Anywhere }
    }

    /// A command that runs a gateway where gateways run.
    pub fn gateway(self, program: impl AsRef<OsStr>) -> Command {
        if self == Self::Anywhere {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.arg("-c").arg(GATEWAY.to_string()).arg(program);
        command
    }
}

impl Display for Cores {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart => write!(
                f,
                "core {GATEWAY}: the gateway under test, alone. Core {REST}: load generator, mock, \
                 and the validator that settles"
            ),
            Self::Anywhere => {
                f.write_str("no core could be set apart: the kernel decided who ran where")
            }
        }
    }
}

fn pin(pid: u32, core: usize) -> Result<()> {
    let mut command = Command::new("taskset");
    command.args(["-a", "-p", "-c", &core.to_string(), &pid.to_string()]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "taskset refused");
    Ok(())
}
