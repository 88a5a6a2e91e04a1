//! The command line of the runner.

use ambar_fuzz::TARGETS;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long a target is tried unless told otherwise, seconds.
const SECONDS: u64 = 10;

/// The help text.
pub const HELP: &str = "usage: cargo xtask fuzz [TARGET]... [OPTION]...

  --seconds N        how long each target is tried (10)
  --seed N           where the search begins (the time)
  --input FILE       try this input only
  --trace            write each input to fuzz/failures/TARGET-last before it is tried,
                     for those that end the process
  --write-seeds DIR  write the first inputs to DIR/TARGET/, as `cargo fuzz` takes them
";

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    targets: Vec<String>,
    /// How long for each target.
    pub seconds: u64,
    /// Where the search begins.
    pub seed: u64,
    /// The only input.
    pub input: Option<PathBuf>,
    /// Whether inputs are written before they are tried.
    pub trace: bool,
    /// Where seeds are written to.
    pub seeds_to: Option<PathBuf>,
}

impl Arguments {
    /// Reads the words after the program's name; nothing if help is asked for.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut read = Self {
            targets: Vec::new(),
            seconds: SECONDS,
            seed: now(),
            input: None,
            trace: false,
            seeds_to: None,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--trace" => read.trace = true,
                "--seconds" => read.seconds = number(&value()?)?,
                "--seed" => read.seed = number(&value()?)?,
                "--input" => read.input = Some(value()?.into()),
                "--write-seeds" => read.seeds_to = Some(value()?.into()),
                name if TARGETS.iter().any(|target| target.name == name) => {
                    read.targets.push(word);
                }
                other => return Err(unknown(other)),
            }
        }
        Ok(Some(read))
    }

    /// Whether a target is meant: without names all are.
    pub fn names(&self, target: &str) -> bool {
        self.targets.is_empty() || self.targets.iter().any(|name| name == target)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn unknown(word: &str) -> String {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    format!("no target or option `{word}`; the targets are {}", names.join(", "))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn read(words: &[&str]) -> Result<Option<Arguments>, String> {
        Arguments::read(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn words_are_read_or_refused() {
        let some = read(&["leaf", "--seconds", "2", "--seed", "7", "--trace"]).unwrap().unwrap();
        assert_eq!((some.seconds, some.seed, some.trace), (2, 7, true));
        assert!(some.names("leaf") && !some.names("batch"));
        assert!(read(&[]).unwrap().unwrap().names("batch"));
        assert_eq!(read(&["--help"]), Ok(None));
        for bad in [&["leafs"][..], &["--seconds"], &["--seed", "x"], &["--fast"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
