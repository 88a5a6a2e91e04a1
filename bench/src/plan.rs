//! What was asked for: which benches, and how long.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The first line of the help text.
pub const USAGE: &str = "\
usage: cargo xtask bench [NAME]... [--quick] [--dir DIR]

  --quick       fewer and shorter rounds: does everything, says less
  --dir DIR     put homes, journals and ledgers there; without it, beside this program
  AMBAR_MODEL_GGUF names the model file that `engine` needs";
/// The exit code for a command line that names no bench.
pub const EXIT_USAGE: u8 = 2;
/// The model of the bench `engine`.
const MODEL_VARIABLE: &str = "AMBAR_MODEL_GGUF";

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    names: Vec<String>,
    quick: bool,
    place: Option<PathBuf>,
}

impl Plan {
    /// Reads the arguments; `known` are the names of the benches.
    pub fn parse(arguments: &[String], known: &[&str]) -> Result<Self> {
        let (mut plan, mut arguments) = (Self::default(), arguments.iter());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => plan.quick = true,
                "--dir" => {
                    let place = arguments.next().context("`--dir` needs a directory")?;
                    plan.place = Some(place.into());
                }
                name if known.contains(&name) => plan.names.push(name.to_owned()),
                other => bail!("no bench `{other}`"),
            }
        }
        Ok(plan)
    }

    /// Whether a bench was asked for; without names, all are.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
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
        assert!(all.wants("trace") && all.wants("verify") && all.pick(5, 2) == 5);
        let one = parse("verify --quick").unwrap();
        assert!(!one.wants("trace") && one.wants("verify") && one.pick(5, 2) == 2);
        assert_eq!(parse("tarce").unwrap_err().to_string(), "no bench `tarce`");
        assert!(parse("--dir").is_err());
        let place = tempfile::tempdir().unwrap();
        let there = parse(&format!("--dir {}", place.path().display())).unwrap();
        assert_eq!(there.directory().unwrap().path().parent(), Some(place.path()));
    }
}
