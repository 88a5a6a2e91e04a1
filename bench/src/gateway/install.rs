//! The other gateways: installed by package name into a directory of this bench's own, which
//! is kept. What is done is said before it is done.
//!
//! Versions are exact, so that a figure names what was measured; only nginx is what this
//! Debian has. Of Python packages only wheels are taken and of npm packages no script is run:
//! installing executes nothing of them.
//!
//! **Invariant**: nothing is installed outside that directory, and no service is started.

use super::peers::Peer;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Longest reason that is told, characters.
const REASON_CHARS_MAX: usize = 240;
/// The file that says that a directory is whole.
pub const WHOLE: &str = "installed";

/// Where the other gateways are.
#[derive(Clone, Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// In the user's cache directory.
    pub fn open() -> Result<Self> {
        let home = std::env::var_os("HOME").context("HOME is not set")?;
        Ok(Self(Path::new(&home).join(".cache/ambar/bench")))
    }

    /// The directory of one.
    #[must_use]
    pub fn of(&self, peer: Peer) -> PathBuf {
        self.0.join(format!("{}-{}", peer.name(), peer.version()))
    }

    /// The directory of something else by its name and version.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Installs what is missing; why one could not be.
    pub fn install(&self, peers: &[Peer]) -> BTreeMap<Peer, String> {
        let attempt = |peer: &Peer| Some((*peer, self.install_one(*peer).err()?));
        let failed = peers.iter().filter_map(attempt);
        failed.map(|(peer, error)| (peer, one_line(&format!("{error:#}")))).collect()
    }

    fn install_one(&self, peer: Peer) -> Result<()> {
        let directory = self.of(peer);
        if peer == Peer::Hyper || directory.join(WHOLE).exists() {
            return Ok(());
        }
        eprintln!("installing {} into {}", peer.package(), directory.display());
        fs::create_dir_all(&directory)?;
        match peer {
            Peer::Hyper => {}
            Peer::Nginx => debian(&directory, "nginx")?,
            Peer::Portkey => portkey(&directory, peer)?,
            Peer::TensorZero => {
                wheels(&directory, &[&format!("tensorzero=={}", peer.version())])?;
            }
            Peer::LiteLlm => {
                wheels(&directory, &[&format!("litellm[proxy]=={}", peer.version())])?;
            }
        }
        Ok(fs::write(directory.join(WHOLE), "")?)
    }
}

/// Takes a package apart instead of installing it, so that no service is set up.
pub fn debian(directory: &Path, package: &str) -> Result<()> {
    if let Err(error) = run(Command::new("apt-get").args(["download", package]), directory) {
        // The lists may be missing or old; only the machine's owner can fetch them.
        let update = run(Command::new("apt-get").args(["update", "-qq"]), directory);
        update.with_context(|| format!("{error:#}"))?;
        run(Command::new("apt-get").args(["download", package]), directory)?;
    }
    let mut files = fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let package = files.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let package = package.context("no package was downloaded")?;
    run(Command::new("dpkg").arg("-x").arg(package).arg("."), directory)
}

fn portkey(directory: &Path, peer: Peer) -> Result<()> {
    let package = format!("@portkey-ai/gateway@{}", peer.version());
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts", "--no-fund", "--no-audit", "--prefix", "."]);
    run(npm.arg(package), directory)
}

/// A Python of its own in the directory, with these packages.
pub fn wheels(directory: &Path, requirements: &[&str]) -> Result<()> {
    run(Command::new("python3").args(["-m", "venv", "."]), directory)?;
    let mut pip = Command::new(directory.join("bin/pip"));
    pip.args(["install", "--quiet", "--only-binary", ":all:"]);
    run(pip.args(requirements), directory)
}

/// Runs a command there, without input; what it said last, if it fails.
pub fn run(command: &mut Command, directory: &Path) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(directory).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{program} cannot be run"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        bail!("{program} failed: {last}");
    }
    Ok(())
}

/// As it can stand in a table.
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(REASON_CHARS_MAX).collect()
}
