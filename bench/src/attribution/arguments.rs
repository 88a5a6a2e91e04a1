//! What was asked for: how much, and where the page goes.

use crate::plan::repository;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// The help text.
pub const USAGE: &str = "\
usage: cargo xtask attribution-quality [--quick] [--out FILE]

  --quick     a few cases of everything: shows that it works, says little
  --out FILE  write the page there [default: docs/book/attribution-quality.md]
  AMBAR_MODEL_GGUF names the model file that answers and scores
";
/// The page's place in the repository.
pub const PAGE: &str = "docs/book/attribution-quality.md";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Whether only a little is measured.
    pub quick: bool,
    /// The page.
    pub out: PathBuf,
}

impl Arguments {
    /// Reads them.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut asked = Self { quick: false, out: repository(PAGE) };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => asked.quick = true,
                "--out" => {
                    asked.out = arguments.next().context("`--out` needs a file")?.into();
                }
                other => bail!("no option `{other}`"),
            }
        }
        Ok(asked)
    }

    /// One number for a full run, another for a quick one.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let parse = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Arguments::parse(&arguments)
        };
        let full = parse("").unwrap();
        assert!(full.out.ends_with(PAGE) && full.pick(5, 2) == 5);
        let quick = parse("--quick --out page.md").unwrap();
        assert_eq!((quick.out.to_str(), quick.pick(5, 2)), (Some("page.md"), 2));
        for wrong in ["--out", "--fast", "page.md"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
