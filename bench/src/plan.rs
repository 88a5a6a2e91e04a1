//! What was asked for: which benches, and how long.

use crate::gateway::Peer;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The first line of the help text.
pub const USAGE: &str = "\
usage: cargo xtask bench [NAME]... [--quick] [--dir DIR]

  --quick       fewer and shorter rounds: does everything, says less
  --peers LIST  the gateways beside Ambar: nginx,hyper,tensorzero,portkey,litellm [default: all]
  --rounds N    rounds of `gateway`, 1 to 100
  --ambar MORE  one more Ambar for `gateway`, the only one elsewhere: with these arguments of
                `ambar start`, or with this line in its node.toml
  --dir DIR     put homes, journals and ledgers there; without it, beside this program
  AMBAR_MODEL_GGUF names the model file that `engine` needs";
/// The exit code for a command line that names no bench.
pub const EXIT_USAGE: u8 = 2;
/// Most rounds of a bench.
const ROUNDS_MAX: usize = 100;
/// The model of the bench `engine`.
const MODEL_VARIABLE: &str = "AMBAR_MODEL_GGUF";

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    names: Vec<String>,
    quick: bool,
    place: Option<PathBuf>,
    peers: Option<Vec<Peer>>,
    rounds: Option<usize>,
    ambar: Option<String>,
}

impl Plan {
    /// Reads the arguments; `known` are the names of the benches.
    pub fn parse(arguments: &[String], known: &[&str]) -> Result<Self> {
        let (mut plan, mut arguments) = (Self::default(), arguments.iter());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => plan.quick = true,
                "--dir" => {
                    plan.place = Some(value(argument, &mut arguments)?.into());
                }
                "--peers" => plan.peers = Some(Peer::parse(value(argument, &mut arguments)?)?),
                "--rounds" => plan.rounds = Some(rounds(value(argument, &mut arguments)?)?),
                "--ambar" => plan.ambar = Some(value(argument, &mut arguments)?.to_owned()),
                name if known.contains(&name) => plan.names.push(name.to_owned()),
                other => bail!("no bench `{other}`"),
            }
        }
        Ok(plan)
    }

    /// Whether a bench was asked for; without names, all are that run unasked.
    #[must_use]
    pub fn wants(&self, name: &str, unasked: bool) -> bool {
        self.names.iter().any(|wanted| wanted == name) || (unasked && self.names.is_empty())
    }

    /// The gateways to measure beside Ambar.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.peers.clone().unwrap_or_else(|| Peer::ALL.to_vec())
    }

    /// Rounds, if they were said.
    #[must_use]
    pub fn rounds(&self) -> Option<usize> {
        self.rounds
    }

    /// With what another Ambar is started, if one is.
    #[must_use]
    pub fn ambar(&self) -> Option<&str> {
        self.ambar.as_deref()
    }

    /// One number for a full run, another for a quick one.
    #[must_use]
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A directory for one bench, gone afterwards. Unless told otherwise it lies beside this
    /// program, because the system's directory for temporary files may be memory.
    pub fn directory(&self) -> Result<TempDir> {
        let place = self.place.clone().map_or_else(beside, Ok)?;
        let made = tempfile::Builder::new().prefix("ambar-bench-").tempdir_in(&place);
        made.with_context(|| place.display().to_string())
    }
}

fn value<'a>(option: &str, arguments: &mut impl Iterator<Item = &'a String>) -> Result<&'a str> {
    let value = arguments.next().with_context(|| format!("`{option}` needs a value"))?;
    Ok(value)
}

fn rounds(text: &str) -> Result<usize> {
    let rounds = text.parse().context("`--rounds` needs a number")?;
    ensure!((1..=ROUNDS_MAX).contains(&rounds), "`--rounds` is 1 to {ROUNDS_MAX}");
    Ok(rounds)
}

/// The directory of this program.
pub fn beside() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().context("a program lies in a directory")?.to_owned())
}

/// The model file, if one is named.
pub fn model() -> Option<PathBuf> {
    std::env::var_os(MODEL_VARIABLE).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty())
}

/// A file of the repository.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let parse = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Plan::parse(&arguments, &["trace", "verify"])
        };
        let all = parse("").unwrap();
        assert!(all.wants("trace", true) && all.wants("verify", true) && all.pick(5, 2) == 5);
        assert!(!all.wants("trace", false) && all.peers() == Peer::ALL);
        let one = parse("verify --quick").unwrap();
        assert!(!one.wants("trace", true) && one.wants("verify", false) && one.pick(5, 2) == 2);
        let some = parse("trace --peers nginx,hyper --rounds 3 --ambar x").unwrap();
        assert_eq!((some.peers(), some.rounds()), (vec![Peer::Nginx, Peer::Hyper], Some(3)));
        assert_eq!(some.ambar(), Some("x"));
        for wrong in ["--peers nobody", "--rounds 0", "--rounds many", "--rounds", "--ambar"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("tarce").unwrap_err().to_string(), "no bench `tarce`");
        assert!(parse("--dir").is_err());
        let place = tempfile::tempdir().unwrap();
        let there = parse(&format!("--dir {}", place.path().display())).unwrap();
        assert_eq!(there.directory().unwrap().path().parent(), Some(place.path()));
    }
}
