//! The command line of the simulator.

use ambar_sim::simulation::Adversary;

/// How many seeds of each adversary unless told otherwise.
const SEEDS: u64 = 25;
/// The name of no adversary: faults only.
pub const NONE: &str = "none";

/// The help text.
pub const HELP: &str = "usage: cargo xtask sim [OPTION]...

  --seeds N         how many seeds of each adversary (25)
  --first S         the first seed (1)
  --adversary NAME  only this one; may be said more than once
  --jobs J          trials at a time (as many as there are cores)
  --twice           every seed twice, which must give the same, not only the first
  --log FILTER      what engines log, on standard error, as in RUST_LOG: for one seed

  adversaries: none, bad-root, equivocator, inventor, proposer, replayer, spammer, withholder
";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// How many seeds.
    pub seeds: u64,
    /// The first.
    pub first: u64,
    /// The adversaries with their names.
    pub adversaries: Vec<(&'static str, Option<Adversary>)>,
    /// Trials at a time.
    pub jobs: usize,
    /// Whether every seed is tried twice.
    pub twice: bool,
    /// What is logged.
    pub log: Option<String>,
}

fn all() -> impl Iterator<Item = (&'static str, Option<Adversary>)> {
    let named = Adversary::ALL.iter().map(|(name, adversary)| (*name, Some(*adversary)));
    std::iter::once((NONE, None)).chain(named)
}

impl Arguments {
    /// Reads the words after the program's name; nothing if help is asked for.
    pub fn read(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let (adversaries, log, twice) = Default::default();
        let mut read = Self { seeds: SEEDS, first: 1, adversaries, jobs, twice, log };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--seeds" => read.seeds = number(&value()?)?,
                "--first" => read.first = number(&value()?)?,
                "--jobs" => read.jobs = number(&value()?)?.clamp(1, 256) as usize,
                "--twice" => read.twice = true,
                "--log" => read.log = Some(value()?),
                "--adversary" => read.adversaries.push(adversary(&value()?)?),
                other => return Err(format!("no option `{other}`")),
            }
        }
        if read.adversaries.is_empty() {
            read.adversaries = all().collect();
        }
        Ok(Some(read))
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn adversary(name: &str) -> Result<(&'static str, Option<Adversary>), String> {
    all().find(|(known, _)| *known == name).ok_or_else(|| format!("no adversary `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Option<Arguments>, String> {
        Arguments::read(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn words_are_read_or_refused() {
        let some = read(&["--seeds", "3", "--first", "9", "--adversary", "none"]);
        let some = some.unwrap().unwrap();
        assert_eq!((some.seeds, some.first), (3, 9));
        assert_eq!(some.adversaries, [(NONE, None)]);
        assert_eq!(read(&[]).unwrap().unwrap().adversaries.len(), Adversary::ALL.len() + 1);
        assert_eq!(read(&["--help"]), Ok(None));
        for bad in [&["--seeds"][..], &["--seeds", "x"], &["--adversary", "x"], &["x"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_help_names_every_adversary() {
        assert!(all().all(|(name, _)| HELP.contains(name)));
    }
}
