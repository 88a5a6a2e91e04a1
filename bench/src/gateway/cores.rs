//! Which core a process runs on. The gateway under test has one to itself; whatever feeds it,
//! answers it or settles what it did has another.
//!
//! It is done by `taskset` (util-linux), which everything that a pinned process starts
//! inherits; without it, or on a machine of one core, nothing is pinned and that is said.

use anyhow::{Result, ensure};
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::process::{Command, Stdio};

/// The core of the gateway under test.
const GATEWAY: usize = 1;
/// The core of everything else.
const REST: usize = 0;

/// Threads of a node that callers wait for; the others follow the ledger and settle.
const CALLING: [&str; 2] = ["calls", "journal"];

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

    /// A command that runs a node, whose threads [`Self::divide`] puts in their places.
    pub fn node(self, program: impl AsRef<OsStr>) -> Command {
        if self == Self::Anywhere {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.arg("-c").arg(format!("{REST},{GATEWAY}")).arg(program);
        command
    }

    /// What a node is started with besides: one thread answers calls, because it has one core.
    pub const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Apart => &["--threads", "1"],
            Self::Anywhere => &[],
        }
    }

    /// Puts the threads of a node that answer calls where gateways run, and those that settle
    /// where everything else does. What a thread starts later is where that thread is.
    pub fn divide(self, node: u32) -> Result<()> {
        if self == Self::Anywhere {
            return Ok(());
        }
        for task in fs::read_dir(format!("/proc/{node}/task"))? {
            let task = task?;
            let name = fs::read_to_string(task.path().join("comm"))?;
            let core = if CALLING.contains(&name.trim()) { GATEWAY } else { REST };
            let number = task.file_name().to_string_lossy().parse()?;
            bind(&["-p"], number, core)?;
        }
        Ok(())
    }
}

impl Display for Cores {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart => write!(
                f,
                "core {GATEWAY}: the gateway under test, alone; of Ambar the threads {}. Core \
                 {REST}: load generator, mock, the validator, and what of Ambar follows the \
                 ledger and settles",
                CALLING.join(" and ")
            ),
            Self::Anywhere => {
                f.write_str("no core could be set apart: the kernel decided who ran where")
            }
        }
    }
}

/// A process with all its threads.
fn pin(pid: u32, core: usize) -> Result<()> {
    bind(&["-a", "-p"], pid, core)
}

fn bind(what: &[&str], number: u32, core: usize) -> Result<()> {
    let mut command = Command::new("taskset");
    command.args(what).args(["-c", &core.to_string(), &number.to_string()]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "taskset refused");
    Ok(())
}
